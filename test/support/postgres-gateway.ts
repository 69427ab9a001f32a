/**
 * The PostgreSQL enforcer in this process, before a real server, with small fakes of our own interfaces behind it; in the shapes apart a real private
 * channel lies between.
 */
import type { Approvals, Ticket } from '#client/approvals';
import { systemClock } from '#client/clock';
import type { Identity, Principal } from '#client/identity';
import { Ids } from '#client/ids';
import type { Journal } from '#client/journal';
import { silentLog, type Log } from '#client/log';
import type { Enforcer } from '#enforcers/common/enforcer';
import { Meters } from '#enforcers/common/meters';
import { startPostgresEnforcer } from '#enforcers/postgres/enforcer';
import type { PostgresTarget } from '#enforcers/postgres/target';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { FakeDecisions, type Rule } from './fake-decisions.ts';
import { MemoryJournal } from './memory-journal.ts';
import { inShape } from './over-channel.ts';
import type { PostgresServer } from './postgres.ts';
import { shapeAsked } from './shapes.ts';

export interface TestGateway extends AsyncDisposable {
  readonly enforcer: Enforcer;
  readonly decisions: FakeDecisions;
  /** The enforcer's: apart, that of approvals is another. */
  readonly journal: MemoryJournal;
  readonly port: number;
  /** As `alice`. */
  readonly url: string;
  readonly tokens: Map<string, Principal>;
  /** Everything recorded so far, durable or not. */
  events(): Promise<Event[]>;
}

export interface TestGatewayOptions {
  readonly rule?: Rule;
  readonly approvals?: (journal: MemoryJournal) => Promise<Approvals>;
  readonly target?: Partial<PostgresTarget>;
  readonly database?: string;
  /** A policy in force could ask for masks. */
  readonly masks?: boolean;
  /** The port before the server: a relay. */
  readonly upstreamPort?: number;
  readonly log?: Log;
  /** The journal as the enforcer gets it. */
  readonly journal?: (journal: MemoryJournal) => Journal;
}

export const TOKEN = 'token-of-alice';

export async function startTestGateway(server: PostgresServer, options: TestGatewayOptions = {}): Promise<TestGateway> {
  const decisions = await FakeDecisions.open(server.major, options.rule);
  decisions.masksPossible = options.masks ?? false;
  const shape = shapeAsked();
  const journal = new MemoryJournal(systemClock);
  const central = shape === 'up' ? journal : new MemoryJournal(systemClock);
  const tokens = new Map([[TOKEN, principal('alice')]]);
  const parts = {
    decisions,
    journal: options.journal?.(journal) ?? journal,
    approvals: options.approvals ? await options.approvals(central) : noApprovals,
    credentials: { lease: () => Promise.resolve({ id: 'lea_test', user: server.user, password: server.password }), release: () => {} },
    identity: identityOf(tokens),
  };
  await using started = new AsyncDisposableStack();
  const placed = started.use(await inShape(shape, parts, 'shop'));
  const database = options.database ?? 'postgres';
  const enforcer = await startPostgresEnforcer({
    ...placed,
    target: {
      name: 'shop',
      listen: { host: '127.0.0.1', port: 0 },
      upstream: { host: server.host, port: options.upstreamPort ?? server.port, databases: [database], tls: { mode: 'off' } },
      env: 'test',
      labels: {},
      limits: { connections: 100, statementBytes: 1_048_576, idleMs: 900_000 },
      approvals: { waitMs: 20_000, inTransaction: 'fresh' },
      publicUrl: 'https://interlock.example.com',
      ...options.target,
    },
    clock: systemClock,
    ids: new Ids(systemClock),
    log: options.log ?? silentLog,
    meters: new Meters(null, systemClock),
  });
  started.defer(() => enforcer.close());
  const stack = started.move();
  const { port } = enforcer.address;
  return {
    enforcer,
    decisions,
    journal,
    tokens,
    port,
    url: `postgresql://alice:${TOKEN}@127.0.0.1:${port}/${database}`,
    events: async () => await recorded(new Set([journal, central])),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** In the order in which they happened. */
async function recorded(journals: ReadonlySet<MemoryJournal>): Promise<Event[]> {
  for (const journal of journals) await journal.durable(journal.append({ type: 'admin.changed', by: 'test', what: 'mark' }));
  const events = [...journals].flatMap((journal) => journal.disk.events).filter((event) => event.type !== 'admin.changed');
  return journals.size === 1 ? events : events.sort((a, b) => Number(a.tick_us) - Number(b.tick_us));
}

export function principal(login: string, more: Partial<Principal> = {}): Principal {
  const nowMs = Date.now();
  return {
    subject: { type: 'user', id: `https://login.example.com|${login}`, properties: { login, groups: ['app'] } },
    scopes: ['connect'],
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + 3_600_000,
    ...more,
  };
}

function identityOf(tokens: ReadonlyMap<string, Principal>): Identity {
  return {
    authenticate: (token) => {
      const known = tokens.get(token);
      return known ? Promise.resolve(known) : Promise.reject(new InterlockError('AUTH_FAILED', 'not a token of this test'));
    },
  };
}

const unavailable = (): Promise<Ticket> => Promise.reject(new InterlockError('APPROVAL_UNAVAILABLE', 'no approvals in this test'));
const noApprovals: Approvals = {
  request: unavailable,
  settled: unavailable,
  consume: () => Promise.reject(new InterlockError('APPROVAL_UNAVAILABLE', 'no approvals in this test')),
  cancel: () => Promise.resolve(),
  supersede: () => Promise.resolve(),
};
