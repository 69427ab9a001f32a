/** `interlock up` in the demo's folder, its log beside it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const cli = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'engine', 'cli', 'main.ts');

/** Resolves once it accepts; rejects with its log if it ends before. */
export async function launchGateway(dir: string): Promise<{ stop(): Promise<void> }> {
  const logFile = join(dir, 'gateway.log');
  const child = spawn(process.execPath, [cli, 'up', '--json'], { cwd: dir, stdio: ['ignore', 'pipe', openSync(logFile, 'a')] });
  process.once('exit', () => child.kill('SIGKILL'));
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`interlock up ended with ${String(code)}:\n${readFileSync(logFile, 'utf8')}`);
  });
  const [line] = (await Promise.race([once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line'), ended])) as [string];
  if (!line.startsWith('{"ready":true')) await ended; // it said why not, and goes
  ended.catch(() => {});
  return {
    async stop() {
      if (child.exitCode !== null) return;
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}
