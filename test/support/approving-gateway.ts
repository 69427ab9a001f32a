/** The enforcer in this process with the real approvals behind it, before a real server: whatever says `/* ask *\/` needs an approval, all else runs. */
import pg from 'pg';
import type { ApprovalBook } from '#engine/approvals/approvals';
import type { ApprovalView } from '#schemas/approval';
import type { Requirement } from '#schemas/decision';
import type { Event } from '#schemas/event';
import { requirement } from './approvals.ts';
import { ALLOW, type Rule } from './fake-decisions.ts';
import { startPostgres, type PostgresMajor, type PostgresServer } from './postgres.ts';
import { startTestGateway, type TestGateway } from './postgres-gateway.ts';
import { openBook, openedIn, ritaSays } from './reviewed-book.ts';

export interface ApprovingGateway extends AsyncDisposable {
  readonly server: PostgresServer;
  readonly gateway: TestGateway;
  readonly book: ApprovalBook;
  /** What policy asks for from now on, on top of the usual. */
  ask(more: Partial<Requirement>): void;
  client(): Promise<pg.Client>;
  /** The one open request with this in its text. */
  opened(text: string): Promise<ApprovalView>;
  approve(id: string): Promise<void>;
  /** Runs it, approved by the reviewer while it waits. */
  approved<T>(running: Promise<T>, text: string): Promise<T>;
  /** What the record says of the statements whose text holds this, in order. */
  story(text: string): Promise<readonly Event[]>;
  /** Outcomes of the statements whose text holds this, in order. */
  finished(text: string): Promise<readonly Extract<Event, { type: 'statement.finished' }>[]>;
}

export const ASK = '/* ask */';

export async function startApproving(
  options: {
    readonly major?: PostgresMajor;
    readonly waitMs?: number;
    readonly inTransaction?: 'fresh' | 'any';
    readonly server?: PostgresServer;
    readonly masks?: boolean;
  } = {},
): Promise<ApprovingGateway> {
  const server = options.server ?? (await startPostgres({ major: options.major ?? 15 }));
  let asks = requirement();
  const rule: Rule = ({ text, moment }) => {
    if (!text.includes(ASK) || moment.approval?.requirement === asks.digest) return ALLOW;
    return { effect: 'require_approval', requirement: asks };
  };
  let book: ApprovalBook | null = null;
  const gateway = await startTestGateway(server, {
    rule,
    masks: options.masks ?? false,
    target: { approvals: { waitMs: options.waitMs ?? 20_000, inTransaction: options.inTransaction ?? 'fresh' } },
    approvals: async (journal) => (book = await openBook(journal)),
  });
  const open = book as unknown as ApprovalBook;
  const approving: ApprovingGateway = {
    server,
    gateway,
    book: open,
    ask: (more) => void (asks = requirement(more)),
    client: async () => {
      const client = new pg.Client({ connectionString: gateway.url });
      client.on('error', () => {});
      await client.connect();
      return client;
    },
    opened: (text) => openedIn(open, text),
    approve: async (id) => void (await ritaSays(open, id, 'approve')),
    approved: async (running, text) => {
      running.catch(() => {});
      await approving.approve((await approving.opened(text)).approval_id);
      return running;
    },
    story: async (text) => {
      const events = await gateway.events();
      const ids = new Set<string>();
      for (const event of events) {
        if (event.type !== 'statement.received' || event.action !== 'sql.execute') continue;
        const bytes = await gateway.journal.payload(event.payload);
        if (bytes !== null && Buffer.from(bytes).toString().includes(text)) ids.add(event.statement_id ?? '');
      }
      return events.filter((event) => event.type.startsWith('statement.') && ids.has(event.statement_id ?? ''));
    },
    finished: async (text) => (await approving.story(text)).filter((event) => event.type === 'statement.finished'),
    [Symbol.asyncDispose]: async () => {
      open.close();
      await gateway[Symbol.asyncDispose]();
      if (options.server === undefined) await server.stop();
    },
  };
  return approving;
}

/** What a query was refused with. */
export async function refusalOf(query: Promise<unknown>): Promise<pg.DatabaseError> {
  return query.then(
    () => {
      throw new Error('it ran');
    },
    (error: pg.DatabaseError) => error,
  );
}
