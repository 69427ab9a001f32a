/** What all rounds apart share: PostgreSQL behind a byte relay, an engine, an enforcer, a nats-server, and valves in the lines between them. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { journalIdIn } from '#engine/journal/journal-id';
import { enrolAll } from '#test/support/enrolled';
import { gatewayConfig } from '#test/support/gateway';
import { somebody, STREAMS, TestNats } from '#test/support/nats';
import { cli } from '#test/support/processes';
import type { Relay } from '#test/support/relay';
import { engineHalf, enforcerHalf, freePort } from '#test/support/shapes';
import { startValve, type Valve } from '#test/support/valve';
import type { Part } from '../gateway.ts';
import { startProcess, type GatewayProcess } from '../process.ts';
import { startTarget } from '../target.ts';

export type Half = 'engine' | 'enforcer';
export type ApartComponent = Half | 'nats';

export interface Place {
  readonly stateDir: string;
  readonly journalDir: string;
}

const policies = fileURLToPath(new URL('../policies', import.meta.url));
const TOKEN_MS_YOUNG = 1_800_000;

export class ApartBed implements AsyncDisposable {
  readonly relay: Relay;
  readonly nextStatement: () => Promise<void>;
  /** Between the enforcer and its engine. */
  readonly channel: Valve;
  readonly nats: TestNats;
  /** Between nats-server and whoever speaks with it. */
  readonly line: Valve;
  readonly places: Readonly<Record<Half, Place>>;
  /** Of the requester, for data. */
  readonly requester: string;
  readonly #files: Readonly<Record<Half, string>>;
  readonly #running = new Map<Half, GatewayProcess>();
  readonly #stack: AsyncDisposableStack;
  #reviewer = { token: '', atMs: -Infinity };

  private constructor(
    parts: Pick<ApartBed, 'relay' | 'nextStatement' | 'channel' | 'nats' | 'line' | 'places' | 'requester'>,
    files: Record<Half, string>,
    stack: AsyncDisposableStack,
  ) {
    ({ relay: this.relay, nextStatement: this.nextStatement, channel: this.channel, places: this.places, requester: this.requester } = parts);
    ({ nats: this.nats, line: this.line } = parts);
    this.#files = files;
    this.#stack = stack;
  }

  static async open(judging: 'local' | 'remote' = 'local'): Promise<ApartBed> {
    await using stack = new AsyncDisposableStack();
    const dir = mkdtempSync(join(tmpdir(), 'interlock-apart-'));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const { relay, upstream, nextStatement } = await startTarget(stack);
    const whole = gatewayConfig({ upstream, policies: { dir: policies }, config: { journal: { dir: join(dir, 'journal'), segment: '1MiB' } } }, dir);
    const port = await freePort();
    const channel = stack.use(await startValve(port));
    const own = join(dir, 'enforcer');
    mkdirSync(own);
    const files = { engine: join(dir, 'interlock.yaml'), enforcer: join(own, 'interlock.yaml') };
    const config = whole as Readonly<Record<string, unknown>>;
    writeFileSync(files.engine, JSON.stringify(engineHalf(config, `127.0.0.1:${port}`)));
    await enrolAll(files.engine, [{ name: 'shop-1', targets: ['shop'], dir: join(own, 'identity') }]);
    const places = {
      engine: { stateDir: join(dir, 'state'), journalDir: join(dir, 'journal') },
      enforcer: { stateDir: join(own, 'state'), journalDir: join(own, 'journal') },
    };
    const who = {
      engine: somebody('engine', 'engine', [journalIdIn(places.engine.journalDir)]),
      enforcer: somebody('enforcer', 'shop-1', [journalIdIn(places.enforcer.journalDir)]),
    };
    const setup = somebody('setup', 'setup');
    const nats = stack.use(await TestNats.start({ grants: [who.engine, who.enforcer, setup] }));
    await nats.setUp(setup);
    const line = stack.use(await startValve(nats.port));
    const natsOf = (half: Half): object => {
      const file = join(dir, `${half}.seed`);
      writeFileSync(file, who[half].seed, { mode: 0o600 });
      return { nats: { servers: [`nats://127.0.0.1:${line.port}`], credentials: { file }, streams: STREAMS } };
    };
    const engines = [`127.0.0.1:${channel.port}`];
    writeFileSync(files.engine, JSON.stringify({ ...engineHalf(config, `127.0.0.1:${port}`), ...natsOf('engine') }));
    writeFileSync(
      files.enforcer,
      JSON.stringify({ ...enforcerHalf(config, 'shop', { engines, dir: own, judging, env: process.env }), ...natsOf('enforcer') }),
    );
    const requester = await mint(files.engine, ['--login', 'alice', '--group', 'clients', '--ttl', '8h']);
    return new ApartBed({ relay, channel, nats, line, places, requester, nextStatement }, files, stack.move());
  }

  /** Starts what does not run, the engine first. @throws Error with what a process said that did not start */
  async whole(part: { readonly half: Half; readonly part: Part } | null = null): Promise<void> {
    this.unshut();
    if (this.nats.pid === -1) await this.nats.start();
    for (const half of ['engine', 'enforcer'] as const) {
      if (this.#running.has(half)) continue;
      const started = await startProcess(this.#files[half], part?.half === half ? part.part : null, half === 'engine' ? half : { enforce: 'shop' });
      this.#running.set(half, started);
      void started.ended.then(() => this.#running.delete(half));
    }
  }

  isRunning(half: Half): boolean {
    return this.#running.has(half);
  }

  running(half: Half): GatewayProcess {
    const found = this.#running.get(half);
    if (found === undefined) throw new Error(`the ${half} does not run`);
    return found;
  }

  /** Shuts the line between enforcer and engine, or that of nats-server, in both directions, as a partition does. */
  shut(valve: Valve): void {
    Object.assign(valve.open, { toServer: false, toClient: false });
  }

  unshut(): void {
    for (const valve of [this.channel, this.line]) Object.assign(valve.open, { toServer: true, toClient: true });
  }

  /** kill -9, and until it is gone. */
  async kill(half: Half): Promise<void> {
    const found = this.#running.get(half);
    found?.signal('SIGKILL');
    await found?.ended;
  }

  url(): string {
    return `postgresql://alice:${this.requester}@${this.running('enforcer').address}/postgres`;
  }

  /** A verdict needs a token at most an hour old (A4). */
  async reviewer(): Promise<string> {
    if (performance.now() - this.#reviewer.atMs > TOKEN_MS_YOUNG) {
      const asked = ['--login', 'bob', '--group', 'reviewers', '--scope', 'approve', '--ttl', '1h'];
      this.#reviewer = { token: await mint(this.#files.engine, asked), atMs: performance.now() };
    }
    return this.#reviewer.token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const half of ['enforcer', 'engine'] as const) await this.kill(half);
    await this.#stack.disposeAsync();
  }
}

async function mint(file: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'token', ...args, '-c', file]);
  return stdout.trim();
}
