/** What the process itself takes. Read when somebody asks; between readings only a timer runs. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Meter, Reading } from './meter.ts';

/** A timer this often: what blocks for less is not seen. */
const RESOLUTION_MS = 20;

/** @returns ends it */
export function measureProcess(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const startS = performance.timeOrigin / 1000;
  meter.read(() => {
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    const late = (percentile: number): number => (delay.count === 0 ? 0 : Math.max(0, delay.percentile(percentile) / 1e9 - RESOLUTION_MS / 1000));
    const readings: readonly Reading[] = [
      ['process_resident_memory_bytes', {}, rss],
      ['process_heap_bytes', {}, heapUsed],
      ['process_cpu_seconds', {}, (user + system) / 1e6],
      ['process_start_time_seconds', {}, startS],
      ['interlock_event_loop_delay_seconds', { quantile: '0.5' }, late(50)],
      ['interlock_event_loop_delay_seconds', { quantile: '0.99' }, late(99)],
      ['interlock_event_loop_delay_seconds', { quantile: '1' }, late(100)],
    ];
    delay.reset();
    return readings;
  });
  return () => delay.disable();
}
