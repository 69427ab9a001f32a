/** What changes, as it changes (`/v1/live`, server-sent events). Whoever hears of something asks again for what they show. */
import { useEffect, useEffectEvent, useSyncExternalStore } from 'react';
import type { LiveEvent } from '#schemas/review';

/** `again`: the stream was away for a while, and anything may have changed. */
export type News = LiveEvent | { readonly kind: 'again' };
export type LiveState = 'connecting' | 'live' | 'away';

const RETRY_MS = { first: 500, max: 15_000 };

const listeners = new Set<(news: News) => void>();
const watchers = new Set<() => void>();
let state: LiveState = 'connecting';
let source: EventSource | null = null;
let retry: ReturnType<typeof setTimeout> | undefined;
/** A stream of ours that is new does not know where the former one ended. */
let missed = false;
let waitMs = RETRY_MS.first;

/** Once, after login. A browser resumes by itself where the stream broke; one that was refused it gives up, and this does not. */
export function startLive(): void {
  if (source !== null) return;
  clearTimeout(retry);
  source = new EventSource('/v1/live');
  source.addEventListener('open', () => {
    waitMs = RETRY_MS.first;
    if (missed) tell({ kind: 'again' });
    missed = false;
    become('live');
  });
  source.addEventListener('change', ({ data }: MessageEvent<string>) => tell(JSON.parse(data) as LiveEvent));
  source.addEventListener('refetch', () => tell({ kind: 'again' }));
  source.addEventListener('error', () => {
    become('away');
    if (source?.readyState === EventSource.CLOSED) startAgain();
  });
}

export function stopLive(): void {
  clearTimeout(retry);
  source?.close();
  source = null;
}

export function useLive(listener: (news: News) => void): void {
  const hear = useEffectEvent(listener);
  useEffect(() => {
    const mine = (news: News): void => hear(news);
    listeners.add(mine);
    return () => void listeners.delete(mine);
  }, []);
}

export function useLiveState(): LiveState {
  return useSyncExternalStore(
    (changed) => {
      watchers.add(changed);
      return () => void watchers.delete(changed);
    },
    () => state,
  );
}

function startAgain(): void {
  stopLive();
  missed = true;
  retry = setTimeout(startLive, waitMs * (0.5 + Math.random() / 2));
  waitMs = Math.min(waitMs * 2, RETRY_MS.max);
}

function become(next: LiveState): void {
  state = next;
  for (const changed of watchers) changed();
}

function tell(news: News): void {
  for (const listener of listeners) listener(news);
}
