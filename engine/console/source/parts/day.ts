/** Days as people say them: `yesterday`, `last Tuesday`, or a date; an address keeps them as a date. */
import type { Choice } from './choice.ts';
import { formatDay } from './format.ts';

const DAYS_NAMED = 8;

/** Today and the week before it, newest first. */
export function recentDays(now: Date): readonly Choice[] {
  return Array.from({ length: DAYS_NAMED }, (_, ago) => {
    const day = new Date(now.getFullYear(), now.getMonth(), now.getDate() - ago);
    const name = formatDay(day);
    return { value: isoDay(day), name: ago === 0 ? `Today, ${name}` : ago === 1 ? `Yesterday, ${name}` : name };
  });
}

/** From its first moment to that of the next one, in the reader's own time zone; `from` alone is open to now. */
export function dayRange(from: string | null, to: string | null): { readonly since?: string; readonly until?: string } {
  return { ...bound('since', from, 0), ...bound('until', to, 1) };
}

function bound(name: 'since' | 'until', day: string | null, later: number): object {
  const [year, month, date] = (day ?? '').split('-').map(Number);
  if (year === undefined || month === undefined || date === undefined || Number.isNaN(year + month + date)) return {};
  return { [name]: new Date(year, month - 1, date + later).toISOString() };
}

function isoDay(day: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}
