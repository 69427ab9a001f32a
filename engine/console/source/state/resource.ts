/** What a page shows, fetched, kept while it is fetched again, and fetched again when it changed. */
import { useCallback, useEffect, useEffectEvent, useRef, useState } from 'react';
import { asCallError, type CallError } from '../api/call.ts';
import { type News, useLive } from '../api/live.ts';

export interface Resource<T> {
  readonly data: T | null;
  readonly error: CallError | null;
  readonly reload: () => void;
}

export interface Wanted<T> {
  /** Another key is another thing: what is shown of the former goes. */
  readonly key: string;
  /** `refreshes`: it was shown before, and is asked for again because it changed. */
  readonly load: (signal: AbortSignal, refreshes: boolean) => Promise<T>;
  /** Whether this news concerns it. */
  readonly concerns?: (news: News) => boolean;
  /** Shown at once when one comes back to it, then fetched again. Not for what is large, or whose reading is recorded. */
  readonly keep?: boolean;
}

/** News may come by the thousand: so much time lies between two fetches of the same thing. */
const GAP_MS = 300;
const RETRY_MS = 3000;
const KEPT_MAX = 30;
const kept = new Map<string, unknown>();

export function useResource<T>({ key, load, concerns = () => false, keep = false }: Wanted<T>): Resource<T> {
  const [shown, setShown] = useState<{ readonly key: string; readonly data: T | null; readonly error: CallError | null }>(() => first<T>(key));
  const asked = useRef<(now: boolean) => void>(() => {});
  const fetch = useEffectEvent(load);

  useEffect(() => {
    const control = new AbortController();
    let isLoading = false;
    let again = false;
    let isShown = false;
    let gap: ReturnType<typeof setTimeout> | undefined;
    const run = async (): Promise<void> => {
      isLoading = true;
      again = false;
      let gapMs = GAP_MS;
      try {
        const data = await fetch(control.signal, isShown);
        if (control.signal.aborted) return;
        isShown = true;
        if (keep) remember(key, data);
        setShown({ key, data, error: null });
      } catch (error) {
        if (control.signal.aborted) return;
        const failure = asCallError(error);
        setShown((before) => ({ key, data: before.key === key ? before.data : null, error: failure }));
        if (failure.code === 'UNREACHABLE' || failure.status === 503) {
          again = true;
          gapMs = RETRY_MS;
        }
      }
      isLoading = false;
      gap = setTimeout(() => {
        gap = undefined;
        if (again) void run();
      }, gapMs);
    };
    asked.current = (now) => {
      if (isLoading || (gap !== undefined && !now)) return void (again = true);
      clearTimeout(gap);
      gap = undefined;
      void run();
    };
    void run();
    return () => {
      control.abort();
      clearTimeout(gap);
    };
  }, [key, keep]);

  useLive((news) => {
    if (news.kind === 'again' || concerns(news)) asked.current(false);
  });
  const reload = useCallback(() => asked.current(true), []);
  const now = shown.key === key ? shown : first<T>(key);
  return { data: now.data, error: now.error, reload };
}

/** At logout: nobody finds another's pages. */
export function forgetAll(): void {
  kept.clear();
}

function first<T>(key: string): { readonly key: string; readonly data: T | null; readonly error: null } {
  return { key, data: (kept.get(key) as T | undefined) ?? null, error: null };
}

function remember(key: string, data: unknown): void {
  kept.delete(key);
  kept.set(key, data);
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_MAX) return;
    kept.delete(oldest);
  }
}
