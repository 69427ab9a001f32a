/** Statements as the same objects for the same things, and never for others. */
import { expect, test } from 'vitest';
import type { ReadContext } from '#engine/decide/ports';
import { Readings } from '#engine/decide/readings';
import { readFactsOf } from '#engine/facts/readers';
import { Recent } from '#engine/facts/recent';
import type { PostgresFacts } from '#engine/facts/postgres/reader';

const NO_SQL = { read: () => expect.fail('no SQL is read here') } as unknown as PostgresFacts;
const contextOf = (target: string): ReadContext =>
  ({ dialect: 'http', target, major: 0, database: '', settings: {}, catalog: null, knowledge: null }) as ReadContext;
const request = (path: string): Buffer => Buffer.from(`GET ${path}\r\naccept: */*\r\n\r\n`);

test('the same facts, text and context make the same statement; another text, a further context or a copy of the facts do not', () => {
  const readings = new Readings(() => false);
  const [api, other] = [contextOf('api'), contextOf('other')];
  const facts = readFactsOf(NO_SQL, () => null)(request('/a'), api);
  if (facts instanceof Promise) return expect.fail('HTTP is read at once');
  const first = readings.statement(request('/a'), facts, api);
  expect(readings.statement(request('/a'), facts, api)).toBe(first);
  expect(readings.statement(request('/b'), facts, api)).not.toBe(first);
  const further = readings.statement(request('/a'), facts, other);
  expect(further.context).toBe(other);
  expect(readings.statement(request('/a'), facts, other)).toBe(further);
  expect(readings.statement(request('/a'), facts, api)).toBe(first);
  const copy = { ...facts, parsed: false } as typeof facts;
  expect(readings.statement(request('/a'), copy, api).facts).toBe(copy);
});

test('what comes once is not kept, what comes again is the same object from then on', () => {
  const read = readFactsOf(NO_SQL, () => null);
  const api = contextOf('api');
  const [first, second, third] = [read(request('/a'), api), read(request('/a'), api), read(request('/a'), api)];
  expect(second).toEqual(first);
  expect(second).not.toBe(first);
  expect(third).toBe(second);
});

test('a sum is remembered until another takes its place', () => {
  const recent = new Recent();
  expect([recent.again(request('/a')), recent.again(request('/a'))]).toEqual([false, true]);
  for (let id = 0; id < 100_000; id++) recent.again(request(`/${id}`));
  expect(recent.again(request('/a'))).toBe(false);
});
