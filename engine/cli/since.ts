import { InterlockError } from '#schemas/errors';
import { durationMs } from '../config/units.ts';

/** `1h` or `2026-11-23T10:00:00Z` → a time that compares with an event's as text. */
export function sinceTime(text: string): string {
  const ago = /^[0-9]{1,9}(ms|s|m|h|d)$/.test(text);
  const at = ago ? new Date(Date.now() - durationMs(text)) : new Date(text);
  if (Number.isNaN(at.getTime()))
    throw new InterlockError('USAGE', `--since ${text}: allowed is a duration such as 1h, or a time such as 2026-11-23T10:00:00Z`);
  return at.toISOString().replace('Z', '');
}
