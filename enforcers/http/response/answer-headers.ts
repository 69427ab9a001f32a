/** Headers of an answer whose body is changed (H8): what describes the bytes no longer fits, and what is not known may carry a masked value. */
import type { HeaderList } from '../answer.ts';

/** Headers that say nothing of the content, or that caches and clients cannot do without. */
const KEPT: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'age',
  'allow',
  'cache-control',
  'content-language',
  'content-type',
  'date',
  'deprecation',
  'expires',
  'pragma',
  'ratelimit-limit',
  'ratelimit-policy',
  'ratelimit-remaining',
  'ratelimit-reset',
  'retry-after',
  'server',
  'server-timing',
  'strict-transport-security',
  'sunset',
  'vary',
  'www-authenticate',
  'x-accel-buffering',
  'x-content-type-options',
  'x-frame-options',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
]);

export function keptHeaders(headers: HeaderList): HeaderList {
  return headers.filter(([name]) => KEPT.has(name));
}

export function valuesOf(headers: HeaderList, name: string): readonly string[] {
  let found: string[] | null = null;
  for (const [one, value] of headers) {
    if (one !== name) continue;
    if (found === null) found = [value];
    else found.push(value);
  }
  return found ?? NONE;
}

const NONE: readonly string[] = [];
