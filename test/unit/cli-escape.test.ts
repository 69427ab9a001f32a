/** M8: whatever is shown to a terminal cannot drive it, hide in it, or pass for something else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { escapeLines, escapeName, escapeText, warnings } from '#engine/cli/escape';
import { table } from '#engine/cli/table';

const CASES: readonly (readonly [what: string, text: string, shown: string])[] = [
  ['ESC and CSI', 'a\u001b[2Jb', 'a‹U+001B›[2Jb'],
  ['OSC 52 with BEL', '\u001b]52;c;aGk=\u0007', '‹U+001B›]52;c;aGk=‹U+0007›'],
  ['C1 CSI', '\u009b31m', '‹U+009B›31m'],
  ['backspace and carriage return', 'rm\b\bls\r', 'rm‹U+0008›‹U+0008›ls‹U+000D›'],
  ['DEL and NUL', '\u007f\u0000', '‹U+007F›‹U+0000›'],
  ['bidi override', 'a\u202eb\u2066c\u061cd\u200fe', 'a‹U+202E›b‹U+2066›c‹U+061C›d‹U+200F›e'],
  ['zero width', 'DR\u200bOP\u2060\ufeff', 'DR‹U+200B›OP‹U+2060›‹U+FEFF›'],
  ['tag characters', 'x\u{e0041}\u{e007f}', 'x‹U+E0041›‹U+E007F›'],
  ['variation selectors and blank letters', 'a\ufe0f\u3164\u2800', 'a‹U+FE0F›‹U+3164›‹U+2800›'],
  ['line and paragraph separator, odd spaces', '\u2028\u2029\u00a0\u3000', '‹U+2028›‹U+2029›‹U+00A0›‹U+3000›'],
  ['a lone surrogate, private use', '\ud800\ue000', '‹U+D800›‹U+E000›'],
  ['annotation marks and other format characters', '\ufff9\u0600', '‹U+FFF9›‹U+0600›'],
  ['our own marks', '‹U+202E›', '‹U+2039›U+202E‹U+203A›'],
  ['piled marks', 'a\u0301\u0302\u0303\u0304', 'a\u0301\u0302‹U+0303›‹U+0304›'],
  ['what is harmless stays', 'SELECT größe, "名前" FROM t -- ok', 'SELECT größe, "名前" FROM t -- ok'],
];

test.each(CASES)('M8: %s', (_what, text, shown) => {
  expect(escapeText(text)).toBe(shown);
});

test('M8: nothing that a terminal obeys or hides survives, whatever the text', () => {
  const hostile = fc.string({
    unit: fc.oneof(
      fc
        .integer({ min: 0, max: 0x10ffff })
        .map((point) => (point >= 0xd800 && point <= 0xdfff ? String.fromCharCode(point) : String.fromCodePoint(point))),
      fc.constantFrom('\u001b', '\u202e', '\u200b', '\u009b', 'a'),
    ),
  });
  fc.assert(
    fc.property(hostile, (text) => {
      for (const shown of [escapeText(text), escapeName(text), ...escapeLines(text), ...warnings(text), ...table([{ title: 'T' }], [[text]], 40)])
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
    }),
    { numRuns: 2000 },
  );
});

test('M8: names outside ASCII show their code points, and mixed scripts', () => {
  expect(escapeName('payments')).toBe('payments');
  expect(escapeName('pаyments')).toBe('pаyments ‹U+0430, mixed scripts›');
  expect(escapeName('größe')).toBe('größe ‹U+00F6 U+00DF›');
});

test('M8: a statement is shown with warnings for look-alikes and for what cannot be seen', () => {
  expect(warnings('UPDATE pаyments SET x = 1')).toEqual(['`pаyments` has U+0430: letters of several scripts that may look alike']);
  expect(warnings("SELECT 'a\u202e'")).toEqual(['invisible or control characters: U+202E']);
  expect(warnings('SELECT 1\n\tFROM t')).toEqual([]);
});

test('lines of a statement cannot pass for ours', () => {
  expect(escapeLines('SELECT 1;\r\n\tapr_1 is approved\rx')).toEqual(['SELECT 1;', '    apr_1 is approved‹U+000D›x']);
});

test('tables fit the terminal, shorten what may be shortened and no id, and align wide letters', () => {
  const columns = [{ title: 'ID' }, { title: 'STATEMENT', shrinks: true }, { title: 'N' }];
  const rows = [
    ['apr_1', 'UPDATE payments SET status = 1 WHERE id = 2', '1'],
    ['apr_22', '名前', '22'],
  ];
  expect(table(columns, rows, 30)).toEqual(['ID      STATEMENT           N', 'apr_1   UPDATE payments S…  1', 'apr_22  名前                22']);
  expect(table(columns, rows, null)[1]).toContain('WHERE id = 2');
  // too narrow for a table: a block for each row
  expect(table(columns, rows, 17)).toEqual(['apr_1', '  STATEMENT  UPD…', '  N          1', 'apr_22', '  STATEMENT  名前', '  N          22']);
});

test('a table of many rows and one of a long text', () => {
  expect(
    table(
      [{ title: 'A' }],
      Array.from({ length: 200_000 }, () => ['x']),
      80,
    ).length,
  ).toBe(200_001);
  expect(table([{ title: 'A', shrinks: true }], [['x'.repeat(1_000_000)]], 80)[1]?.length).toBe(80);
});
