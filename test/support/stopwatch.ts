/** Time as a test may hold somebody to it on a machine that does other things too. Speed itself is measured in test/bench, never in a test. */
import { performance } from 'node:perf_hooks';

const TICK_MS = 10;
/** Timers are never quite in time. */
const SLACK_MS = 3;

export interface Stopwatch extends Disposable {
  /** Milliseconds since it was started, less those in which this thread wanted a processor and got none: others that are tested had none then either. */
  ms(): number;
}

/** For what must come within a time that is promised: “within a second”. */
export function stopwatch(): Stopwatch {
  const started = performance.now();
  let last = { at: started, cpu: threadMs() };
  let kept = 0;
  const look = (): void => {
    const now = { at: performance.now(), cpu: threadMs() };
    const waited = now.at - last.at - TICK_MS - (now.cpu - last.cpu);
    if (waited > SLACK_MS) kept += waited;
    last = now;
  };
  const timer = setInterval(look, TICK_MS).unref();
  const stop = (): void => clearInterval(timer);
  return {
    ms: () => {
      look();
      return performance.now() - started - kept;
    },
    [Symbol.dispose]: stop,
  };
}

/** What a computation takes of this thread's processor time, milliseconds: for what must not be quadratic. */
export function cpuMs(work: () => unknown): number {
  return cost(work).ms;
}

/** The same, with what came of it. */
export function cost<T>(work: () => T): { readonly result: T; readonly ms: number } {
  const before = threadMs();
  const result = work();
  return { result, ms: threadMs() - before };
}

function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
