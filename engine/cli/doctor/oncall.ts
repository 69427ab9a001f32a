import { silentLog } from '#client/log';
import { systemClock } from '#client/clock';
import { CALENDAR_LIMITS } from '../../approvals/sources/shifts.ts';
import { OnCallSource } from '../../approvals/sources/oncall.ts';
import { readCalendar } from '../../approvals/sources/read-calendar.ts';
import type { LoadedConfig, OnCallConfig } from '../../config/config.ts';
import { calendarOf } from '../../worlds.ts';
import { check, type Check } from './check.ts';

/** Each calendar that stages may ask: it can be read, and who is on call by it now. */
export async function* checkOnCall(config: LoadedConfig): AsyncGenerator<Check> {
  for (const [name, calendar] of Object.entries(config.approvals.sources.oncall)) {
    const remedy = 'Mend what the message names; `logins` and `domain` say whose login a name of the calendar is.';
    yield await check(`oncall.${name}`, 'can be read', remedy, async () => ({ ok: true, value: await whoIsOnCall(name, calendar) }));
  }
}

async function whoIsOnCall(name: string, calendar: OnCallConfig): Promise<string> {
  const one = calendarOf(calendar, { hide: () => {} });
  const nowMs = systemClock.wallUs() / 1000;
  const text = await one.read({ bytesMax: CALENDAR_LIMITS.bytesMax, timeoutMs: calendar.timeoutMs });
  const shifts = await readCalendar({ text, fromMs: nowMs, toMs: nowMs + calendar.maxAgeMs, timeZone: calendar.timeZone });
  const read = { ...one, read: () => Promise.resolve(text) };
  const source = new OnCallSource({ calendars: { [name]: read }, clock: systemClock, log: silentLog, shifts: () => Promise.resolve(shifts) });
  await source.refresh([name]);
  source.close();
  const named = source.onCall(name);
  const names = shifts.filter(({ startMs, endMs }) => startMs <= nowMs && nowMs < endMs).flatMap((shift) => shift.names);
  const now = named?.length ? `${named.join(', ')} now` : `nobody now${names.length === 0 ? '' : ` (${names.join(', ')}: no login known)`}`;
  return `${now}; ${shifts.length} ${shifts.length === 1 ? 'shift' : 'shifts'} within ${calendar.maxAgeMs / 60_000} minutes`;
}
