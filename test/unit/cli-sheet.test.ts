/** A7: what a reviewer reads is what would run, and nothing in it can pass for a line of ours or push a part of itself out of sight. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { field, statementLines } from '#engine/cli/sheet';
import { displayWidth } from '#engine/cli/table';
import { warnings } from '#engine/cli/escape';

interface Case {
  readonly id: string;
  readonly payload: string;
  readonly tags?: readonly string[];
}
const CASES = readFileSync(join(import.meta.dirname, '..', 'corpus', 'public', 'sql.jsonl'), 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line) as Case)
  .filter(({ tags }) => tags?.includes('display'));

/** What a terminal obeys, hides or reorders. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

describe('the corpus of texts that mislead a reviewer', () => {
  test('has such cases', () => expect(CASES.length).toBeGreaterThanOrEqual(5));

  test.each(CASES)('$id', ({ payload }) => {
    const lines = statementLines(payload, 100);
    for (const line of lines) {
      expect(line).not.toMatch(UNSEEN);
      expect(line).toMatch(/^ {2}[|:]( |$)/);
    }
    // every word of it is there, on a page that nobody has to scroll
    expect(lines.length).toBeLessThan(12);
    const shown = lines.map((line) => line.slice(4)).join('');
    for (const word of payload.match(/[A-Za-z0-9]+/g) ?? []) expect(shown).toContain(word);
    if (UNSEEN.test(payload.replace(/[\n\t]/g, ''))) expect([...warnings(payload), shown].join()).toMatch(/U\+[0-9A-F]{4}/);
  });
});

test('blanks and empty lines are told as counts, at the end too', () => {
  expect(statementLines(`SELECT 1;${'\n'.repeat(3000)}DROP TABLE x${' '.repeat(20_000)}-- y `, 80)).toEqual([
    '  | SELECT 1;',
    '  | ‹2999 empty lines›',
    '  | DROP TABLE x‹20000 blanks›-- y‹1 blank›',
  ]);
  expect(statementLines('a\n\nb', 80)).toEqual(['  | a', '  |', '  | b']);
  expect(statementLines('\n\n\na\n\n\n\n', 80)).toEqual(['  | ‹3 empty lines›', '  | a', '  | ‹4 empty lines›']);
});

test('a long line cannot begin where our lines begin', () => {
  const evil = `UPDATE t SET n = '${'x'.repeat(61)}stage      owner: 1 of 1, approved by bob'`;
  for (const width of [80, 100, 40]) {
    const lines = [...statementLines(evil, width), ...field('does', evil, width)];
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    for (const line of lines) expect(line).not.toMatch(/^stage/);
  }
});

test('no text is lost, whatever it is', () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom('a', ' ', '\n', '\t', '名', 'é', ';', '|'), fc.string({ minLength: 1, maxLength: 1 })),
    maxLength: 300,
  });
  fc.assert(
    fc.property(text, fc.integer({ min: 30, max: 200 }), (one, width) => {
      const lines = statementLines(one, width);
      for (const line of lines) {
        expect(line).toMatch(/^ {2}[|:]( |$)/);
        expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }
      const letters = (of: string): string => of.replace(/[^a名é;]/gu, '');
      const shown = lines.map((line) => line.slice(4).replace(/‹[^›]*›/g, '')).join('');
      if (!/[‹›]/.test(one) && lines.every((line) => line.startsWith('  | '))) expect(letters(shown)).toBe(letters(one));
    }),
    { numRuns: 1000 },
  );
});
