/** What `npm run shapes` takes for the same outcome. */
import { expect, test } from 'vitest';
import { differences } from '../shapes/differences.ts';

type Report = Parameters<typeof differences>[0];
const report = (...cases: readonly (readonly [id: string, outcome: string])[]): Report =>
  ({ cases: cases.map(([id, outcome]) => ({ id, mode: 'http/1.1', outcome, codes: [], passed: true, leaks: [] })) }) as unknown as Report;

test('the same outcomes differ in nothing, also of a case that runs twice with two outcomes', () => {
  const both = report(['a', 'denied'], ['ssrf', 'unsupported'], ['ssrf', 'denied']);
  expect(differences(both, both)).toEqual([]);
});

test('another outcome, a run that is missing and one that is more are told, each by name', () => {
  const one = report(['a', 'denied'], ['b', 'denied'], ['ssrf', 'unsupported'], ['ssrf', 'denied']);
  const other = report(['a', 'allowed'], ['ssrf', 'unsupported'], ['ssrf', 'unsupported'], ['c', 'denied']);
  expect(differences(one, other)).toEqual([
    'a http/1.1: allowed passed instead of denied passed',
    'b http/1.1: did not run instead of denied passed',
    'ssrf http/1.1 (2): unsupported passed instead of denied passed',
    'c http/1.1: ran here alone',
  ]);
});
