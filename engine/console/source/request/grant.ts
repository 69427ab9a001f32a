/** What an approval grants, as one would say it. */
import type { Requirement, Schedule } from '#schemas/decision';
import { formatSeconds } from '../parts/format.ts';

export function grantInWords({ grant, valid_for_s: validFor, bind_session: bound, schedules }: Requirement): string {
  const what = grant.of === 'shape' ? 'statements of this shape' : 'exactly this text';
  const often = grant.uses === null ? 'any number of times' : grant.uses === 1 ? 'once' : `${grant.uses} times`;
  const where = bound ? ', in this session only' : '';
  const when = schedules === undefined || schedules.length === 0 ? '' : `; only ${schedules.map(scheduleInWords).join(', and ')}`;
  return `Grants ${what}, ${often}, within ${formatSeconds(validFor)}${where}${when}.`;
}

function scheduleInWords({ time_zone: zone, windows }: Schedule): string {
  return `${windows.map(({ days, from, to }) => `${days.join(' ')} ${from}–${to}`).join(' or ')} (${zone})`;
}
