/**
 * What changes while a process runs: the configuration is read again, what can be applied is applied, and what needs a restart is named by its
 * key. A configuration with a mistake changes nothing.
 */
import type { Log } from '#client/log';
import { stat } from 'node:fs/promises';
import { LIMITS } from './limits.ts';

/** One thing that can be applied. `keys`: dotted paths of interlock.yaml; `*` stands for one name, a path covers what is below it. */
export interface Reloadable<C> {
  readonly keys: readonly string[];
  /** Called at each reload, also where no key changed: a file behind a key may have. Must leave what was in force if it throws. */
  readonly apply: (next: C) => void | Promise<void>;
}

export interface ReloadingFrom<C> {
  /** The plain document of a configuration, for the comparison. */
  readonly raw: (config: C) => unknown;
  /** Reads and checks it anew. */
  readonly load: () => Promise<C>;
  readonly first: C;
  readonly log: Log;
  readonly parts: readonly Reloadable<C>[];
  /** Told after each reload: the keys whose value in the file is not the one in force, until the process starts again. */
  readonly waiting: (keys: readonly string[]) => void;
}

export interface Reloading {
  /** One at a time. @throws what was wrong with the configuration, or with a part: what was in force stays there */
  reload(): Promise<void>;
}

export function openReloading<C>(from: ReloadingFrom<C>): Reloading {
  let current = from.first;
  const applies = (key: string): boolean => from.parts.some(({ keys }) => keys.some((pattern) => covers(pattern, key)));
  let last: Promise<void> = Promise.resolve();
  const once = async (): Promise<void> => {
    const next = await from.load();
    const changed = changedKeys(from.raw(current), from.raw(next));
    const failed: unknown[] = [];
    for (const part of from.parts) {
      try {
        await part.apply(next);
      } catch (error) {
        failed.push(error);
      }
    }
    current = next;
    const waiting = changedKeys(from.raw(from.first), from.raw(next))
      .filter((key) => !applies(key))
      .toSorted();
    from.waiting(waiting);
    from.log.info({ applied: changed.filter(applies) }, 'the configuration was read again');
    if (waiting.length > 0) from.log.warn({ keys: waiting }, 'these keys changed, and need a restart');
    if (failed.length > 0) throw failed[0];
  };
  return {
    reload: () => {
      const next = last.then(once);
      last = next.catch(() => {});
      return next;
    },
  };
}

/** Dotted paths whose value is another; a list is one value. A section that was left out is an empty one, but for TLS: there it is another state. */
export function changedKeys(before: unknown, after: unknown, path = ''): readonly string[] {
  const sections = [before, after].map((value) => (value === undefined && !/(^|\.)tls$/.test(path) ? {} : value));
  const [from, to] = sections;
  if (isMap(from) && isMap(to) && (before !== undefined || after !== undefined))
    return [...new Set([...Object.keys(from), ...Object.keys(to)])].flatMap((key) =>
      changedKeys(from[key], to[key], path === '' ? key : `${path}.${key}`),
    );
  return JSON.stringify(before) === JSON.stringify(after) ? [] : [path];
}

/** `targets.*.limits` covers `targets.shop.limits.idle`. */
export function covers(pattern: string, key: string): boolean {
  const wanted = pattern.split('.');
  const parts = key.split('.');
  return wanted.length <= parts.length && wanted.every((part, at) => part === '*' || part === parts[at]);
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export interface FileWatch {
  /** From here on what is saved is noticed. */
  readonly first: Promise<void>;
  close(): void;
}

/** Notices that a file was saved, also by renaming another over it. A file that is away for a moment, or never was there, is no change. */
export function watchFile(file: string, saved: () => Promise<void>): FileWatch {
  let known: string | null = null;
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const now = await stampOf(file);
    if (closed) return;
    const changed = now !== null && known !== null && now !== known;
    if (now !== null) known = now;
    if (changed) await saved();
    schedule();
  };
  const schedule = (): void => {
    if (closed) return;
    timer = setTimeout(() => void look(), LIMITS.configEveryMs);
    timer.unref();
  };
  const first = look();
  return {
    first,
    close: () => {
      closed = true;
      clearTimeout(timer);
    },
  };
}

async function stampOf(file: string): Promise<string | null> {
  try {
    const { ino, size, mtimeNs } = await stat(file, { bigint: true });
    return `${ino} ${size} ${mtimeNs}`;
  } catch {
    return null; // being written, or not there: what was read stays
  }
}
