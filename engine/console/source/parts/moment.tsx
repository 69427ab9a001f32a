import type { JSX } from 'react';
import type { Timestamp } from '#schemas/common';
import { useNow } from '../state/now.ts';
import { formatClock, formatRelative, formatWhole } from './format.ts';

/** `3 min ago`; the whole time is its title. */
export function Moment({ time }: { readonly time: Timestamp }): JSX.Element {
  const now = useNow(10_000);
  return (
    <time dateTime={time} title={formatWhole(time)}>
      {formatRelative(time, Math.max(now, new Date(time).getTime()))}
    </time>
  );
}

/** `14:03:12`, for lines of one session. */
export function Clock({ time }: { readonly time: Timestamp }): JSX.Element {
  return (
    <time dateTime={time} title={formatWhole(time)}>
      {formatClock(time)}
    </time>
  );
}

const SOON_MS = 5 * 60_000;

/** `expires in 12 min`; it counts seconds when there are few. */
export function Deadline({ time, what }: { readonly time: Timestamp; readonly what: string }): JSX.Element {
  const now = useNow(1000);
  const left = new Date(time).getTime() - now;
  return (
    <time dateTime={time} title={formatWhole(time)} className={left < SOON_MS ? 'soon' : undefined}>
      {left <= 0 ? 'time is up' : `${what} ${formatRelative(time, now)}`}
    </time>
  );
}
