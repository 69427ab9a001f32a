/** `interlock up` that says what it costs: `fork(this, [CONFIG], { execArgv: ['--expose-gc'] })`; `look` and `collect` are answered with a `Cost`. */
import { readdirSync } from 'node:fs';
import { loadConfig } from '#engine/config/load';
import { openLog } from '#engine/config/log';
import { up } from '#engine/main';

export interface Cost {
  /** Bytes. */
  readonly heap: number;
  readonly rss: number;
  /** Of the operating system. */
  readonly threads: number;
  /** Waits that end by themselves: each held call is one. */
  readonly waits: number;
}

const running = await up(await loadConfig(process.argv[2] ?? ''), { log: openLog({ level: 'warn', format: 'json', secrets: [] }), version: '0' });

process.on('message', (asked) => {
  if (asked === 'collect') for (let time = 0; time < 2; time++) globalThis.gc?.();
  const { heapUsed: heap, rss } = process.memoryUsage();
  const waits = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const cost: Cost = { heap, rss, threads: readdirSync('/proc/self/task').length, waits };
  process.send?.(cost);
});
process.once('disconnect', () => void running.close());
process.send?.({ targets: running.targets });
await running.finished;
