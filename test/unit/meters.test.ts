/** Issue 6: what agents did lately (`context.usage`), and the cool-down (SECURITY §1.14, A2). */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Statement } from '#client/decision-service';
import { METER_LIMITS, type Meter, Meters } from '#enforcers/common/meters';
import { Window } from '#enforcers/common/window';
import { FakeClock } from '#test/support/fake-clock';

const agent = (login: string): Parameters<Meters['of']>[0] => ({ type: 'agent', id: `iss|${login}`, properties: { login, groups: [] } });
const touching = (...names: string[]): Statement =>
  ({ facts: { effects: names.map((qualified) => ({ object: { qualified } })) } }) as unknown as Statement;
const meterOf = (meters: Meters, login = 'bot'): Meter => meters.of(agent(login)) as Meter;

test('users and services have no meter', () => {
  const meters = new Meters(null, new FakeClock());
  for (const type of ['user', 'service'] as const) expect(meters.of({ type, id: 'iss|x', properties: { login: 'x', groups: [] } })).toBeNull();
});

test('it counts over all sessions of one agent, and forgets with time', () => {
  const clock = new FakeClock();
  const meters = new Meters(null, clock);
  meterOf(meters).asked();
  meterOf(meters).asked();
  meterOf(meters).rows(70);
  meterOf(meters).touched(touching('a', 'b'));
  meterOf(meters).denied();
  expect(meterOf(meters).usage(touching('b', 'c'))).toEqual({
    statements_last_minute: 2,
    rows_last_hour: 70,
    objects_last_hour: 3,
    denials_last_5_minutes: 1,
  });
  expect(meterOf(meters, 'other').usage(touching())).toMatchObject({ statements_last_minute: 0, rows_last_hour: 0 });
  clock.pass(61_000);
  expect(meterOf(meters).usage(touching())).toMatchObject({ statements_last_minute: 0, rows_last_hour: 70, objects_last_hour: 2 });
  clock.pass(3_600_000);
  expect(meterOf(meters).usage(touching())).toEqual({
    statements_last_minute: 0,
    rows_last_hour: 0,
    objects_last_hour: 0,
    denials_last_5_minutes: 0,
  });
});

test('after so many denials in a time everything is refused for a while, and it is said until when; once in the record', () => {
  const clock = new FakeClock();
  const meter = meterOf(new Meters({ denials: 3, withinMs: 10_000, forMs: 60_000 }, clock));
  expect([meter.denied(), meter.denied()]).toEqual([null, null]);
  clock.pass(11_000);
  expect(meter.denied()).toBeNull(); // the first two were too long ago
  expect(meter.shut()).toBeNull();
  expect(meter.denied()).toBeNull();
  expect(meter.denied()).toMatchObject({ type: 'agent.cooled', agent: 'iss|bot', denials: 3, until: '2026-11-23T10:01:11.000000Z' });
  expect(meter.shut()).toMatchObject({
    code: 'AGENT_COOL_DOWN',
    sqlstate: '42501',
    message: expect.stringContaining('until 10:01:11 UTC') as string,
  });
  expect(meter.denied()).toBeNull();
  clock.pass(60_000);
  expect(meter.shut()).toBeNull();
});

test('who has cooled down begins to be counted anew', () => {
  const clock = new FakeClock();
  const meter = meterOf(new Meters({ denials: 2, withinMs: 60_000, forMs: 1_000 }, clock));
  expect([meter.denied() === null, meter.denied() === null]).toEqual([true, false]);
  clock.pass(1_000);
  expect([meter.shut(), meter.denied(), meter.shut()]).toEqual([null, null, null]);
  expect(meter.denied()).not.toBeNull();
});

test('bounded: agents, and objects of one (invariant 9)', () => {
  const clock = new FakeClock();
  const meters = new Meters(null, clock);
  const first = meterOf(meters, 'first');
  for (let at = 0; at < METER_LIMITS.agents; at++) meterOf(meters, `a${at}`);
  expect(meterOf(meters, 'first')).not.toBe(first);
  for (let at = 0; at < METER_LIMITS.objects + 5; at++) first.touched(touching(`t${at}`));
  expect(first.usage(touching()).objects_last_hour).toBe(METER_LIMITS.objects);
});

test('a window is never below what was added within it, nor above what was added within one slot more', () => {
  fc.assert(
    fc.property(fc.array(fc.record({ afterMs: fc.nat({ max: 4_000 }), count: fc.nat({ max: 9 }) }), { maxLength: 60 }), (steps) => {
      const window = new Window(10, 1_000);
      const added: { at: number; count: number }[] = [];
      let now = 0;
      for (const { afterMs, count } of steps) {
        now += afterMs;
        window.add(count, now);
        added.push({ at: now, count });
        const since = (age: number): number => added.filter(({ at }) => now - at < age).reduce((sum, one) => sum + one.count, 0);
        expect(window.sum(now)).toBeGreaterThanOrEqual(since(9_000));
        expect(window.sum(now)).toBeLessThanOrEqual(since(10_001));
      }
    }),
  );
});

test('issue 6: what it did elsewhere counts as long as it would here', () => {
  const clock = new FakeClock();
  const meters = new Meters(null, clock);
  meterOf(meters).asked();
  meterOf(meters).rows(5);
  meters.elsewhere([
    { id: 'iss|bot', statements: 10, rows: 100, denials: 3 },
    { id: 'iss|stranger', statements: 1, rows: 1, denials: 1 },
  ]);
  expect(meterOf(meters).usage(touching())).toMatchObject({ statements_last_minute: 11, rows_last_hour: 105, denials_last_5_minutes: 3 });
  expect(meters.counts(10)).toEqual([{ id: 'iss|bot', statements: 1, rows: 5, denials: 0 }]); // its own, or everybody would count it twice
  clock.pass(60_000);
  expect(meterOf(meters).usage(touching())).toMatchObject({ statements_last_minute: 0, rows_last_hour: 105, denials_last_5_minutes: 3 });
  clock.pass(240_000);
  expect(meterOf(meters).usage(touching())).toMatchObject({ rows_last_hour: 105, denials_last_5_minutes: 0 });
  clock.pass(3_300_000);
  expect(meterOf(meters).usage(touching())).toMatchObject({ rows_last_hour: 0 });
});

test('who asked for nothing for an hour is not told of; of more than are asked for, who came last', () => {
  const clock = new FakeClock();
  const meters = new Meters(null, clock);
  for (const login of ['a', 'b', 'c']) meterOf(meters, login);
  expect(meters.counts(2).map(({ id }) => id)).toEqual(['iss|c', 'iss|b']);
  clock.pass(3_600_000);
  expect(meters.counts(2)).toEqual([]);
  meterOf(meters, 'a').usage(touching());
  expect(meters.counts(2).map(({ id }) => id)).toEqual(['iss|a']);
});
