/** The API's neighbours, as it declares them, over a few objects: people by their tokens, one request, a few sessions. */
import { once } from 'node:events';
import type { Identity, Principal } from '#client/identity';
import type { ApiParts, BookFilter, Change, Delegations, Notifications, Projection, ReviewBook } from '#engine/api/parts';
import type { ApprovalState, ApprovalView, DelegationView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import type { EnforcerReport } from '#schemas/enforcer-report';
import type { AgentView } from '#schemas/agent';
import type { EnforcerView } from '#schemas/enrolment';
import type { Event } from '#schemas/event';
import type { InboxItem, ReviewText, SessionItem, StatementItem } from '#schemas/review';

export const ULID = '01J00000000000000000000000';
/** The one that ends in this digit. */
export const id = (prefix: string, digit = 0): string => `${prefix}_${ULID.slice(0, -1)}${digit}`;

export function human(login: string, groups: readonly string[], scopes: readonly string[], more: Partial<Principal> = {}): Principal {
  return {
    subject: { type: 'user', id: `iss|${login}`, properties: { login, groups: [...groups] } },
    scopes,
    expiresAtMs: Date.now() + 60_000,
    issuedAtMs: Date.now(),
    ...more,
  };
}

export function agent(login: string, owner: string): Principal {
  const subject: Principal['subject'] = {
    type: 'agent',
    id: `iss|${login}`,
    properties: { login, groups: [], on_behalf_of: { id: `iss|${owner}`, login: owner, groups: [] } },
  };
  return { subject, scopes: ['connect'], expiresAtMs: Date.now() + 60_000, issuedAtMs: Date.now() };
}

/** Tokens are names. */
export function identityOf(people: Readonly<Record<string, Principal>>): Identity {
  return {
    authenticate(token, { scope }) {
      const found = Object.hasOwn(people, token) ? people[token] : undefined;
      if (found === undefined) return Promise.reject(new InterlockError('AUTH_FAILED', 'the token was not accepted'));
      if (!found.scopes.includes(scope)) return Promise.reject(new InterlockError('AUTH_SCOPE', `the token lacks scope ${scope}`));
      return Promise.resolve(found);
    },
  };
}

export function approvalOf(requester: Principal, more: Partial<ApprovalView> = {}): ApprovalView {
  const digest = `sha256:${'a'.repeat(64)}`;
  return {
    approval_id: id('apr'),
    state: 'open',
    subject: requester.subject,
    target: 'shop',
    summary: 'deletes every row of `payments`',
    reasons: [{ policy: 'p', code: 'NO_WHERE', reason: 'no where', effect: 'require_approval' }],
    requirement: {
      stages: [{ id: 'owner', order: 1, any_of: [{ group: 'owners' }], quorum: 1 }],
      grant: { of: 'statement', uses: 1 },
      valid_for_s: 600,
      expires_in_s: 86_400,
      bind_session: false,
      digest,
    },
    progress: [{ stage: 'owner', approved_by: [], needed: 1, state: 'asked' }],
    payload_text: 'delete from payments',
    payload_digest: digest,
    binding: {
      principal: requester.subject.id,
      on_behalf_of: requester.subject.properties.on_behalf_of?.id ?? null,
      target: 'shop',
      database: 'shop',
      role: 'interlock',
      payload: digest,
      params: null,
      settings: {},
      transaction: 'idle',
      objects: ['public.payments'],
      requirement: digest,
    },
    requested_at: '2026-11-23T10:00:00.000000Z',
    expires_at: '2026-11-24T10:00:00.000000Z',
    uses: 0,
    session_id: id('ses'),
    statement_id: id('stm'),
    ...more,
  };
}

/** What was asked of the parts, as it came. */
export interface Asked {
  readonly viewed: unknown[];
  readonly acts: unknown[];
}

export interface FakeApi {
  readonly parts: ApiParts;
  readonly asked: Asked;
  /** Streams of events that are followed. */
  readonly follows: () => number;
  tell(change: Change): void;
  tellApproval(approvalId: string, state: ApprovalState): void;
}

export interface FakeApiOptions {
  readonly people: Readonly<Record<string, Principal>>;
  readonly approvals: readonly ApprovalView[];
  readonly readers: readonly string[] | null;
  readonly admins?: readonly string[];
  readonly events?: readonly Event[];
  /** Logins that a source asks, beside whom the stages name. */
  readonly asks?: readonly string[];
  readonly parts?: Partial<ApiParts>;
}

const ENFORCER: EnforcerReport = {
  target: 'shop',
  protocol: 'postgresql',
  address: '127.0.0.1:6432',
  version: '0.0.0',
  judging: 'local',
  revision: null,
  policy_age_ms: null,
  sessions: 1,
  held: 0,
  draining: false,
  journal: { journal: null, records: 1, bytes: 1, last_sync_us: 1, fault: null },
  channel: null,
  archive: null,
  problems: [],
  enforcer: 'shop',
  home: 'here',
  health: 'ok',
  seen_at: null,
  clock_offset_us: 0,
  rtt_us: null,
  certificate_until: null,
  archived_records: null,
};

/** One enforcer, `shop-1`. */
function fakeEnrolment(): NonNullable<ApiParts['enrolment']> {
  const enforcer: EnforcerView = {
    name: 'shop-1',
    state: 'joined',
    targets: ['shop'],
    invited_until: '2026-11-23T10:15:00.000000Z',
    joined_at: '2026-11-23T10:01:00.000000Z',
    certificate_until: '2026-11-24T10:01:00.000000Z',
    by: 'dan',
  };
  const show = (name: string): EnforcerView => {
    if (name !== enforcer.name) throw new InterlockError('ENFORCER_NOT_FOUND', `there is no enforcer ${name}`);
    return enforcer;
  };
  return {
    list: () => [enforcer],
    show,
    add: ({ name }) => Promise.resolve({ code: 'ilj1.code', enforcer: { ...enforcer, name, state: 'invited' } }),
    remove: (name) => Promise.resolve(show(name)),
  };
}

/** One agent, `bot`, of olga's: who sees it is the desk's to say, in its own words. */
function fakeAgents(): NonNullable<ApiParts['agents']> {
  const at = '2026-11-23T10:00:00.000000Z';
  const view: AgentView = {
    name: 'bot',
    state: 'active',
    subject: 'iss|bot',
    owner: { id: 'iss|olga', login: 'olga', groups: [], seen_at: at },
    targets: ['shop'],
    groups: [],
    ceilings: {},
    key_id: 'key',
    key_since: at,
    sessions: 0,
    by: 'olga',
  };
  type By = Parameters<NonNullable<ApiParts['agents']>['desk']['list']>[0];
  const theirs = ({ admin, principal }: By): boolean => admin || principal.subject.id === 'iss|olga';
  const found = (name: string, allowed: boolean): Promise<AgentView> =>
    allowed && name === 'bot' ? Promise.resolve(view) : Promise.reject(new InterlockError('AGENT_NOT_FOUND', `there is no agent ${name} of yours`));
  const read = (name: string, by: By): Promise<AgentView> => found(name, theirs(by) || by.principal.subject.id === 'iss|bot');
  return {
    desk: {
      list: (by) => Promise.resolve(theirs(by) ? [view] : []),
      show: read,
      add: ({ name }, { principal }) =>
        principal.subject.type === 'user'
          ? Promise.resolve({ ...view, name })
          : Promise.reject(new InterlockError('AGENT_REFUSED', 'only humans add agents')),
      rotate: (name, _key, by) => found(name, theirs(by)),
      remove: (name, by) => found(name, theirs(by)),
    },
    tokens: {
      answer: () => Promise.resolve({ ok: false, status: 401, error: 'invalid_client', description: 'the assertion was not accepted' }),
      metadata: () => ({ issuer: 'https://interlock.example.com' }),
      keys: () => ({ keys: [] }),
    },
    claims: async (name, by) => {
      const { name: agent, subject } = await read(name, by);
      return { contract: 1, agent, revision: '', subject: { id: subject }, claims: [], unknown: [] };
    },
  };
}

export function fakeApi(options: FakeApiOptions): FakeApi {
  const asked: Asked = { viewed: [], acts: [] };
  const listeners = new Set<(change: Change) => void>();
  const bookListeners = new Set<Parameters<ReviewBook['onChange']>[0]>();
  let follows = 0;
  const parts: ApiParts = {
    identity: identityOf(options.people),
    current: (principal) => principal,
    readers: options.readers,
    admins: options.admins ?? [],
    enrolment: fakeEnrolment(),
    agents: fakeAgents(),
    endSession: (session) => Promise.resolve(session === id('ses')),
    approvals: fakeBook(options, asked, bookListeners),
    async *events({ follow, signal }) {
      yield* options.events ?? [];
      if (!follow) return;
      follows += 1;
      try {
        if (!signal.aborted) await once(signal, 'abort');
      } finally {
        follows -= 1;
      }
    },
    status: () => ({
      ok: true,
      revision: 'sha256:00',
      policy_error: null,
      targets: {},
      journal: {},
      open_approvals: 1,
      sessions: 2,
      notifications: { channels: 1, waiting: 0, dead: 1 },
    }),
    operations: {
      answer: ({ path }) => (path === '/healthz' ? { status: 200, type: 'application/json', text: '{"ok":true}\n' } : null),
      enforcers: () => ({ items: [ENFORCER], revision: `sha256:${'0'.repeat(64)}` }),
    },
    viewed: async (by, what) => void asked.viewed.push([by.subject.id, what]),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    projection: fakeProjection(),
    reviewText: (approval) => reviewTextOf(approval),
    delegations: fakeDelegations(asked),
    notifications: fakeNotifications(asked),
    login: { oidc: [], local: true },
    version: '0.0.0',
    targets: { shop: 'test' },
    ...options.parts,
  };
  return {
    parts,
    asked,
    follows: () => follows,
    tell: (change) => listeners.forEach((listener) => listener(change)),
    tellApproval: (approvalId, state) => bookListeners.forEach((listener) => listener({ approvalId, state })),
  };
}

function fakeBook({ approvals, asks = [] }: FakeApiOptions, asked: Asked, listeners: Set<Parameters<ReviewBook['onChange']>[0]>): ReviewBook {
  const find = (wanted: string): ApprovalView => {
    const found = approvals.find(({ approval_id }) => approval_id === wanted);
    if (found === undefined) throw new InterlockError('APPROVAL_NOT_FOUND', `there is no approval request ${wanted}`);
    return found;
  };
  const matching = (filter: BookFilter = {}): readonly ApprovalView[] =>
    approvals.filter(
      (view) =>
        (filter.state === undefined || filter.state === view.state) &&
        (filter.requestedBy === undefined || filter.requestedBy.id === view.subject.id) &&
        (filter.waitingFor === undefined || isAsked(view, filter.waitingFor, asks)) &&
        (filter.reviewOpen === undefined || view.glass?.review === 'open') &&
        (filter.visible?.(view) ?? true),
    );
  const act =
    (name: string) =>
    async (wanted: string, given: object): Promise<ApprovalView> => {
      const view = find(wanted);
      asked.acts.push({ act: name, id: wanted, ...given });
      return view;
    };
  return {
    page: (filter, { limit }) => {
      const all = matching(filter);
      return { items: all.slice(0, limit), next: null, total: all.length };
    },
    hear: () => Promise.resolve(),
    show: find,
    verdict: async (wanted, verdict) => {
      const view = find(wanted);
      if (verdict.reviewer.subject.id === view.subject.id) throw new InterlockError('VERDICT_SELF', 'the requester may not decide');
      if (!isAsked(view, verdict.reviewer.subject, asks)) throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'you are not among those asked');
      const { reviewer, ...given } = verdict;
      asked.acts.push({ act: 'verdict', id: wanted, by: reviewer.subject.id, ...given });
      return { ...view, state: 'approved' };
    },
    cancel: async (wanted, { by }) => {
      if (find(wanted).subject.id !== by.subject.id && find(wanted).subject.properties.on_behalf_of?.id !== by.subject.id)
        throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'only the requester cancels a request');
      asked.acts.push({ act: 'cancel', id: wanted, by: by.subject.id });
    },
    withdraw: act('withdraw'),
    breakGlass: act('break_glass'),
    review: act('review'),
    abilities: (wanted, reader) => {
      const allowed = isAsked(find(wanted), reader.subject, asks) && find(wanted).subject.id !== reader.subject.id;
      return [{ act: 'approve', allowed, ...(allowed ? {} : { code: 'VERDICT_NOT_ELIGIBLE', why: 'you are not among those asked' }) }];
    },
    concerns: async (wanted, reader) => isAsked(find(wanted), reader.subject, asks) && find(wanted).subject.id !== reader.subject.id,
    story: () => [{ time: '2026-11-23T10:00:00.000000Z', type: 'approval.requested', who: 'alice', what: 'asked\u202e' }],
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

function isAsked(view: ApprovalView, { properties }: Principal['subject'], asks: readonly string[]): boolean {
  const named = view.requirement.stages.some(({ any_of }) => any_of.some((one) => 'group' in one && properties.groups.includes(one.group)));
  return named || asks.includes(properties.login);
}

const STATEMENT: StatementItem = {
  statement_id: id('stm'),
  session_id: id('ses'),
  time: '2026-11-23T10:00:00.000000Z',
  login: 'alice',
  target: 'shop',
  action: 'sql.execute',
  codes: [],
  touched: [],
  outcome: 'ok',
};
const SESSION: SessionItem = {
  session_id: id('ses'),
  time: '2026-11-23T10:00:00.000000Z',
  login: 'alice',
  subject_type: 'user',
  target: 'shop',
  protocol: 'postgresql',
  state: 'open',
  statements: 1,
  refused: 0,
  held: 0,
};

/** One session, of alice. */
function fakeProjection(): Projection {
  const page = <T>(items: readonly T[]): { items: T[]; next: null; total: number } => ({ items: [...items], next: null, total: items.length });
  const sees = (reader: { readonly all: boolean; readonly principal: Principal }): boolean =>
    reader.all || reader.principal.subject.id === 'iss|alice';
  return {
    sessions: (_query, reader) => page(sees(reader) ? [SESSION] : []),
    session: (wanted, reader) => (wanted === SESSION.session_id && sees(reader) ? SESSION : null),
    timeline: (_id, _paged, reader) => page(sees(reader) ? [STATEMENT] : []),
    beginOf: () => null,
    search: (_query, reader) => page(sees(reader) ? [STATEMENT] : []),
    sessionSoFar: () => [STATEMENT],
    earlierLike: (): InboxItem[] => [],
  };
}

function fakeDelegations({ acts }: Asked): Delegations {
  const view: DelegationView = {
    delegation_id: id('dlg'),
    from: 'bob',
    to: 'dora',
    starts: '2026-11-23T10:00:00.000000Z',
    ends: '2026-11-24T10:00:00.000000Z',
    reason: 'leave',
    state: 'in_force',
  };
  return {
    list: ({ all, principal }) => (all || ['bob', 'dora'].includes(principal.subject.properties.login) ? [view] : []),
    open: (by, ask) => {
      acts.push({ act: 'delegate', by: by.subject.id, ...ask });
      return view;
    },
    end: (wanted, by) => {
      if (wanted !== view.delegation_id || by.subject.id !== 'iss|bob')
        throw new InterlockError('DELEGATION_NOT_FOUND', `there is no delegation ${wanted}`);
      return { ...view, state: 'ended' };
    },
  };
}

function fakeNotifications({ acts }: Asked): Notifications {
  return {
    list: () => [{ notification_id: id('ntf'), channel: 'hook', about: 'requested', state: 'dead', time: '2026-11-23T10:00:00.000000Z', tries: 8 }],
    test: async (channel) => ({
      notification_id: id('ntf'),
      channel,
      about: 'test',
      state: 'delivered',
      time: '2026-11-23T10:00:00.000000Z',
      tries: 1,
    }),
    resend: async (wanted) => {
      if (wanted !== id('ntf')) throw new InterlockError('NOTIFICATION_NOT_FOUND', `there is no undelivered message ${wanted}`);
      acts.push({ act: 'resend', id: wanted });
    },
  };
}

function reviewTextOf(approval: ApprovalView): ReviewText {
  const digest = approval.payload_digest ?? '';
  return { complete: true, bytes: 20, lines: 1, digest_prefix: digest.slice(7, 19), digest, statements: [], warnings: [] };
}
