/** One shop, two engines, one NATS: real processes of each. The enforcer knows both engines. */
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { ApprovalView } from '#schemas/approval';
import { journalIdIn } from '#engine/journal/journal-id';
import { enrolAll } from './enrolled.ts';
import { gatewayConfig, type TokenOptions } from './gateway.ts';
import { roomInMemory } from './memory.ts';
import { mint } from './minted.ts';
import { type Somebody, somebody, STREAMS, TestNats, until } from './nats.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { PRODUCTION_DATA } from './production.ts';
import { type Running, startProcess } from './processes.ts';
import { engineHalf, enforcerHalf, freePort } from './shapes.ts';

export interface EngineSeat {
  readonly name: string;
  readonly configFile: string;
  readonly channel: string;
  process: Running;
}

export class SharedGateway implements AsyncDisposable {
  readonly dir: string;
  readonly nats: TestNats;
  readonly server: PostgresServer;
  readonly engines: EngineSeat[] = [];
  enforcer: Running | null = null;
  readonly #tokens = new Map<string, Promise<string>>();
  readonly #first: string;

  private constructor(dir: string, nats: TestNats, server: PostgresServer, first: string) {
    this.#first = first;
    this.dir = dir;
    this.nats = nats;
    this.server = server;
  }

  static async start(names: readonly string[] = ['one', 'two'], approvals: object = {}): Promise<SharedGateway> {
    const dir = mkdtempSync(join(roomInMemory(), 'interlock-shared-'));
    const who = names.map((name) => somebody('engine', name, [journalIdIn(join(dir, name, 'journal'))]));
    const enforcer = somebody('enforcer', 'shop-1', [journalIdIn(join(dir, 'enforcer', 'journal'))]);
    const setup = somebody('setup', 'setup');
    const [nats, server] = await Promise.all([TestNats.start({ grants: [...who, enforcer, setup] }), startPostgres({ major: 15 })]);
    const gateway = new SharedGateway(dir, nats, server, names[0] ?? '');
    await nats.setUp(setup);
    await server.query('CREATE DATABASE shop');
    await server.query('CREATE TABLE payments (id int PRIMARY KEY, n int NOT NULL)', 'shop');
    await server.query('INSERT INTO payments SELECT i, 0 FROM generate_series(1, 100) i', 'shop');
    const channels = await Promise.all(names.map(async () => `127.0.0.1:${await freePort()}`));
    const configs = names.map((name, i) => gateway.#engineConfig(name, channels[i] as string, who[i] as Somebody, approvals));
    await gateway.#enrol(names, configs, channels, enforcer);
    for (const [i, name] of names.entries()) {
      const configFile = join(dir, name, 'interlock.yaml');
      gateway.engines.push({ name, configFile, channel: channels[i] as string, process: await startProcess(['engine', '-c', configFile]) });
    }
    await gateway.enforce();
    return gateway;
  }

  #engineConfig(name: string, channel: string, { seed }: Somebody, approvals: object): object {
    const own = join(this.dir, name);
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'seed'), seed, { mode: 0o600 });
    writeFileSync(join(own, 'data.yaml'), PRODUCTION_DATA);
    const { host, port, user, password } = this.server;
    const config = gatewayConfig(
      {
        upstream: { host, port, user, password, database: 'shop' },
        policies: { dir: join(import.meta.dirname, '..', '..', 'policies'), data: [join(own, 'data.yaml')] },
        target: { env: 'production' },
        config: {
          approvals: { wait: '30s', ...approvals },
          operations: { listen: 'off' },
          api: { listen: '127.0.0.1:0', admins: ['admins'] },
          // as the streams of the tests are set up
          nats: { servers: [this.nats.url], credentials: { file: join(own, 'seed') }, streams: STREAMS, duplicate_window: '1h' },
        },
      },
      own,
    );
    const half = engineHalf(config as Readonly<Record<string, unknown>>, channel);
    writeFileSync(join(own, 'interlock.yaml'), JSON.stringify(half, null, 2));
    return config;
  }

  /** The operator copies the keys of the installation; a journal's own key is its own. */
  async #enrol(names: readonly string[], configs: readonly object[], channels: readonly string[], { seed }: Somebody): Promise<void> {
    const [first = '', ...others] = names;
    const dir = join(this.dir, 'enforcer');
    await enrolAll(join(this.dir, first, 'interlock.yaml'), [{ name: 'shop-1', targets: ['shop'], dir: join(dir, 'identity') }]);
    await this.token({ login: 'alice', groups: ['support'] }); // makes the key of the local issuer
    for (const name of others) {
      mkdirSync(join(this.dir, name, 'state'), { mode: 0o700 });
      for (const part of ['keys', 'issuer']) {
        const filter = (source: string): boolean => !source.includes('checkpoint');
        cpSync(join(this.dir, first, 'state', part), join(this.dir, name, 'state', part), { recursive: true, filter });
      }
    }
    writeFileSync(join(dir, 'seed'), seed, { mode: 0o600 });
    const nats = { servers: [this.nats.url], credentials: { file: join(dir, 'seed') }, streams: STREAMS };
    const config = { ...configs[0], nats } as Readonly<Record<string, unknown>>;
    writeFileSync(
      join(dir, 'interlock.yaml'),
      JSON.stringify(enforcerHalf(config, 'shop', { engines: channels, dir, judging: 'local', env: process.env }), null, 2),
    );
  }

  async enforce(): Promise<void> {
    this.enforcer = await startProcess(['enforce', 'shop', '-c', join(this.dir, 'enforcer', 'interlock.yaml')]);
  }

  engine(name: string): EngineSeat {
    return this.engines.find((one) => one.name === name) as EngineSeat;
  }

  async again(name: string): Promise<void> {
    const seat = this.engine(name);
    seat.process = await startProcess(['engine', '-c', seat.configFile]);
  }

  token(who: TokenOptions): Promise<string> {
    const key = JSON.stringify(who);
    const made = this.#tokens.get(key) ?? mint(join(this.dir, this.#first, 'interlock.yaml'), who);
    this.#tokens.set(key, made);
    return made;
  }

  async client(who: TokenOptions): Promise<pg.Client> {
    const [host, port] = (this.enforcer?.ready.targets['shop']?.address ?? '').split(':');
    const client = new pg.Client({ host: host ?? '', port: Number(port), user: who.login, password: await this.token(who), database: 'shop' });
    client.on('error', () => {}); // a killed enforcer ends its clients
    await client.connect();
    return client;
  }

  async call(
    engine: string,
    who: TokenOptions,
    path: string,
    body?: unknown,
    method: string = body === undefined ? 'GET' : 'POST',
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    const answer = await fetch(`${this.engine(engine).process.ready.api}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { authorization: `Bearer ${await this.token(who)}`, 'content-type': 'application/json' },
    });
    return { status: answer.status, body: await answer.json() };
  }

  /** The open requests as an engine sees them. */
  async open(engine: string, who: TokenOptions): Promise<readonly ApprovalView[]> {
    const { body } = await this.call(engine, who, '/v1/approvals?state=open');
    return (body as { readonly items?: readonly ApprovalView[] }).items ?? (body as readonly ApprovalView[]);
  }

  /** Waits for the open request with this in its text. */
  async opened(engine: string, who: TokenOptions, text: string): Promise<ApprovalView> {
    let found: ApprovalView | undefined;
    await until(async () => {
      found = (await this.open(engine, who)).find(({ payload_text: shown }) => shown.includes(text));
      return found !== undefined;
    });
    return found as ApprovalView;
  }

  /** @returns the status of the answer */
  async verdict(
    engine: string,
    who: TokenOptions,
    { approval_id: id, payload_digest: digest }: ApprovalView,
    outcome: 'approve' | 'deny' = 'approve',
  ): Promise<number> {
    return (await this.call(engine, who, `/v1/approvals/${id}/verdict`, { outcome, seen: digest })).status;
  }

  /** How often the payment was changed. */
  async n(id: number): Promise<number> {
    const { rows } = await this.server.query(`SELECT n FROM payments WHERE id = ${id}`, 'shop');
    return (rows[0] as { readonly n: number }).n;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.enforcer?.end('SIGKILL');
    await Promise.all(this.engines.map(({ process: engine }) => engine.end('SIGKILL')));
    await this.nats[Symbol.asyncDispose]();
    await this.server.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
