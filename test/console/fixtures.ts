/** What the engine would answer in states that take long to make for real: empty, usual, and extreme. Typed by the contract. */
import type { AgentClaims, AgentView } from '#schemas/agent';
import type { ApprovalView, DelegationView } from '#schemas/approval';
import type { EnforcerReport } from '#schemas/enforcer-report';
import type { NotificationView } from '#schemas/notification';
import type { Act, InboxItem, Me, RequestPage, ReviewText, ReviewToken, SessionItem, StatementItem, StoryLine } from '#schemas/review';

const NOW = Date.now();
const DIGEST = `sha256:${'3f9a1c20b7d4'.padEnd(64, '0')}`;

/** Seconds from now, as the contract writes a time. */
export function at(seconds: number): string {
  return new Date(NOW + seconds * 1000).toISOString().replace('Z', '000Z');
}

export function id(kind: 'apr' | 'ses' | 'stm' | 'dlg', number: number): string {
  return `${kind}_01J${String(number).padStart(23, '0')}`;
}

export const me: Me = {
  id: 'https://issuer.example|bob',
  login: 'bob',
  groups: ['payments-owners'],
  expires_at: at(3600),
  csrf: 'fixture',
  reads_all: true,
  decides: true,
  login_by: 'local',
  version: '0.1.0',
  targets: ['shop', 'ledger'],
  authenticated_at: at(-60),
};

export const REVISION = `sha256:${'48f4652dd471'.padEnd(64, '0')}`;

export function enforcer(number: number, more: Partial<EnforcerReport> = {}): EnforcerReport {
  return {
    enforcer: `shop-${number}`,
    target: 'shop',
    protocol: 'postgresql',
    address: `10.0.0.${number % 250}:6432`,
    version: '0.1.0',
    home: 'apart',
    health: 'ok',
    judging: 'local',
    revision: REVISION,
    policy_age_ms: 4_000,
    sessions: 12,
    held: 0,
    draining: false,
    journal: { journal: 'a'.repeat(32), records: 123_456, bytes: 34_000_000, last_sync_us: 320, fault: null },
    channel: { connected: true, engine: 'engine-1.internal:8443', rtt_us: 420, clock_offset_us: -130 },
    archive: { mode: 'standard', connected: true, backlog_records: 0, backlog_bytes: 0, backlog_age_ms: 0, full: false, drift: false },
    problems: [],
    seen_at: at(-1),
    clock_offset_us: 130,
    rtt_us: 420,
    certificate_until: at(86_400),
    archived_records: 123_456,
    ...more,
  };
}

/** One well, one behind, one silent. */
export const enforcers: readonly EnforcerReport[] = [
  enforcer(1),
  enforcer(2, {
    health: 'degraded',
    held: 2,
    revision: `sha256:${'0123456789ab'.padEnd(64, '0')}`,
    clock_offset_us: -2_400_000,
    archive: {
      mode: 'standard',
      connected: false,
      backlog_records: 18_204,
      backlog_bytes: 5_400_000,
      backlog_age_ms: 93_000,
      full: false,
      drift: false,
    },
    problems: [
      { code: 'archive', detail: 'the archive cannot be reached or has not caught up: 18204 records wait', serious: false },
      { code: 'clock', detail: 'the clock is 2400 ms from the engine’s', serious: false },
    ],
  }),
  enforcer(3, {
    enforcer: 'ledger-1',
    target: 'ledger',
    health: 'down',
    judging: 'remote',
    revision: null,
    sessions: 0,
    seen_at: at(-360),
    clock_offset_us: null,
    rtt_us: null,
    archive: null,
    problems: [{ code: 'silent', detail: 'it is not connected for 360 s', serious: true }],
  }),
];

const SENTENCES = [
  'updates about 1 row of `payments`, setting `status`, where `id` = 4711',
  "deletes about 1,200 rows from `payments` where `status` = 'new' and `created_at` is before 2026-01-01",
  'adds a column `iban` to the table `customers`',
  'truncates `sessions_archive`: every row of it goes',
  'inserts 3 rows into `refunds`',
];

export function inboxItem(number: number, more: Partial<InboxItem> = {}): InboxItem {
  return {
    approval_id: id('apr', number),
    state: 'open',
    summary: SENTENCES[number % SENTENCES.length] ?? '',
    login: ['alice', 'deploy-agent', 'carol', 'dmitri'][number % 4] ?? 'alice',
    ...(number % 4 === 1 ? { on_behalf_of: 'alice', subject_type: 'agent' } : { subject_type: 'user' }),
    target: number % 3 === 0 ? 'ledger' : 'shop',
    env: 'production',
    requested_at: at(-60 - number * 7),
    expires_at: at(240 + number * 60),
    codes: [number % 2 === 0 ? 'PRODUCTION_WRITE' : 'MANY_ROWS'],
    stage: number % 2 === 0 ? 'owner' : 'dba',
    approved: number % 2,
    needed: 1 + (number % 2),
    mine: true,
    ...more,
  };
}

const kw = (text: string): ReviewToken => ({ kind: 'keyword', text });
const name = (text: string): ReviewToken => ({ kind: 'name', text });
const space = (text = ' '): ReviewToken => ({ kind: 'space', text });
const op = (text: string): ReviewToken => ({ kind: 'operator', text });
const string = (text: string): ReviewToken => ({ kind: 'string', text });
const number = (text: string): ReviewToken => ({ kind: 'number', text });
const comment = (text: string): ReviewToken => ({ kind: 'comment', text });
const hidden = (text: string): ReviewToken => ({ kind: 'hidden', text });

export const usualText: ReviewText = {
  complete: true,
  bytes: 148,
  lines: 4,
  digest_prefix: '3f9a1c20b7d4',
  digest: DIGEST,
  statements: [
    {
      number: 1,
      kind: 'DELETE',
      tokens: [
        comment('-- clean up what was never paid'),
        space('\n'),
        kw('DELETE'),
        space(),
        kw('FROM'),
        space(),
        name('payments'),
        space('\n '),
        kw('WHERE'),
        space(),
        name('status'),
        space(),
        op('='),
        space(),
        string("'new'"),
        space('\n   '),
        kw('AND'),
        space(),
        name('created_at'),
        space(),
        op('<'),
        space(),
        string("'2026-01-01'"),
        op(';'),
      ],
    },
  ],
  warnings: [],
};

/** Every trick of SECURITY A7 in one. */
export const trickyText: ReviewText = {
  ...usualText,
  bytes: 20_311,
  lines: 5,
  statements: [
    {
      number: 1,
      kind: 'UPDATE',
      tokens: [
        kw('UPDATE'),
        space(),
        name('p'),
        hidden('U+0430 CYRILLIC SMALL LETTER A'),
        name('yments'),
        space(),
        kw('SET'),
        space(),
        name('status'),
        space(),
        op('='),
        space(),
        string("'"),
        hidden('U+202E RIGHT-TO-LEFT OVERRIDE'),
        string("dnufer'"),
        space(),
        comment('/* WHERE id = 1 */'),
        { kind: 'space', text: '20,000 spaces' },
        op(';'),
      ],
    },
    { number: 2, kind: 'DROP TABLE', tokens: [kw('DROP'), space(), kw('TABLE'), space(), name('customers'), op(';')] },
  ],
  warnings: ['2 hidden characters', 'a comment holds a WHERE that is not one', '20,000 spaces in a row', 'a name mixes Latin and Cyrillic letters'],
};

/** One statement at the limit: an INSERT with very many rows, and one line that never ends. */
export function hugeText(bytes = 1024 * 1024): ReviewText {
  const tokens: ReviewToken[] = [kw('INSERT'), space(), kw('INTO'), space(), name('payments'), space(), kw('VALUES'), space('\n')];
  let size = 30;
  for (let row = 0; tokens.length < 38_000 && size < bytes / 2; row += 1) {
    const value = `(${row}, 'payment number ${row}')`;
    tokens.push(op('('), number(String(row)), op(', '), string(`'payment number ${row}'`), op('),'), space('\n'));
    size += value.length + 3;
  }
  tokens.push(string(`'${'x'.repeat(bytes - size - 3)}'`), op(';'));
  return { ...usualText, bytes, lines: 6000, statements: [{ number: 1, kind: 'INSERT', tokens }], warnings: ['a line of 524,000 characters'] };
}

export function statement(number: number, more: Partial<StatementItem> = {}): StatementItem {
  const outcomes = ['ok', 'ok', 'refused', 'ok', 'held'] as const;
  const outcome = outcomes[number % outcomes.length] ?? 'ok';
  return {
    statement_id: id('stm', number),
    session_id: id('ses', 1),
    time: at(-900 + number * 11),
    login: 'alice',
    target: 'shop',
    action: 'sql.execute',
    text:
      outcome === 'refused'
        ? 'DROP TABLE customers'
        : number % 3 === 0
          ? "UPDATE payments\n   SET status = 'refunded'\n WHERE id = 4711"
          : 'SELECT id, status, amount FROM payments WHERE customer_id = $1 ORDER BY id',
    effect: outcome === 'refused' ? 'deny' : outcome === 'held' ? 'require_approval' : 'allow',
    codes: outcome === 'refused' ? ['DDL_IN_PRODUCTION'] : [],
    touched: outcome === 'refused' ? ['DROP public.customers'] : [number % 3 === 0 ? 'UPDATE public.payments' : 'READ public.payments'],
    outcome,
    ...(outcome === 'ok' ? { rows: number, duration_us: 900 + number * 731, bytes: 120 + number * 40 } : {}),
    ...(outcome === 'refused' ? { refused: 'policy', sqlstate: '42501' } : {}),
    ...(outcome === 'held' ? { approval_id: id('apr', 1) } : {}),
    ...more,
  };
}

export function session(number: number, more: Partial<SessionItem> = {}): SessionItem {
  return {
    session_id: id('ses', number),
    time: at(-900 - number * 400),
    login: ['alice', 'deploy-agent', 'carol'][number % 3] ?? 'alice',
    ...(number % 3 === 1 ? { on_behalf_of: 'alice', subject_type: 'agent' } : { subject_type: 'user' }),
    target: number % 4 === 0 ? 'ledger' : 'shop',
    database: 'shop',
    client: '10.1.4.17',
    application: number % 2 === 0 ? 'psql' : 'DBeaver 26.1',
    protocol: 'postgresql',
    state: number < 3 ? 'open' : 'closed',
    ...(number < 3 ? {} : { closed_at: at(-100), reason: 'client' }),
    statements: 12 * number + 3,
    refused: number % 3,
    held: number % 2,
    ...more,
  };
}

const STORY: readonly StoryLine[] = [
  { time: at(-130), type: 'approval.requested', who: 'alice', what: 'asked' },
  { time: at(-120), type: 'notification.sent', what: 'told #payments in Slack' },
  { time: at(-70), type: 'approval.viewed', who: 'carol', what: 'looked at it' },
  { time: at(-60), type: 'approval.verdict', who: 'carol', what: 'approved stage dba', comment: 'rows counted, matches the ticket' },
];

const ALLOWED: readonly Act[] = ['approve', 'deny', 'changes'];

export function approval(more: Partial<ApprovalView> = {}): ApprovalView {
  return {
    approval_id: id('apr', 1),
    state: 'open',
    requirement: {
      stages: [
        { id: 'dba', order: 1, any_of: [{ group: 'dba' }], quorum: 1 },
        { id: 'owner', order: 2, any_of: [{ ref: 'directory:owner' }], quorum: 1 },
      ],
      grant: { of: 'statement', uses: 1 },
      valid_for_s: 900,
      expires_in_s: 86_400,
      bind_session: false,
      digest: DIGEST,
    },
    progress: [
      { stage: 'dba', approved_by: ['carol'], needed: 1, asks: ['group dba'], state: 'complete' },
      {
        stage: 'owner',
        approved_by: [],
        needed: 1,
        asks: ['bob', 'on call: shop (erin)'],
        state: 'asked',
        escalates_at: at(540),
        denies_at: at(3000),
      },
    ],
    subject: {
      type: 'agent',
      id: 'https://issuer.example|deploy-agent',
      properties: {
        login: 'deploy-agent',
        groups: ['agents', 'support'],
        on_behalf_of: { id: 'https://issuer.example|alice', login: 'alice', groups: ['support'] },
      },
    },
    target: 'shop',
    payload_text: "DELETE FROM payments WHERE status = 'new'",
    binding: {
      principal: 'https://issuer.example|deploy-agent',
      on_behalf_of: 'https://issuer.example|alice',
      target: 'shop',
      database: 'shop',
      role: 'interlock_rw',
      payload: DIGEST,
      params: null,
      settings: { search_path: 'public' },
      transaction: 'idle',
      objects: ['public.payments'],
      requirement: DIGEST,
    },
    payload_digest: DIGEST,
    expires_at: at(840),
    requested_at: at(-130),
    summary: "deletes about 1,200 rows from `payments` where `status` = 'new' and `created_at` is before 2026-01-01",
    reasons: [
      {
        policy: 'policies.postgres.approvals',
        code: 'PRODUCTION_WRITE',
        reason: 'writes in production need the owner of the table',
        effect: 'require_approval',
      },
      {
        policy: 'policies.postgres.guardrails',
        code: 'MANY_ROWS',
        reason: 'more than 1,000 rows need a database administrator as well',
        effect: 'require_approval',
      },
    ],
    uses: 0,
    session_id: id('ses', 1),
    statement_id: id('stm', 9),
    estimate: { state: 'ok', rows: 1213, cost: 4410 },
    plan_text:
      "Delete on payments  (cost=0.00..4410.00 rows=0 width=0)\n  ->  Seq Scan on payments  (cost=0.00..4410.00 rows=1213 width=6)\n        Filter: (status = 'new')",
    row_ceiling: 1335,
    ...more,
  };
}

export function requestPage(more: Partial<RequestPage> = {}): RequestPage {
  return {
    approval: approval(),
    text: usualText,
    can: ALLOWED.map((act) => ({ act, allowed: true })),
    story: [...STORY],
    session: [8, 7, 6].map((number) => statement(number)),
    earlier: [
      inboxItem(901, { state: 'consumed', requested_at: at(-86_400 * 3), mine: false }),
      inboxItem(906, { state: 'denied', requested_at: at(-86_400 * 9), mine: false }),
    ],
    ...more,
  };
}

/** 1 MiB, 400 approvers, and a story as long. */
export function extremePage(): RequestPage {
  const people = Array.from({ length: 400 }, (_, index) => `reviewer-${String(index + 1).padStart(3, '0')}`);
  return requestPage({
    text: hugeText(),
    approval: approval({
      summary: `inserts about 9,000 rows into \`payments\`, and into ${Array.from({ length: 40 }, (_, index) => `\`partition_${index}\``).join(', ')}`,
      progress: [
        { stage: 'everybody', approved_by: people.slice(0, 399), needed: 400, asks: people.map((person) => `user ${person}`), state: 'asked' },
        { stage: 'board', approved_by: [], needed: 3, asks: ['group board'], state: 'waiting' },
      ],
    }),
    story: people
      .slice(0, 399)
      .map((who, index) => ({ time: at(-4000 + index * 9), type: 'approval.verdict', who, what: 'approved stage everybody' })),
    session: Array.from({ length: 50 }, (_, index) => statement(index)),
  });
}

export function message(number: number): NotificationView {
  return {
    notification_id: `ntf_01J${String(number).padStart(23, '0')}`,
    channel: 'payments-slack',
    about: 'requested',
    approval_id: id('apr', 1),
    state: 'dead',
    tries: 8,
    time: at(-600),
    detail: 'the endpoint answered 503',
  };
}

export function delegation(number: number, more: Partial<DelegationView> = {}): DelegationView {
  return {
    delegation_id: id('dlg', number),
    from: 'bob',
    to: 'erin',
    starts: at(-3600),
    ends: at(6 * 86_400),
    reason: 'on holiday',
    state: 'in_force',
    ...more,
  };
}

export function agent(number: number, more: Partial<AgentView> = {}): AgentView {
  return {
    name: `refunds-${number}`,
    state: 'active',
    subject: `https://interlock.example.com|refunds-${number}`,
    owner: { id: 'https://issuer.example|alice', login: 'alice', groups: ['support', 'staff'], seen_at: at(-3600) },
    targets: ['billing-api', 'shop'],
    groups: ['support'],
    ceilings: { rows_per_hour: 500 },
    key_id: 'nMKWMPqN403LfpR1kiSPaAl4e0l37T2z_TKKaw2kzG0',
    key_since: at(-86_400),
    sessions: 2,
    by: 'alice',
    ...more,
  };
}

/** @param many lines of one target */
export function claims(many = 4): AgentClaims {
  const effects = ['allow', 'mask', 'require_approval', 'deny'] as const;
  return {
    contract: 1,
    agent: 'refunds-1',
    revision: REVISION,
    subject: {},
    claims: Array.from({ length: many }, (_, index) => ({
      id: `shop:${index}`,
      target: index % 2 === 0 ? 'shop' : 'billing-api',
      protocol: 'postgresql',
      what: `update one row of public.payments_${index}`,
      effect: effects[index % effects.length] ?? 'deny',
      codes: ['AGENT_WRITE'],
      reason: 'What an agent changes waits for somebody else.',
      masked: ['public.customers.email'],
      approvers: ['data-owners'],
    })),
    unknown: ['tools'],
  };
}
