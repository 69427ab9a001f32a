/** Drafts, reviewers and a book over the journal in memory: what the tests of approvals start from. */
import type { ApprovalDraft } from '#client/approvals';
import type { Principal } from '#client/identity';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { type ApprovalBook, type ApprovalOptions, openApprovals } from '#engine/approvals/approvals';
import type { Requirement, Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { Effect, SqlFacts } from '#schemas/sql-facts';
import { FakeClock } from './fake-clock.ts';
import { MemoryDisk, MemoryJournal } from './memory-journal.ts';

export const HOUR_MS = 3_600_000;
const ISSUER = 'https://login.example.com';

export function subject(
  login: string,
  groups: readonly string[] = [],
  more: Partial<Pick<Subject, 'type' | 'id'>> & { owner?: string } = {},
): Subject {
  const { owner, ...rest } = more;
  return {
    type: 'user',
    id: `${ISSUER}|${login}`,
    ...rest,
    properties: {
      login,
      groups: [...groups],
      ...(owner !== undefined && { on_behalf_of: { id: `${ISSUER}|${owner}`, login: owner, groups: [] } }),
    },
  };
}

export function reviewer(login: string, groups: readonly string[], clock: FakeClock, more: Partial<Principal> = {}): Principal {
  const nowMs = clock.wallUs() / 1000;
  return { subject: subject(login, groups), scopes: ['approve'], issuedAtMs: nowMs, expiresAtMs: nowMs + HOUR_MS, ...more };
}

export function stage(id: string, group: string, quorum = 1, order = 0): Stage {
  return { id, order, any_of: [{ group }], quorum };
}

export function requirement(more: Partial<Requirement> = {}): Requirement {
  return {
    stages: [stage('owners', 'owners')],
    grant: { of: 'statement', uses: 1 },
    valid_for_s: 600,
    expires_in_s: 86_400,
    bind_session: false,
    digest: `sha256:${'1'.repeat(64)}`,
    ...more,
  };
}

const UNKNOWN: SqlFacts = {
  dialect: 'postgresql',
  parser: { name: 'libpg_query', major: 15 },
  parsed: false,
  statements: [],
  effects: [],
  session: [],
  params: [],
  opaque: [],
};
const UPDATES_PAYMENTS: Effect = {
  verb: 'update',
  object: { kind: 'table', name: 'payments', qualified: 'public.payments' },
  statement: 0,
  via: [],
  confidence: 'named',
};
let statements = 0;

export function draft(more: Partial<Omit<ApprovalDraft, 'payload' | 'params'>> & { text?: string; params?: string | null } = {}): ApprovalDraft {
  const { text = 'UPDATE payments SET status = $1 WHERE id = 7', params = '["paid"]', ...rest } = more;
  const asked = rest.requirement ?? requirement();
  return {
    subject: subject('alice', ['support']),
    sessionId: 'ses_1',
    statementId: `stm_${++statements}`,
    target: 'shop',
    database: 'shop',
    role: 'interlock_rw',
    payload: { bytes: Buffer.from(text), media: 'text' },
    params: params === null ? null : { bytes: Buffer.from(params), media: 'params' },
    settings: { search_path: '"$user", public' },
    transaction: 'idle',
    objects: [],
    facts: { ...UNKNOWN, parsed: true, effects: [UPDATES_PAYMENTS] },
    ...rest,
    requirement: asked,
    decision: rest.decision ?? {
      decision_id: 'dec_1',
      effect: 'require_approval',
      reasons: [
        { policy: 'policies.sql.writes', code: 'WRITE_IN_PRODUCTION', reason: 'writes in production need approval', effect: 'require_approval' },
      ],
      obligations: [],
      approval: asked,
      revision: `sha256:${'a'.repeat(64)}`,
      shadow: [],
      binding: { payload: `sha256:${'b'.repeat(64)}`, context: `sha256:${'c'.repeat(64)}`, expires_at: '2026-11-23T10:00:05.000000Z' },
    },
  };
}

export interface Desk {
  readonly clock: FakeClock;
  readonly disk: MemoryDisk;
  readonly journal: MemoryJournal;
  readonly book: ApprovalBook;
  /** Another process on the same disk: what was not durable is lost. */
  restart(more?: DeskOptions): Promise<Desk>;
}

type DeskOptions = Partial<Omit<ApprovalOptions, 'clock' | 'journal'>>;

export async function openDesk(more: DeskOptions & { clock?: FakeClock; disk?: MemoryDisk } = {}): Promise<Desk> {
  const { clock = new FakeClock(), disk = new MemoryDisk(), ...rest } = more;
  const journal = new MemoryJournal(clock, disk);
  const book = await openApprovals({
    journal,
    clock,
    ids: new Ids(clock),
    log: silentLog,
    expireMs: 24 * HOUR_MS,
    rememberDenialMs: 600_000,
    publicUrl: 'https://interlock.example.com',
    ...rest,
  });
  return {
    clock,
    disk,
    journal,
    book,
    restart: (again = {}) => {
      book.close();
      return openDesk({ ...rest, clock, disk, ...again });
    },
  };
}

/** What it was refused with, or `none`. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'none',
    (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : String(error)),
  );
}
