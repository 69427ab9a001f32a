/** A folder that goes with whoever opened it: at the latest with the process, even where a signal ends it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const open = new Set<string>();

/** `await using` removes it. */
export class TemporaryFolder {
  readonly path: string;

  constructor(prefix: string) {
    if (open.size === 0) watch();
    this.path = mkdtempSync(join(tmpdir(), prefix));
    open.add(this.path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
    open.delete(this.path);
    if (open.size === 0) unwatch();
  }
}

function watch(): void {
  process.on('exit', sweep);
  for (const signal of ENDING) process.on(signal, end);
}

function unwatch(): void {
  process.off('exit', sweep);
  for (const signal of ENDING) process.off(signal, end);
}

/** By listening we keep the signal from ending the process, which it then still has to. */
function end(signal: NodeJS.Signals): void {
  // somebody else listens, and sees to the end, or there is none
  if (process.listenerCount(signal) > 1) return;
  sweep();
  unwatch();
  process.kill(process.pid, signal);
}

function sweep(): void {
  for (const path of open) {
    try {
      rmSync(path, { recursive: true, force: true, maxRetries: 3 });
    } catch {
      // the process ends all the same
    }
  }
}
