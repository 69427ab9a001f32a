/** On-call calendars, as files: recurrence, exceptions, time zones over a change of the clock, and what is made to never end. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readCalendar } from '#engine/approvals/sources/read-calendar';
import { shiftsOf } from '#engine/approvals/sources/calendar';

const weekly = readFileSync(new URL('../cases/calendars/weekly.ics', import.meta.url), 'utf8');

/** `08:00Z-20:00Z alice@example.com` of one day, UTC. */
function day(text: string, date: string, timeZone: string | null = null): string[] {
  const fromMs = Date.parse(`${date}T00:00:00Z`);
  return spelt(shiftsOf({ text, fromMs, toMs: fromMs + 86_400_000, timeZone }));
}

function spelt(shifts: readonly { startMs: number; endMs: number; names: readonly string[] }[]): string[] {
  const at = (ms: number): string => new Date(ms).toISOString().slice(5, 16);
  return shifts.map(({ startMs, endMs, names }) => `${at(startMs)} ${at(endMs)} ${names.join()}`);
}

function calendar(...events: string[]): string {
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//x//x//EN',
    ...events.flatMap((event, at) => ['BEGIN:VEVENT', `UID:${at}@x`, ...event.split('\n'), 'END:VEVENT']),
    'END:VCALENDAR',
  ];
  return lines.join('\r\n');
}

describe('a weekly calendar', () => {
  test.each([
    ['in winter', '2026-03-27', ['03-26T19:00 03-27T07:00 dave', '03-27T07:00 03-27T19:00 alice@example.com', '03-27T19:00 03-28T07:00 dave']],
    // the night of 28 to 29 March has eleven hours: it ends at eight o'clock all the same
    ['over the change to summer time', '2026-03-29', ['03-28T19:00 03-29T06:00 dave', '03-29T18:00 03-30T06:00 dave']],
    ['in summer', '2026-03-30', ['03-29T18:00 03-30T06:00 dave', '03-30T06:00 03-30T18:00 alice@example.com', '03-30T18:00 03-31T06:00 dave']],
    ['a day that is left out', '2026-04-01', ['03-31T18:00 04-01T06:00 dave', '04-01T18:00 04-02T06:00 dave']],
    [
      'a day that is another’s',
      '2026-04-02',
      ['04-01T18:00 04-02T06:00 dave', '04-02T07:00 04-02T10:00 carol@example.com', '04-02T18:00 04-03T06:00 dave'],
    ],
    ['over the change to winter time', '2026-10-25', ['10-24T18:00 10-25T07:00 dave', '10-25T19:00 10-26T07:00 dave']],
  ])('%s', (_name, date, shifts) => {
    expect(day(weekly, date)).toEqual(shifts);
  });

  test('the same without the definition of its zone', () => {
    const bare = weekly.replace(/BEGIN:VTIMEZONE[\s\S]*END:VTIMEZONE\r?\n/, '');
    for (const date of ['2026-03-29', '2026-10-25', '2026-04-02']) expect(day(bare, date)).toEqual(day(weekly, date));
  });
});

describe('times', () => {
  test('a whole day, and a time without a zone, are those of the configured zone, of the calendar, or UTC', () => {
    const text = calendar(
      'DTSTART;VALUE=DATE:20260707\nDTEND;VALUE=DATE:20260708\nSUMMARY:eve',
      'DTSTART:20260707T120000\nDTEND:20260707T130000\nSUMMARY:fay',
    );
    expect(day(text, '2026-07-07')).toEqual(['07-07T00:00 07-08T00:00 eve', '07-07T12:00 07-07T13:00 fay']);
    expect(day(text, '2026-07-07', 'America/New_York')).toEqual(['07-07T04:00 07-08T04:00 eve', '07-07T16:00 07-07T17:00 fay']);
    const own = text.replace('VERSION:2.0', 'VERSION:2.0\r\nX-WR-TIMEZONE:Asia/Tokyo');
    expect(day(own, '2026-07-07')).toEqual(['07-06T15:00 07-07T15:00 eve', '07-07T03:00 07-07T04:00 fay']);
  });

  test('one that does not exist counts as before the change, one that exists twice as the first', () => {
    const at = (time: string): string => `DTSTART;TZID=Europe/Zurich:${time}\nDURATION:PT10M\nSUMMARY:x`;
    expect(day(calendar(at('20260329T023000')), '2026-03-29')).toEqual(['03-29T01:30 03-29T01:40 x']);
    expect(day(calendar(at('20261025T023000')), '2026-10-25')).toEqual(['10-25T00:30 10-25T00:40 x']);
  });

  test('a zone that only the calendar defines', () => {
    const zone = [
      'BEGIN:VTIMEZONE',
      'TZID:Here',
      'BEGIN:STANDARD',
      'DTSTART:19700101T000000',
      'TZOFFSETFROM:+0330',
      'TZOFFSETTO:+0330',
      'END:STANDARD',
      'END:VTIMEZONE',
    ].join('\r\n');
    const event = calendar('DTSTART;TZID=Here:20260707T120000\nDURATION:PT1H\nSUMMARY:x');
    expect(day(event.replace('BEGIN:VEVENT', `${zone}\r\nBEGIN:VEVENT`), '2026-07-07')).toEqual(['07-07T08:30 07-07T09:30 x']);
    expect(() => day(event, '2026-07-07')).toThrow('it names the time zone "Here", which is not known');
  });

  test('a definition that is wrong about a zone that is known does not count', () => {
    const wrong = weekly.replaceAll('TZOFFSETTO:+0200', 'TZOFFSETTO:+0900').replaceAll('TZOFFSETTO:+0100', 'TZOFFSETTO:+0900');
    for (const date of ['2026-03-30', '2026-11-25']) expect(day(wrong, date)).toEqual(day(weekly, date));
  });

  test('an exception that was moved into the span from far away, and one that holds for all that follow', () => {
    const rule = 'DTSTART:20260701T100000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nSUMMARY:a';
    const text = calendar(rule, rule.replace('RRULE:FREQ=DAILY', 'RECURRENCE-ID:20260901T100000Z').replace('SUMMARY:a', 'SUMMARY:moved'))
      .replace('UID:1@x', 'UID:0@x')
      .replace('DTSTART:20260701T100000Z\r\nDURATION:PT1H\r\nRECURRENCE', 'DTSTART:20260702T150000Z\r\nDURATION:PT1H\r\nRECURRENCE');
    expect(day(text, '2026-07-02')).toEqual(['07-02T10:00 07-02T11:00 a', '07-02T15:00 07-02T16:00 moved']);
    const future = calendar(rule, 'RECURRENCE-ID;RANGE=THISANDFUTURE:20260705T100000Z\nDTSTART:20260705T120000Z\nDURATION:PT1H\nSUMMARY:b').replace(
      'UID:1@x',
      'UID:0@x',
    );
    expect(day(future, '2026-07-04')).toEqual(['07-04T10:00 07-04T11:00 a']);
    expect(day(future, '2026-07-05')).toEqual(['07-05T12:00 07-05T13:00 b']);
    expect(day(future, '2026-07-09')).toEqual(['07-09T12:00 07-09T13:00 b']);
  });

  test('what is cancelled is nobody’s', () => {
    expect(day(calendar('DTSTART:20260707T120000Z\nDURATION:PT1H\nSTATUS:CANCELLED\nSUMMARY:x'), '2026-07-07')).toEqual([]);
    expect(day(calendar('DTSTART:20260707T120000Z\nDURATION:PT1H\nSUMMARY:x\nATTENDEE;PARTSTAT=DECLINED:mailto:a@b.c'), '2026-07-07')).toEqual([
      '07-07T12:00 07-07T13:00 ',
    ]);
  });
});

describe('what is no calendar, or is made to hurt', () => {
  const question = (text: string): Parameters<typeof readCalendar>[0] => ({
    text,
    fromMs: Date.parse('2026-07-07T00:00:00Z'),
    toMs: Date.parse('2026-07-14T00:00:00Z'),
    timeZone: null,
  });
  const since = (start: string, rule: string): string => calendar(`DTSTART:${start}\nDURATION:PT1H\nRRULE:${rule}\nSUMMARY:x`);

  test.each([
    ['nothing', '', /./],
    ['a page', '<html></html>', /./],
    ['two calendars', `${calendar()}\r\n${calendar()}`, /not one iCalendar object/],
    ['each second since 1970', since('19700101T000000Z', 'FREQ=SECONDLY'), /more than 200000 occurrences|longer than/],
    ['a day that never comes', since('20200101T000000Z', 'FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30'), /./],
    ['a month that never comes', since('20200101T000000Z', 'FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2'), /./],
    [
      'more events than anybody has',
      calendar(...Array.from({ length: 10_001 }, () => 'DTSTART:20260707T120000Z\nDURATION:PT1H')),
      /more than 10000 events/,
    ],
  ])('%s', async (_name, text, why) => {
    const outcome = await readCalendar(question(text), 1_500).then(
      (shifts) => ({ shifts }),
      (error: Error) => ({ error: error.message }),
    );
    // never hangs, and never names anybody
    if ('shifts' in outcome) expect(outcome.shifts).toEqual([]);
    else expect(outcome.error).toMatch(why);
  });

  test('is read in a thread of its own, like a good one', async () => {
    expect(
      spelt(
        await readCalendar({ text: weekly, fromMs: Date.parse('2026-03-27T00:00:00Z'), toMs: Date.parse('2026-03-28T00:00:00Z'), timeZone: null }),
      ),
    ).toHaveLength(3);
  });
});
