/** A calendar (iCalendar, RFC 5545) → the shifts in a span of time. Runs in a thread of its own: a rule may be made to never end. */
import ical from 'ical.js';
import { CALENDAR_LIMITS, type CalendarQuestion, type Shift } from './shifts.ts';
import { namedZone } from './zones.ts';

type Component = InstanceType<typeof ical.Component>;
type Event = InstanceType<typeof ical.Event>;
type Time = InstanceType<typeof ical.Time>;
type Timezone = InstanceType<typeof ical.Timezone>;

/** @throws Error that says what is wrong with it; nothing of it counts then */
export function shiftsOf({ text, fromMs, toMs, timeZone }: CalendarQuestion): readonly Shift[] {
  const calendar = calendarOf(text);
  knowZones(calendar);
  const zone = zoneOf(timeZone, calendar);
  const span = { fromMs, toMs, zone, left: { occurrences: CALENDAR_LIMITS.occurrencesMax } };
  const components = calendar.getAllSubcomponents('vevent');
  if (components.length > CALENDAR_LIMITS.eventsMax) throw new Error(`it has more than ${CALENDAR_LIMITS.eventsMax} events`);
  const events = components.map((component) => new ical.Event(component, { strictExceptions: false, exceptions: [] }));
  const shifts: Shift[] = [];
  const take = (shift: Shift | null): void => {
    if (shift) shifts.push(shift);
    if (shifts.length > CALENDAR_LIMITS.shiftsMax) throw new Error(`it has more than ${CALENDAR_LIMITS.shiftsMax} shifts`);
  };
  for (const [uid, ofOne] of Map.groupBy(events, ({ uid }) => uid)) {
    if (uid === null || uid === undefined || uid === '') throw new Error('an event has no UID');
    for (const shift of shiftsOfOne(ofOne, span)) take(shift);
  }
  return shifts.toSorted((a, b) => a.startMs - b.startMs);
}

interface Span {
  readonly fromMs: number;
  readonly toMs: number;
  /** For times that name none. */
  readonly zone: Timezone;
  readonly left: { occurrences: number };
}

function calendarOf(text: string): Component {
  const parsed: unknown = ical.parse(text);
  // several calendars in one file come as a list of them
  if (!Array.isArray(parsed) || parsed[0] !== 'vcalendar') throw new Error('it is not one iCalendar object');
  return new ical.Component(parsed as [string, unknown[], unknown[]]);
}

/** Names of the IANA data base mean what that says, whether or not the calendar brings a definition of its own. */
function knowZones(calendar: Component): void {
  ical.TimezoneService.reset();
  const named = new Set<string>();
  for (const component of calendar.getAllSubcomponents()) {
    for (const property of component.getAllProperties()) named.add(String(property.getFirstParameter('tzid') ?? ''));
  }
  for (const own of calendar.getAllSubcomponents('vtimezone')) {
    const name = String(own.getFirstPropertyValue('tzid') ?? '');
    named.add(name);
    if (namedZone(name)) calendar.removeSubcomponent(own);
  }
  const defined = new Set(calendar.getAllSubcomponents('vtimezone').map((own) => String(own.getFirstPropertyValue('tzid'))));
  for (const name of named) {
    if (name === '' || defined.has(name)) continue;
    const zone = namedZone(name);
    // read as local time it would put somebody on call at the wrong hour
    if (!zone) throw new Error(`it names the time zone ${JSON.stringify(name.slice(0, 64))}, which is not known`);
    ical.TimezoneService.register(zone, name);
  }
}

function zoneOf(configured: string | null, calendar: Component): Timezone {
  const name = configured ?? String(calendar.getFirstPropertyValue('x-wr-timezone') ?? 'UTC');
  const zone = namedZone(name);
  if (!zone) throw new Error(`the time zone ${JSON.stringify(name.slice(0, 64))} is not known`);
  return zone;
}

/** One event with what recurs of it, and its exceptions, each a shift of its own: it may have been moved into the span from outside. */
function* shiftsOfOne(events: readonly Event[], span: Span): Iterable<Shift | null> {
  const masters = events.filter((event) => !event.isRecurrenceException());
  const exceptions = events.filter((event) => event.isRecurrenceException());
  if (masters.length > 1) throw new Error(`two events have the UID ${JSON.stringify(masters[0]?.uid.slice(0, 64))}`);
  for (const exception of exceptions) yield shiftOf(exception, exception.startDate, exception.endDate, span);
  const [master] = masters;
  if (!master) return;
  for (const exception of exceptions) master.relateException(exception);
  if (master.isRecurring()) yield* recurring(master, span);
  else yield shiftOf(master, master.startDate, master.endDate, span);
}

function* recurring(master: Event, span: Span): Iterable<Shift | null> {
  const occurrences = master.iterator();
  for (let next = occurrences.next() as Time | null | undefined; next; next = occurrences.next() as Time | null | undefined) {
    span.left.occurrences -= 1;
    if (span.left.occurrences < 0) throw new Error(`its rules have more than ${CALENDAR_LIMITS.occurrencesMax} occurrences: let them begin later`);
    if (msOf(next, span.zone) >= span.toMs) return;
    const { item, startDate, endDate, recurrenceId } = master.getOccurrenceDetails(next);
    // told of already, by itself
    if (item !== master && item.recurrenceId?.toString() === recurrenceId.toString()) continue;
    yield shiftOf(item, startDate, endDate, span);
  }
}

function shiftOf({ component, summary, attendees }: Event, start: Time, end: Time, { fromMs, toMs, zone }: Span): Shift | null {
  const startMs = msOf(start, zone);
  const endMs = msOf(end, zone);
  if (!(startMs < toMs && endMs > fromMs) || endMs <= startMs) return null;
  if (String(component.getFirstPropertyValue('status') ?? '').toUpperCase() === 'CANCELLED') return null;
  const people = attendees.flatMap((attendee) => {
    const parameter = (name: string): string => String(attendee.getFirstParameter(name) ?? '').toUpperCase();
    const takesPart =
      parameter('partstat') !== 'DECLINED' && parameter('role') !== 'NON-PARTICIPANT' && ['', 'INDIVIDUAL'].includes(parameter('cutype'));
    const address = String(attendee.getFirstValue() ?? '');
    return takesPart && /^mailto:/i.test(address) ? [address.slice('mailto:'.length)] : [];
  });
  const names = attendees.length > 0 ? people : [String(summary ?? '')];
  return { startMs, endMs, names: names.slice(0, CALENDAR_LIMITS.namesPerShiftMax).map((name) => name.trim().slice(0, 320)) };
}

/** A whole day, and a time without a zone, are meant where the calendar lives. */
function msOf(time: Time, zone: Timezone): number {
  const floating = time.isDate || time.zone === ical.Timezone.localTimezone;
  if (!floating) return time.toUnixTime() * 1000;
  const { year, month, day, hour, minute, second } = time;
  return new ical.Time({ year, month, day, hour, minute, second, isDate: false }, zone).toUnixTime() * 1000;
}
