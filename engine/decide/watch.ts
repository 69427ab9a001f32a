/** Notices that policies or data documents changed: by notification, and by looking every two seconds, because notifications can be lost. */
import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { sourcesStamp } from './sources.ts';

const SETTLE_MS = 100;
const LOOK_MS = 2_000;

export interface SourceWatch {
  close(): void;
}

/** @param changed called, never twice at once, when the stamp is another one; @param unchanged each time it was seen to be the same */
export function watchSources(dir: string, data: readonly string[], first: string, changed: () => Promise<void>, unchanged: () => void): SourceWatch {
  const hints = [{ path: dir, recursive: true }, ...[...new Set(data.map((path) => dirname(path)))].map((path) => ({ path, recursive: false }))];
  return watchStamp({ stampOf: () => sourcesStamp(dir, data), hints }, first, changed, unchanged);
}

export interface Stamped {
  /** Another text when something changed; cheap. */
  readonly stampOf: () => Promise<string>;
  /** Folders where a change would show. */
  readonly hints: readonly { readonly path: string; readonly recursive: boolean }[];
}

/** The same for anything that has a stamp. */
export function watchStamp({ stampOf, hints }: Stamped, first: string, changed: () => Promise<void>, unchanged: () => void): SourceWatch {
  let stamp = first;
  let closed = false;
  let looking = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    if (looking || closed) return;
    looking = true;
    try {
      // a source that cannot be read is a change: building it says what is wrong
      const now = await stampOf().catch((error: unknown) => `unreadable: ${String(error)}`);
      if (closed) return;
      if (now === stamp) unchanged();
      else {
        stamp = now;
        await changed();
      }
    } finally {
      looking = false;
      schedule(LOOK_MS);
    }
  };
  const schedule = (ms: number): void => {
    clearTimeout(timer);
    if (closed) return;
    timer = setTimeout(() => void look(), ms);
    timer.unref();
  };
  const watchers = hints.flatMap(({ path, recursive }) => notifier(path, recursive, () => schedule(SETTLE_MS)));
  schedule(LOOK_MS);
  return {
    close: () => {
      closed = true;
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}

/** Only a hint: where it cannot be had, looking is enough. */
function notifier(path: string, recursive: boolean, hint: () => void): FSWatcher[] {
  try {
    const watcher = watch(path, { recursive, persistent: false }, hint);
    watcher.on('error', () => watcher.close());
    return [watcher];
  } catch {
    return [];
  }
}
