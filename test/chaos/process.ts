/** The gateway as a process of its own that can be killed, stopped and told to fail. */
import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Ready } from '#test/support/gateway';
import type { Half, Part, Told } from './gateway.ts';

export interface GatewayProcess {
  readonly ready: Ready;
  readonly address: string;
  log(): string;
  /** To the file layer of part `faulty`, or to the clock of part `jumping`. */
  tell(what: Told): void;
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void;
  /** The exit code, or the signal's name. */
  readonly ended: Promise<number | string>;
}

const cli = fileURLToPath(new URL('../../engine/cli/main.ts', import.meta.url));
const chaos = fileURLToPath(new URL('./gateway.ts', import.meta.url));
/** A quarter of a start is reading the same sources again; whoever ends by SIGTERM leaves them here for the next. */
const NODE_COMPILE_CACHE = fileURLToPath(new URL('../../node_modules/.cache/interlock-chaos', import.meta.url));

/** The published command when `part` is null, else test/chaos/gateway.ts. */
export async function startProcess(configFile: string, part: Part | null, half: Half = 'up'): Promise<GatewayProcess> {
  const command = typeof half === 'string' ? [half] : ['enforce', half.enforce];
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  const env = { ...process.env, NODE_COMPILE_CACHE };
  const child =
    part === null
      ? spawn(process.execPath, [cli, ...command, '-c', configFile, '--json'], { stdio, env })
      : fork(chaos, [configFile, part, command.at(-1) as string], { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], execArgv: [], env });
  const reap = (): void => void child.kill('SIGKILL');
  process.once('exit', reap);
  const log: string[] = [];
  child.stderr?.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  const ended = once(child, 'exit').then(([code, signal]: unknown[]) => {
    process.off('exit', reap);
    return (code ?? signal) as number | string;
  });
  const ready = await readyLine(child, ended, log);
  return {
    ready,
    address: ready.targets['shop']?.address ?? '',
    log: () => log.join(''),
    tell: (what) => void child.send(what),
    signal: (name) => void child.kill(name),
    ended,
  };
}

async function readyLine(child: ChildProcess, ended: Promise<number | string>, log: readonly string[]): Promise<Ready> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const tooSoon = ended.then((how) => {
    throw new Error(`the gateway ended with ${how} before it was ready:\n${log.join('')}`);
  });
  tooSoon.catch(() => {}); // only the race is asked
  const [line] = (await Promise.race([once(lines, 'line'), tooSoon])) as [string];
  lines.on('line', () => {});
  const said = JSON.parse(line) as Partial<Ready>;
  // a start that is refused is a document too
  if (said.ready !== true) throw new Error(`${line}\n${log.join('')}`);
  return said as Ready;
}
