/** Writes a journal of any size through the product's own journal, the same for the same seed (but for salts and hashes). For benches and properties. */
import { generateKeyPairSync } from 'node:crypto';
import type { EventDraft, Payload, Position, WrittenDecision } from '#client/journal';
import { timestamp, type Clock } from '#client/clock';
import type { Judgement } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { SqlFacts } from '#schemas/sql-facts';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import { openJournal, type FileJournal } from '#engine/journal/file-journal';
import { Random } from './random.ts';

export interface Made {
  readonly seed: number;
  readonly sessions: number;
  readonly statements: number;
  readonly requests: number;
  /** When the first event is; the rest follows over `days`. */
  readonly start?: string;
  readonly days?: number;
  readonly payloads?: 'clear' | 'redacted';
  /** How likely somebody sets the wall clock, two hours to and fro, between two statements. */
  readonly jumps?: number;
  readonly segmentBytes?: number;
}

export interface MadeJournal {
  readonly events: number;
  readonly start: string;
  readonly end: string;
}

/** A week of wall time passes in seconds; the disk is not to be taken for stalled. */
class MadeClock implements Clock {
  #wallUs: number;

  constructor(startUs: number) {
    this.#wallUs = startUs;
  }

  wallUs(): number {
    return this.#wallUs;
  }
  monotonicUs(): number {
    return Math.round(performance.now() * 1000);
  }
  pass(us: number): void {
    this.#wallUs += us;
  }
}

const SESSIONS_AT_ONCE = 200;
const WAIT_EVERY = 1_000;

/** Leaves a closed journal in `dir`. */
export async function makeJournal(dir: string, made: Made): Promise<MadeJournal> {
  const start = made.start ?? '2026-11-16T06:00:00Z';
  const clock = new MadeClock(Date.parse(start) * 1000);
  const journal = await openJournal({
    dir,
    segmentBytes: made.segmentBytes ?? 64 << 20,
    payloads: made.payloads ?? 'clear',
    checkpoint: { everyMs: 3_600_000, key: generateKeyPairSync('ed25519').privateKey, origin: 'made' },
    clock,
    version: 'made',
  });
  const maker = new Maker(journal, clock, made, await readTexts());
  await maker.run();
  await journal.close('made');
  return { events: maker.events, start: timestamp(Date.parse(start) * 1000), end: timestamp(clock.wallUs()) };
}

const TABLES = ['payments', 'orders', 'customers', 'payment_items', 'audit_log', 'invoices', 'refunds', 'sessions', 'carts', 'stock'];
const SCHEMAS = ['public', 'billing', 'archive'];
const TARGETS = ['shop', 'shop-replica', 'ledger', 'crm', 'warehouse', 'reports'];
const APPLICATIONS = ['psql', 'DBeaver', 'checkout', 'nightly-report', 'pgAdmin 4'];
const SHAPES: readonly ((table: string, n: number) => string)[] = [
  (table, n) => `SELECT id, status, amount FROM ${table} WHERE id = ${n}`,
  (table, n) =>
    `SELECT t.id, c.name FROM ${table} t JOIN public.customers c ON c.id = t.customer_id WHERE t.total > ${n} ORDER BY t.id DESC LIMIT 50`,
  (table, n) => `SELECT count(*) FROM ${table} WHERE created_at > now() - interval '${(n % 90) + 1} days'`,
  (table, n) => `UPDATE ${table} SET status = 'done', note = 'case ${n}' WHERE id = ${n}`,
  (table, n) => `INSERT INTO ${table} (id, customer_id, status) VALUES (${n}, ${n % 977}, 'new')`,
  (table, n) => `DELETE FROM ${table} WHERE id = ${n} AND status = 'void'`,
];

interface Text {
  readonly of: (n: number) => string;
  readonly facts: SqlFacts;
  /** The same object for the same text: prepared. */
  readonly prepared: string;
}

async function readTexts(): Promise<readonly Text[]> {
  const facts = new PostgresFacts({ majors: [15] });
  const context = { major: 15, database: 'shop', settings: { search_path: 'public' }, catalog: null };
  const texts: Text[] = [];
  for (const schema of SCHEMAS) {
    for (const table of TABLES) {
      for (const shape of SHAPES) {
        const of = (n: number): string => shape(`${schema}.${table}`, n);
        texts.push({ of, facts: await facts.read(Buffer.from(of(4711)), context), prepared: of(1) });
      }
    }
  }
  await facts.close();
  return texts;
}

const REVISION = `sha256:${'a'.repeat(64)}`;
const CONTEXT = `sha256:${'c'.repeat(64)}`;

function judgement(effect: Judgement['effect'], policy: string, code: string, approval: Judgement['approval'] = null): Judgement {
  return { effect, reasons: [{ policy, code, reason: code.toLowerCase(), effect }], obligations: [], approval, revision: REVISION, shadow: [] };
}

const REQUIREMENT: NonNullable<Judgement['approval']> = {
  stages: [{ id: 'owner', order: 0, any_of: [{ group: 'dba' }, { user: 'olga' }], quorum: 1 }],
  grant: { of: 'statement', uses: 1 },
  valid_for_s: 600,
  expires_in_s: 86_400,
  bind_session: false,
  digest: `sha256:${'d'.repeat(64)}`,
};
const ALLOWED = judgement('allow', 'policies.postgres.reads', 'READ');
const APPROVED = judgement('allow', 'policies.postgres.writes', 'WRITE_APPROVED');
const MASKED = judgement('mask', 'policies.postgres.masks', 'PII_MASKED');
const DENIED = [
  judgement('deny', 'interlock', 'DEFAULT_DENY'),
  judgement('deny', 'policies.postgres.writes', 'DELETE_WITHOUT_WHERE'),
  judgement('deny', 'policies.postgres.hours', 'OUTSIDE_WINDOW'),
] as const;
const HELD = judgement('require_approval', 'policies.postgres.writes', 'WRITE_NEEDS_APPROVAL', REQUIREMENT);

interface Session {
  readonly id: string;
  readonly subject: Subject;
  readonly target: string;
  readonly prepared: Map<number, Payload>;
  left: number;
  statements: number;
}

class Maker {
  readonly #journal: FileJournal;
  readonly #clock: MadeClock;
  readonly #made: Made;
  readonly #texts: readonly Text[];
  readonly #random: Random;
  readonly #stepUs: number;
  readonly #open: Session[] = [];
  readonly #people: readonly Subject[];
  #sessions = 0;
  #statements = 0;
  #requests = 0;
  #ids = 0;
  #last = -1;
  events = 1;

  constructor(journal: FileJournal, clock: MadeClock, made: Made, texts: readonly Text[]) {
    this.#journal = journal;
    this.#clock = clock;
    this.#made = made;
    this.#texts = texts;
    this.#random = new Random(made.seed);
    this.#stepUs = Math.ceil(((made.days ?? 7) * 86_400_000_000) / Math.max(1, made.statements));
    this.#people = people(made.sessions);
  }

  async run(): Promise<void> {
    const { statements, sessions } = this.#made;
    while (this.#statements < statements) {
      while (this.#open.length < SESSIONS_AT_ONCE && this.#sessions < sessions) this.#begin();
      const at = this.#random.below(this.#open.length);
      const session = this.#open[at] as Session;
      this.#statement(session);
      this.#clock.pass(this.#stepUs);
      if (this.#random.chance(this.#made.jumps ?? 0)) this.#clock.pass(Math.round(this.#random.between(-1, 1) * 7_200_000_000));
      if (--session.left <= 0 && (this.#sessions < sessions || this.#open.length > 1)) {
        this.#open.splice(at, 1);
        if (!this.#random.chance(0.01)) this.#close(session);
      }
      if (this.#statements % WAIT_EVERY === 0) await this.#journal.durable(this.#last);
    }
    for (const session of this.#open.splice(20)) this.#close(session);
  }

  #put(event: EventDraft): void {
    this.#last =
      event.type.startsWith('approval.') && 'approval_id' in event ? this.#ordered(event, event.approval_id as string) : this.#journal.append(event);
    this.events += 1;
  }

  /** An approval's events are a stream of their own, each after the last: an engine that opens this journal goes on with them. */
  #ordered(event: EventDraft, stream: string): Position {
    const position = this.#journal.appendIf(event, { stream, expectedLast: this.#journal.lastOf(stream) });
    if (position === null) throw new Error(`${stream} is written by somebody else`);
    return position;
  }

  #id(prefix: string): string {
    return `${prefix}_01KAQ${String(this.#ids++).padStart(11, '0')}${this.#made.seed
      .toString(32)
      .toUpperCase()
      .padStart(10, '0')
      .replaceAll(/[ILOU]/g, 'Z')}`;
  }

  #begin(): void {
    const subject = this.#random.pick(this.#people);
    const target = this.#random.pick(TARGETS);
    const left = Math.ceil((2 * this.#random.next() * this.#made.statements) / this.#made.sessions);
    const session: Session = { id: this.#id('ses'), subject, target, prepared: new Map(), left, statements: 0 };
    this.#sessions++;
    this.#open.push(session);
    this.#put({
      type: 'session.opened',
      session_id: session.id,
      target,
      subject: subject.id,
      subject_detail: subject,
      resource: { type: 'postgresql', id: target, properties: { env: 'production', labels: {}, database: 'shop' } },
      client: {
        address: `10.1.${this.#random.below(8)}.${this.#random.below(250)}`,
        application: this.#random.pick(APPLICATIONS),
        tls: true,
      },
      protocol: 'postgresql',
      decision_id: this.#id('dec'),
      revision: REVISION,
      lease: this.#id('lea'),
    });
  }

  #close({ id, statements }: Session): void {
    this.#put({ type: 'session.closed', session_id: id, reason: 'client', statements, bytes_in: statements * 90, bytes_out: statements * 400 });
  }

  #statement(session: Session): void {
    const statement_id = this.#id('stm');
    const which = Math.floor(this.#random.next() ** 2 * this.#texts.length);
    const text = this.#texts[which] as Text;
    const prepared = this.#random.chance(0.75);
    const own = { session_id: session.id, statement_id, target: session.target } as const;
    const payload = prepared
      ? this.#prepared(session, which, text)
      : { bytes: Buffer.from(text.of(this.#random.below(10_000_000))), media: 'text' as const };
    const facts = prepared ? text.facts : { ...text.facts };
    this.#put({ type: 'statement.received', ...own, action: 'sql.execute', payload, mode: prepared ? 'extended' : 'simple' });
    this.#statements++;
    session.statements++;
    const requestsDue = Math.floor((this.#made.requests * this.#statements) / this.#made.statements);
    if (this.#requests < requestsDue) return this.#request(session, own, payload, facts);
    const judged = this.#random.chance(0.06) ? this.#random.pick(DENIED) : this.#random.chance(0.1) ? MASKED : ALLOWED;
    this.#decided(own, judged, facts);
    if (judged.effect !== 'deny') return this.#runs(own, payload, judged === MASKED);
    const code = judged.reasons[0]?.code ?? 'DEFAULT_DENY';
    this.#put({ type: 'statement.refused', ...own, code, by: 'policy', sqlstate: '42501' });
  }

  #prepared(session: Session, which: number, text: Text): Payload {
    let payload = session.prepared.get(which);
    if (payload === undefined) session.prepared.set(which, (payload = { bytes: Buffer.from(text.prepared), media: 'text' }));
    return payload;
  }

  #decided(own: Own, judged: Judgement, facts: SqlFacts): void {
    const decision: WrittenDecision = {
      decision_id: this.#id('dec'),
      judgement: judged,
      binding: { context: CONTEXT, expires_at: timestamp(this.#clock.wallUs() + 5_000_000) },
    };
    this.#put({ type: 'statement.decided', ...own, decision, facts, cached: true, judged_us: 1.5 });
  }

  #runs(own: Own, payload: Payload, masked: boolean, approval?: { approval_id: string; receipt: string }): void {
    const binding = { payload: CONTEXT, context: CONTEXT, expires_at: timestamp(this.#clock.wallUs() + 5_000_000) };
    this.#put({ type: 'statement.cleared', ...own, payload, binding, obligations: [], ...(approval === undefined ? {} : { approval }) });
    const failed = this.#random.chance(0.03);
    const rows = this.#random.below(50);
    this.#put({
      type: 'statement.finished',
      ...own,
      outcome: failed ? 'error' : 'ok',
      rows,
      bytes: rows * 80,
      response_digest: null,
      masked: masked ? { 'public.customers.email': rows } : {},
      duration_us: 200 + this.#random.below(20_000),
      ...(failed ? { sqlstate: '23505' } : { tag: `SELECT ${rows}` }),
    });
  }

  #request(session: Session, own: Own, payload: Payload, facts: SqlFacts): void {
    const approval_id = this.#id('apr');
    const { id, properties } = session.subject;
    const expires_at = timestamp(this.#clock.wallUs() + 86_400_000_000);
    this.#requests++;
    this.#decided(own, HELD, facts);
    this.#put({
      type: 'approval.requested',
      ...own,
      approval_id,
      requirement: REQUIREMENT,
      binding: {
        principal: id,
        on_behalf_of: properties.on_behalf_of?.id ?? null,
        target: session.target,
        database: 'shop',
        role: 'app',
        payload: CONTEXT,
        params: null,
        settings: {},
        transaction: 'idle',
        objects: [],
        requirement: REQUIREMENT.digest,
      },
      payload,
      summary: 'changes rows of a table',
      expires_at,
      subject_detail: session.subject,
      reasons: HELD.reasons,
    });
    this.#put({ type: 'statement.held', ...own, approval_id, expires_at });
    const fate = this.#random.next();
    if (fate < 0.1) return;
    const reviewer: Subject = { type: 'user', id: 'iss|olga', properties: { login: 'olga', groups: ['dba'] } };
    this.#put({ type: 'approval.verdict', approval_id, stage: 'owner', outcome: fate < 0.8 ? 'approve' : 'deny', reviewer });
    if (fate >= 0.8) {
      this.#put({ type: 'approval.settled', approval_id, outcome: 'denied' });
      return this.#put({ type: 'statement.refused', ...own, code: 'APPROVAL_DENIED', by: 'approval', sqlstate: 'IL002' });
    }
    this.#put({ type: 'approval.settled', approval_id, outcome: 'approved', valid_until: expires_at });
    this.#decided(own, APPROVED, facts);
    this.#put({ type: 'approval.consumed', ...own, approval_id, enforcer: 'made', nonce: this.#id('non'), receipt: 'made' });
    this.#runs(own, payload, false, { approval_id, receipt: 'made' });
  }
}

type Own = { readonly session_id: string; readonly statement_id: string; readonly target: string };

/** One in ten is an agent of one of the others. */
function people(sessions: number): readonly Subject[] {
  const count = Math.max(5, Math.min(400, Math.ceil(sessions / 20)));
  const humans = Array.from({ length: count }, (_, n): Subject => {
    return { type: 'user', id: `iss|user-${n}`, properties: { login: `user-${n}`, groups: ['support'] } };
  });
  const agents = Array.from({ length: Math.ceil(count / 10) }, (_, n): Subject => {
    const on_behalf_of = { id: `iss|user-${n}`, login: `user-${n}`, groups: ['support'] };
    return { type: 'agent', id: `iss|agent-${n}`, properties: { login: `agent-${n}`, groups: [], on_behalf_of } };
  });
  return [...humans, ...agents];
}
