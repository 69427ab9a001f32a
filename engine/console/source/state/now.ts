/** A clock that ticks for whoever shows a time. */
import { useSyncExternalStore } from 'react';

const TICK_MS = 1000;
const watchers = new Set<() => void>();
let nowMs = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;

/** Now, to the whole `stepMs`: a line that shows minutes is not drawn each second. */
export function useNow(stepMs: number): number {
  return useSyncExternalStore(watch, () => Math.floor(nowMs / stepMs) * stepMs);
}

function watch(changed: () => void): () => void {
  watchers.add(changed);
  timer ??= setInterval(tick, TICK_MS);
  return () => {
    watchers.delete(changed);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function tick(): void {
  nowMs = Date.now();
  for (const changed of watchers) changed();
}
