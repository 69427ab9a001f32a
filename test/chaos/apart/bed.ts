/** What all rounds apart share: PostgreSQL behind a byte relay, an engine, an enforcer, a nats-server, and valves in the lines between them. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Position } from '#client/journal';
import { journalIdIn } from '#engine/journal/journal-id';
import { enrolAll } from '#test/support/enrolled';
import { gatewayConfig } from '#test/support/gateway';
import { somebody, STREAMS, TestNats } from '#test/support/nats';
import { cli } from '#test/support/processes';
import type { PostgresServer } from '#test/support/postgres';
import type { Relay } from '#test/support/relay';
import { engineHalf, enforcerHalf, freePort } from '#test/support/shapes';
import { startValve, type Valve } from '#test/support/valve';
import type { Part } from '../gateway.ts';
import { diskImage, type DiskImage } from '../image.ts';
import { startProcess, type GatewayProcess } from '../process.ts';
import { startTarget } from '../target.ts';
import { after } from '../under-load.ts';

export type Half = 'engine' | 'enforcer';
export type ApartComponent = Half | 'nats';

export interface Place {
  readonly stateDir: string;
  readonly journalDir: string;
}

const policies = fileURLToPath(new URL('../policies', import.meta.url));
const TOKEN_MS_YOUNG = 1_800_000;
/** Most of it is never written; nats-server reserves what its streams may grow to. */
const DISK_BYTES = 4 * 2 ** 30;
const ENDED_MS = 5_000;

export interface BedOptions {
  readonly judging?: 'local' | 'remote';
  /** The part that gets a disk of its own, to lose its power. */
  readonly powered?: ApartComponent | null;
}

/** A half that is built otherwise than the published command. */
export interface Built {
  readonly half: Half;
  readonly part: Part;
}

export class ApartBed implements AsyncDisposable {
  readonly server: PostgresServer;
  readonly relay: Relay;
  readonly nextStatement: () => Promise<void>;
  /** Between the enforcer and the target's relay. */
  readonly upstream: Valve;
  /** Between the enforcer and its engine. */
  readonly channel: Valve;
  readonly nats: TestNats;
  /** Between nats-server and whoever speaks with it. */
  readonly line: Valve;
  readonly places: Readonly<Record<Half, Place>>;
  /** Of the requester, for data. */
  readonly requester: string;
  /** Of one part alone, which can lose its power; null: nobody's, or this machine cannot mount one. */
  readonly disk: DiskImage | null;
  /** How far each journal was read by the rounds before. */
  readonly read: Record<Half, Position> = { engine: -1, enforcer: -1 };
  readonly #files: Readonly<Record<Half, string>>;
  readonly #running = new Map<Half, GatewayProcess & { readonly part: Part | null }>();
  readonly #stack: AsyncDisposableStack;
  #told: Pick<GatewayProcess, 'log'>[] = [];
  #reviewer = { token: '', atMs: -Infinity };

  private constructor(
    parts: Pick<ApartBed, 'server' | 'relay' | 'nextStatement' | 'upstream' | 'channel' | 'nats' | 'line' | 'places' | 'requester' | 'disk'>,
    files: Record<Half, string>,
    stack: AsyncDisposableStack,
  ) {
    ({ relay: this.relay, nextStatement: this.nextStatement, channel: this.channel, places: this.places, requester: this.requester } = parts);
    ({ server: this.server, nats: this.nats, line: this.line, upstream: this.upstream, disk: this.disk } = parts);
    this.#files = files;
    this.#stack = stack;
  }

  static async open({ judging = 'local', powered = null }: BedOptions = {}): Promise<ApartBed> {
    await using stack = new AsyncDisposableStack();
    const dir = mkdtempSync(join(tmpdir(), 'interlock-apart-'));
    stack.defer(() => rmSync(dir, { recursive: true, force: true }));
    const disk = powered === null ? null : diskImage(DISK_BYTES);
    if (disk) stack.use(disk);
    const homeOf = (part: ApartComponent): string => {
      const home = disk !== null && part === powered ? disk.path : join(dir, part);
      mkdirSync(home, { recursive: true });
      return home;
    };
    const { server, relay, upstream: at, nextStatement } = await startTarget(stack);
    const upstream = stack.use(await startValve(at.port));
    const home = homeOf('engine');
    const journal = { dir: join(home, 'journal'), segment: '1MiB' };
    const whole = gatewayConfig({ upstream: { ...at, port: upstream.port }, policies: { dir: policies }, config: { journal } }, home);
    const port = await freePort();
    const channel = stack.use(await startValve(port));
    const own = homeOf('enforcer');
    const files = { engine: join(home, 'interlock.yaml'), enforcer: join(own, 'interlock.yaml') };
    const config = whole as Readonly<Record<string, unknown>>;
    writeFileSync(files.engine, JSON.stringify(engineHalf(config, `127.0.0.1:${port}`)));
    await enrolAll(files.engine, [{ name: 'shop-1', targets: ['shop'], dir: join(own, 'identity') }]);
    const places = {
      engine: { stateDir: join(home, 'state'), journalDir: join(home, 'journal') },
      enforcer: { stateDir: join(own, 'state'), journalDir: join(own, 'journal') },
    };
    const who = {
      engine: somebody('engine', 'engine', [journalIdIn(places.engine.journalDir)]),
      enforcer: somebody('enforcer', 'shop-1', [journalIdIn(places.enforcer.journalDir)]),
    };
    const setup = somebody('setup', 'setup');
    const nats = stack.use(await TestNats.start({ grants: [who.engine, who.enforcer, setup], dir: homeOf('nats') }));
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
    disk?.keep();
    return new ApartBed({ server, relay, upstream, channel, nats, line, places, requester, nextStatement, disk }, files, stack.move());
  }

  /**
   * Starts what does not run, the engine first; a half that runs otherwise than asked is ended for it.
   * @param built null: whatever is to be started is the published command, and what runs may stay
   * @throws Error with what a process said that did not start
   */
  async whole(built: Built | null = null): Promise<void> {
    this.unshut();
    if (built !== null && this.#running.get(built.half)?.part !== built.part) await this.kill(built.half);
    if (this.nats.pid === -1) await this.nats.start();
    for (const half of ['engine', 'enforcer'] as const) {
      if (this.#running.has(half)) continue;
      const part = built?.half === half ? built.part : null;
      const started = await startProcess(this.#files[half], part, half === 'engine' ? half : { enforce: 'shop' });
      this.#running.set(half, { ...started, part });
      this.#told.push(started);
      void started.ended.then(() => this.#running.delete(half));
    }
  }

  /** What its processes wrote to their logs, and what nats-server did; those that have ended are told once. */
  takeLogs(): readonly string[] {
    const told = [...this.#told.map((process) => process.log()), this.nats.output];
    this.#told = [...this.#running.values()];
    return told;
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

  /**
   * What it had not synced is gone. Without a disk of its own it was started as the part that keeps that in its memory, and is killed.
   * @param still what it had sent has arrived when it resolves; it stands still meanwhile
   */
  async cutPower(component: ApartComponent, still: () => Promise<void>): Promise<void> {
    if (component === 'nats') await this.nats.freeze();
    else this.running(component).signal('SIGSTOP');
    await still();
    const end = (): Promise<void> => (component === 'nats' ? this.nats.stop() : this.kill(component));
    await (this.disk === null ? end() : this.disk.lose(end));
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

  /** In good order, so that what was compiled stays for the next bed. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const half of ['enforcer', 'engine'] as const) {
      const found = this.#running.get(half);
      found?.signal('SIGTERM');
      await Promise.race([found?.ended, after(ENDED_MS, null)]);
      await this.kill(half);
    }
    await this.#stack.disposeAsync();
  }
}

async function mint(file: string, args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [cli, 'token', ...args, '-c', file]);
  return stdout.trim();
}
