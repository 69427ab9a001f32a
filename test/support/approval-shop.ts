/** A shop in production under the shipped policies: real server, real gateway, real tokens. Alice may write once bob or carol agrees. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import pg from 'pg';
import { expect, vi } from 'vitest';
import type { ApprovalView } from '#schemas/approval';
import { JournalReader } from '#engine/journal/reader';
import type { Event } from '#schemas/event';
import { type Gateway, type GatewayOptions, startGateway, type TokenOptions } from './gateway.ts';
import { roomInMemory } from './memory.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { PRODUCTION_DATA } from './production.ts';
import { type Relay, startRelay } from './relay.ts';
import type { Shape } from './shapes.ts';

export const alice: TokenOptions = { login: 'alice', groups: ['support'] };
export const bob: TokenOptions = { login: 'bob', groups: ['owners'], scope: 'approve' };

export interface Shop extends AsyncDisposable {
  readonly server: PostgresServer;
  /** Before the server: what reached it. */
  readonly relay: Relay;
  readonly dir: string;
  readonly gateway: Gateway;
  /** What psql, pgbench and psycopg read. */
  environment(who?: TokenOptions): Promise<NodeJS.ProcessEnv>;
  client(who?: TokenOptions, database?: string): Promise<pg.Client>;
  /** Made once for each holder, so that tests do not wait for it. */
  token(who: TokenOptions): Promise<string>;
  call(who: TokenOptions, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: unknown }>;
  list(): Promise<readonly ApprovalView[]>;
  show(id: string): Promise<ApprovalView>;
  /** Waits for the one open request with this in its text. */
  opened(text: string): Promise<ApprovalView>;
  verdict(id: string, outcome: 'approve' | 'deny', comment?: string): Promise<ApprovalView>;
  events(): Promise<readonly Event[]>;
  /** `payments.n` of a row: how often its UPDATE ran. */
  n(id: number): Promise<number>;
  /** Ends the gateway with a signal, unless it has ended already, and starts it again on the same folder. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>;
}

export async function startShop(
  more: {
    readonly policies?: (dir: string) => GatewayOptions['policies'];
    readonly approvals?: object;
    readonly config?: object;
    readonly target?: object;
    readonly shape?: Shape;
  } = {},
): Promise<Shop> {
  const dir = mkdtempSync(join(roomInMemory(), 'interlock-shop-'));
  const server = await startPostgres({ major: 15 });
  for (const database of ['shop', 'other']) {
    await server.query(`CREATE DATABASE ${database}`);
    await server.query('CREATE TABLE payments (id int PRIMARY KEY, n int NOT NULL, note text)', database);
    await server.query('INSERT INTO payments SELECT i, 0 FROM generate_series(1, 100) i', database);
  }
  const relay = await startRelay(server);
  writeFileSync(join(dir, 'data.yaml'), PRODUCTION_DATA);
  const { host, port, user, password } = { ...server, port: relay.port };
  const options: GatewayOptions = {
    dir,
    upstream: { host, port, user, password, database: 'shop' },
    policies: more.policies?.(dir) ?? { dir: join(import.meta.dirname, '..', '..', 'policies'), data: [join(dir, 'data.yaml')] },
    target: { env: 'production', upstream: { host, port, databases: ['shop', 'other'], tls: { mode: 'off' } }, ...more.target },
    config: { approvals: { wait: '1m', ...more.approvals }, ...more.config },
    ...(more.shape === undefined ? {} : { shape: more.shape }),
  };
  let gateway = await startGateway(options);
  const tokens = new Map<string, Promise<string>>();
  const token: Shop['token'] = (who) => {
    const key = JSON.stringify(who);
    const made = tokens.get(key) ?? gateway.token(who);
    tokens.set(key, made);
    return made;
  };
  const call: Shop['call'] = async (who, path, body) => {
    const response = await fetch(new URL(path, gateway.ready.api), {
      method: body === undefined ? 'GET' : 'POST',
      headers: { authorization: `Bearer ${await token(who)}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: response.headers.get('content-type')?.includes('ndjson') ? text : JSON.parse(text) };
  };
  const document = async <T>(path: string, body?: unknown): Promise<T> => {
    const answer = await call(bob, path, body);
    expect(answer).toMatchObject({ status: 200 });
    return answer.body as T;
  };
  const list: Shop['list'] = () => document('/v1/approvals');
  const opened: Shop['opened'] = async (text) => {
    let found: readonly ApprovalView[] = [];
    const look = async (): Promise<number> => {
      found = (await list()).filter((view) => view.state === 'open' && view.payload_text.includes(text));
      return found.length;
    };
    await vi.waitFor(async () => expect(await look()).toBe(1), { timeout: 30_000, interval: 20 });
    return found[0] as ApprovalView;
  };
  const shop: Shop = {
    server,
    relay,
    dir,
    get gateway() {
      return gateway;
    },
    token,
    call,
    list,
    opened,
    show: (id) => document(`/v1/approvals/${id}`),
    verdict: (id, outcome, comment) => document(`/v1/approvals/${id}/verdict`, comment === undefined ? { outcome } : { outcome, comment }),
    events: async () => {
      const told = ((await call(bob, '/v1/events')).body as string)
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as Event);
      // apart, statements stand in the enforcer's journal
      return gateway.engine === null ? told : [...told, ...(await eventsIn(gateway.ready.journal))].toSorted((a, b) => (a.time < b.time ? -1 : 1));
    },
    n: async (id) => (await server.query<{ n: number }>(`SELECT n FROM payments WHERE id = ${id}`, 'shop')).rows[0]?.n ?? -1,
    environment: async (who = alice) => ({
      ...process.env,
      PGHOST: gateway.host,
      PGPORT: String(gateway.port),
      PGUSER: who.login,
      PGPASSWORD: await token(who),
      PGDATABASE: 'shop',
      PGSSLMODE: 'disable',
    }),
    client: async (who = alice, database = 'shop') => {
      const { host: at, port: on } = gateway;
      const client = new pg.Client({ host: at, port: on, user: who.login, password: await token(who), database });
      client.on('error', () => {}); // a gateway that ends while the client waits; the query says so too
      await client.connect();
      return client;
    },
    restart: async (signal) => {
      await gateway.end(signal);
      gateway = await startGateway(options);
    },
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      await relay.stop();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
  return shop;
}

/** What is on the disk. */
async function eventsIn(dir: string): Promise<Event[]> {
  await using reader = new JournalReader(dir);
  const events: Event[] = [];
  for await (const event of reader.read()) events.push(event);
  return events;
}

/** Ordinary clients that a machine may lack; `npm test` says which tests it skipped. */
export function installed(program: 'psql' | 'pgbench' | 'python3'): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** What a query was refused with; a query that ran is an error of the test. */
export async function refusalOf(query: Promise<pg.QueryResult>): Promise<pg.DatabaseError> {
  const { promise, resolve, reject } = Promise.withResolvers<pg.DatabaseError>();
  query.then((result) => reject(new Error(`it ran: ${result.command}`)), resolve);
  return promise;
}

/** To leave without a word. */
export function socketOf(client: pg.Client): Socket {
  return (client as unknown as { readonly connection: { readonly stream: Socket } }).connection.stream;
}
