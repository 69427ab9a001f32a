import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { quantile } from './pgbench.ts';

/** What one durable record costs on this disk: the floor of every added latency. Microseconds. */
export function fdatasync(dir: string): { readonly p50: number; readonly p99: number } {
  const file = join(dir, 'fdatasync-probe');
  const fd = openSync(file, 'w');
  writeSync(fd, Buffer.alloc(1 << 20));
  fdatasyncSync(fd);
  const times = new Float64Array(300);
  for (let index = 0; index < times.length; index++) {
    writeSync(fd, Buffer.alloc(300, index), 0, 300, index * 300);
    const started = performance.now();
    fdatasyncSync(fd);
    times[index] = Math.round((performance.now() - started) * 1000);
  }
  closeSync(fd);
  rmSync(file);
  times.sort();
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
