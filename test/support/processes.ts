/** The command in a process of its own, until it is ready, and until it is not. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root: string = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const cli: string = join(root, 'engine', 'cli', 'main.ts');

/** The `--ready` document of SURFACE.md. */
export interface Ready {
  readonly ready: true;
  readonly pid: number;
  readonly revision: string;
  readonly api: string;
  readonly channel?: string;
  readonly targets: Readonly<Record<string, { readonly protocol: string; readonly address: string }>>;
  readonly journal: string;
  readonly public_key: string;
}

export interface Running {
  readonly ready: Ready;
  readonly process: ChildProcess;
  /** Everything on stderr so far. */
  log(): string;
  /** And waits until it is gone. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/** Resolves once every listener accepts; rejects with what the command said if it ends before. */
export async function startProcess(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<Running> {
  const child = spawn(process.execPath, [cli, ...args, '--json'], { stdio: ['ignore', 'pipe', 'pipe'], env });
  const reap = (): void => void child.kill('SIGKILL');
  process.once('exit', reap);
  child.once('exit', () => process.off('exit', reap));
  const log: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => log.push(chunk.toString()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  };
  const ready = await readyLine(child, args, log);
  return { ready, process: child, log: () => log.join(''), end };
}

async function readyLine(child: ChildProcess, args: readonly string[], log: readonly string[]): Promise<Ready> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`interlock ${args[0] ?? ''} ended with ${String(code)} before it was ready:\n${log.join('')}`);
  });
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  if (!line.startsWith('{"ready":true')) await ended; // the error is told there too
  ended.catch(() => {});
  return JSON.parse(line) as Ready;
}
