/** When to try again. */
import type { NotifyLimits } from './limits.ts';

const RETRY_AFTER_MS_MAX = 3_600_000;

/** Doubles with each try; half of it is chance, so that what failed together does not come back together. Never sooner than the receiver asked. */
export function backoffMs(
  tries: number,
  retryAfterMs: number | null,
  limits: Pick<NotifyLimits, 'backoffMs' | 'backoffMsMax'>,
  random: () => number,
): number {
  const fullMs = Math.min(limits.backoffMs * 2 ** (tries - 1), limits.backoffMsMax);
  const ownMs = fullMs / 2 + (fullMs / 2) * random();
  return retryAfterMs === null ? ownMs : Math.max(ownMs, retryAfterMs + (limits.backoffMs / 2) * random());
}

/** `Retry-After` in seconds or as a date (RFC 9110 §10.2.3), at most an hour; null where there is none that can be read. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  const text = header.trim();
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : /^[A-Z][a-z]{2}, /.test(text) ? Date.parse(text) - nowMs : Number.NaN;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), RETRY_AFTER_MS_MAX);
}
