/** The console's own small logic: nothing of a text is lost between its tokens and the screen, and what is foreign is seen. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dayRange } from '#engine/console/source/parts/day';
import { visible } from '#engine/console/source/parts/visible';
import { type Row, textRows } from '#engine/console/source/request/text-rows';
import type { ReviewText, ReviewToken } from '#schemas/review';
import { cpuMs } from '#test/support/stopwatch';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const textOf = (statements: readonly (readonly ReviewToken[])[]): ReviewText => ({
  complete: true,
  bytes: 1,
  lines: 1,
  digest_prefix: '000000000000',
  digest: DIGEST,
  warnings: [],
  statements: statements.map((tokens, index) => ({ number: index + 1, kind: 'SELECT', tokens: [...tokens] })),
});
const token = fc.record({
  kind: fc.constantFrom('keyword', 'string', 'space', 'hidden', 'comment'),
  text: fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '漢', '😀', 'é', "'"), maxLength: 60 }),
}) as fc.Arbitrary<ReviewToken>;

describe('rows of a text (A7: nothing is cut off)', () => {
  test('hold every character of every token, in order, each line with its number, none wider than the place', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(token, { maxLength: 20 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 8, max: 80 }),
        (statements, columns) => {
          const rows = textRows(textOf(statements), columns);
          const found = statements.map((_, index) => linesOf(rows, index + 1));
          expect(found).toEqual(
            statements.map((tokens) =>
              tokens
                .map(({ text }) => text)
                .join('')
                .split('\n'),
            ),
          );
          for (const row of rows)
            if (row.type === 'line')
              expect(row.pieces.reduce((sum, piece) => sum + widthOf(piece.text), 0)).toBeLessThanOrEqual(Math.max(columns, 8));
        },
      ),
    );
  });

  test('a megabyte in one line takes less than a second', () => {
    const text = textOf([[{ kind: 'string', text: 'x'.repeat(1024 * 1024) }]]);
    const took = cpuMs(() => expect(textRows(text, 100).length).toBe(Math.ceil((1024 * 1024) / 100) + 1));
    expect(took).toBeLessThan(1000);
  });

  /** The lines of a statement, as they were. */
  function linesOf(rows: readonly Row[], number: number): readonly string[] {
    const lines: string[] = [];
    let here = 0;
    for (const row of rows) {
      if (row.type === 'statement') here = row.number;
      else if (here === number) {
        const text = row.pieces.map((piece) => piece.text).join('');
        if (row.line === null) lines.push((lines.pop() ?? '') + text);
        else {
          expect(row.line).toBe(lines.length + 1);
          lines.push(text);
        }
      }
    }
    return lines;
  }
});

function widthOf(text: string): number {
  let width = 0;
  for (const char of text) width += char.length === 1 && char < '\u0300' ? 1 : 2;
  return width;
}

describe('words of others (M8)', () => {
  test.each([
    ['\u202E', '[U+202E]'],
    ['\u200B', '[U+200B]'],
    ['\u{E0041}', '[U+E0041]'],
    ['\x1B[31m', '[U+001B][31m'],
    ['\u3164', '[U+3164]'],
    ['\r', '[U+000D]'],
  ])('%j is shown as %s', (hidden, shown) => {
    expect(visible(`a${hidden}b`)).toBe(`a${shown}b`);
  });

  test('what can be seen stays as it is', () => {
    for (const text of ['naïve café', '漢字', "it's \n two lines", '😀']) expect(visible(text)).toBe(text);
  });
});

describe('days', () => {
  test('a day is from its first moment to that of the next one', () => {
    const { since, until } = dayRange('2026-11-17', '2026-11-17');
    expect(new Date(until ?? '').getTime() - new Date(since ?? '').getTime()).toBe(86_400_000);
    expect(dayRange(null, null)).toEqual({});
    expect(dayRange('nonsense', 'x-y-z')).toEqual({});
  });
});
