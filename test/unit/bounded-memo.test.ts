/** Answers that are remembered have a bound (I9). */
import { expect, test } from 'vitest';
import { boundedMemo } from '#client/bounded-memo';

test('I9: each text is computed once until there are too many of them; then all are forgotten, and answers stay right', () => {
  const computed: string[] = [];
  const length = boundedMemo(2, (text) => {
    computed.push(text);
    return text.length === 0 ? null : text.length;
  });
  expect(['a', 'bb', 'a', 'bb', ''].map(length)).toEqual([1, 2, 1, 2, null]);
  expect(computed).toEqual(['a', 'bb', '']);
  expect(['', 'a', 'ccc'].map(length)).toEqual([null, 1, 3]);
  expect(computed).toEqual(['a', 'bb', '', 'a', 'ccc']);
});

test('what throws is remembered as nothing', () => {
  let broken = true;
  const tried = boundedMemo(2, (text) => {
    if (broken) throw new Error(text);
    return text;
  });
  expect(() => tried('a')).toThrow('a');
  broken = false;
  expect(tried('a')).toBe('a');
});
