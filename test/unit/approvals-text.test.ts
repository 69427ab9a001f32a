/** What a reviewer reads of a text (A7, M8): everything, and nothing that cannot be seen. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { lex } from '#engine/approvals/text/lexer';
import { reviewText, REVIEW_BYTES_MAX, whyNotReviewable } from '#engine/approvals/text/text';
import { reviewLines } from '#engine/cli/review';
import { shown } from '#client/shown';
import type { ReviewText } from '#schemas/review';
import type { CorpusCase } from '#test/corpus/case';
import { openFacts } from '#test/support/facts';

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}` as const;

function review(text: string | Uint8Array): ReviewText {
  return reviewText({ text: typeof text === 'string' ? Buffer.from(text) : text, digest: DIGEST });
}
/** Hidden tokens in brackets, as a console may draw them. */
function drawn(text: ReviewText): string[] {
  return text.statements.map(({ tokens }) => tokens.map((token) => (token.kind === 'hidden' ? `‹${token.text}›` : token.text)).join(''));
}
/** The code points that a terminal or a browser would act on or hide (M8); line feeds are shown as line ends. */
function unsafe(text: string): string[] {
  return Array.from(text).filter((char) => {
    const point = char.codePointAt(0) ?? 0;
    return char !== '\n' && HIDDEN.some(([from, to]) => point >= from && point <= to);
  });
}
const HIDDEN: readonly (readonly [from: number, to: number])[] = [
  [0, 0x1f],
  [0x7f, 0x9f],
  [0xad, 0xad],
  [0x61c, 0x61c],
  [0x180e, 0x180e],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x3164, 0x3164],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xfff9, 0xfffb],
  [0xe0000, 0xe01ef],
];

describe('shows', () => {
  test.each<[string, string, string[], string[]]>([
    [
      'bidi',
      "delete from t where a = 'x\u202ey'",
      ["delete from t where a = 'x‹U+202E RIGHT-TO-LEFT OVERRIDE›y'"],
      ['1 hidden character: U+202E RIGHT-TO-LEFT OVERRIDE'],
    ],
    ['zero width', 'select pass\u200bword', ['select pass‹U+200B ZERO WIDTH SPACE›word'], ['1 hidden character: U+200B ZERO WIDTH SPACE']],
    ['escape sequences', "select '\u001b[2Kok'", ["select '‹U+001B ESCAPE›[2Kok'"], ['1 hidden character: U+001B ESCAPE']],
    [
      'a carriage return, which ends a comment',
      'select 1 -- \rdelete',
      ['select 1 -- ‹U+000D CARRIAGE RETURN›delete'],
      ['1 hidden character: U+000D CARRIAGE RETURN'],
    ],
    ['tags', 'select 1\u{e0041}', ['select 1‹U+E0041 TAG A›'], ['1 hidden character: U+E0041 TAG A']],
    ['variation selectors', 'select a\ufe0f', ['select a‹U+FE0F VARIATION SELECTOR›'], ['1 hidden character: U+FE0F VARIATION SELECTOR']],
    [
      'our own marks',
      'select "‹U+202E›"',
      ['select "‹U+2039 SINGLE LEFT-POINTING ANGLE QUOTATION MARK›U+202E‹U+203A SINGLE RIGHT-POINTING ANGLE QUOTATION MARK›"'],
      ['2 hidden characters: U+2039 SINGLE LEFT-POINTING ANGLE QUOTATION MARK, U+203A SINGLE RIGHT-POINTING ANGLE QUOTATION MARK'],
    ],
    [
      'a pile of marks',
      'select a\u0301\u0301\u0301\u0301',
      ['select a\u0301\u0301‹U+0301 COMBINING MARK, 2 times›'],
      ['2 hidden characters: U+0301 COMBINING MARK (2 times)', '`a\u0301\u0301` has U+0301 COMBINING MARK'],
    ],
    [
      'a letter that looks like another',
      'drop table p\u0430yments',
      ['drop table p\u0430yments‹U+0430›'],
      ['`p\u0430yments` has U+0430: letters of several scripts that may look alike'],
    ],
    ['a name in letters of its own', 'select größe', ['select größe'], ['`größe` has U+00F6 U+00DF']],
    [
      '20,000 spaces before a second statement',
      `select 1;${' '.repeat(20_000)}drop table t`,
      ['select 1;', '‹20,000 spaces›drop table t'],
      ['2 statements', 'long runs of blanks: 20,000 spaces'],
    ],
    [
      '3,000 lines before a second statement',
      `select 1;${'\n'.repeat(3_000)}drop table t`,
      ['select 1;', '‹3,000 line breaks›\n\n\ndrop table t'],
      ['2 statements', 'long runs of blanks: 3,000 line breaks'],
    ],
    [
      'a WHERE inside a comment',
      'delete from t -- where id = 1',
      ['delete from t -- where id = 1'],
      ['a comment holds WHERE: what stands in a comment has no effect'],
    ],
    ['a name that looks like a condition', 'delete from "t where id = 1"', ['delete from "t where id = 1"'], ['"t where id = 1" is a name']],
    ['line ends of Windows and tabs', 'select\r\n\t1', ['select\n    1'], []],
    ['a comment that ends where it does not seem to', 'select 1 /* /* */ ; drop table t */', ['select 1 /* /* */ ; drop table t */'], []],
    ['bytes that are no text', '', [''], []],
  ])('%s', (_, given, shown, warnings) => {
    const text = review(given);
    expect(drawn(text)).toEqual(shown);
    expect(text.warnings).toEqual(warnings);
    expect(text.complete).toBe(true);
  });

  test('bytes that are not UTF-8', () => {
    const text = review(Buffer.from("select '\xff\xfe' from t", 'latin1'));
    expect(drawn(text)).toEqual(["select '‹bytes that are not UTF-8: FFFE›' from t"]);
    expect(text.warnings).toEqual(['2 bytes not UTF-8']);
  });

  test('the prefix of the digest, the length and the lines', () => {
    expect(review('select 1;\nselect 2')).toMatchObject({ bytes: 18, lines: 2, digest: DIGEST, digest_prefix: '0123456789ab' });
  });

  test.each([
    ['delete from t', 'DELETE'],
    ['  -- x\n create or replace function f() returns int language sql as $$ select 1; delete from t $$', 'CREATE FUNCTION'],
    ['create unique index on t (a)', 'CREATE INDEX'],
    ['alter table t drop column a', 'ALTER TABLE'],
    ['with x as (delete from t returning a) insert into u select a from x', 'WITH … INSERT'],
    ['(select 1)', 'SELECT'],
    ['drop materialized view v', 'DROP MATERIALIZED VIEW'],
  ])('the kind of %s', (text, kind) => {
    expect(review(text).statements.map((one) => one.kind)).toEqual([kind]);
  });
});

describe('parameters', () => {
  const given = (params: readonly (string | null)[]): ReviewText =>
    reviewText({ text: Buffer.from('select $1'), digest: DIGEST, params, paramTypes: ['text', 'int4'] });

  test('are shown as what they are', () => {
    expect(given(["it's\u202e", null]).params).toEqual([
      {
        number: 1,
        type: 'text',
        tokens: [
          { kind: 'string', text: "'it''s" },
          { kind: 'hidden', text: 'U+202E RIGHT-TO-LEFT OVERRIDE' },
          { kind: 'string', text: "'" },
        ],
      },
      { number: 2, type: 'int4', tokens: [{ kind: 'keyword', text: 'NULL' }] },
    ]);
    expect(given(["it's\u202e"]).warnings).toEqual(['1 hidden character: U+202E RIGHT-TO-LEFT OVERRIDE']);
    expect(reviewLines(given(['a\nb']), 80).slice(-2)).toEqual(["  $1 | 'a", "     ' b'   (text)"]);
  });
  test('that are too long to be shown cannot be approved', () => {
    expect(given(['x'.repeat(2 * REVIEW_BYTES_MAX)]).complete).toBe(true);
    const shown = given(['x'.repeat(2 * REVIEW_BYTES_MAX + 1)]);
    expect([shown.complete, shown.params, shown.statements.length]).toEqual([false, undefined, 1]);
  });
});

describe('nothing that is cut off can be approved', () => {
  test('over one MiB', () => {
    const text = Buffer.alloc(REVIEW_BYTES_MAX + 1, 'select 1 ');
    expect(review(text).complete).toBe(false);
    expect(review(text).warnings[0]).toBe('only the first 65,536 of 1,048,577 bytes are shown: it cannot be approved');
    expect(whyNotReviewable(text)).not.toBeNull();
    expect(review(text.subarray(1)).complete).toBe(true);
  });
  test('not kept in clear', () => {
    expect(reviewText({ text: null, digest: DIGEST })).toMatchObject({ complete: false, statements: [] });
  });
  test('of very many statements the last are shown as one, whole', () => {
    const text = review('select 1;'.repeat(10_001));
    expect([text.complete, text.statements.length]).toEqual([true, 10_000]);
    expect(drawn(text).at(-1)).toBe('select 1;select 1;');
    expect(text.warnings).toEqual(['10,001 statements; from the 10,000th on they are shown as one']);
  });
});

const nasty = fc.array(
  fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      "'",
      '"',
      '$$',
      '$a$',
      '--',
      '/*',
      '*/',
      "E'",
      '\\',
      ';',
      '\n',
      '\r',
      ' ',
      '\t',
      '\u202e',
      '\u200b',
      '\u0301',
      '‹',
      '›',
      '\u{e0041}',
      'pа',
      '(',
      ')',
    ),
    fc.constantFrom(' '.repeat(50), '\n'.repeat(9), '\t'.repeat(20), 'select', 'where', 'begin atomic', 'case', 'end'),
  ),
  { maxLength: 40 },
);

describe('a quarter of a MiB of anything', () => {
  test.each<[string, Buffer]>(
    [
      'a,',
      'a \n',
      "'\u200b'",
      'a\u200b',
      'p\u0430 ',
      'a\u0301\u0301\u0301\u0301',
      '-- WHERE x\n',
      '/*',
      '$a$',
      '"a b" ',
      ' \t',
      '\n ',
      '\n\n\n \r',
      'begin atomic ',
      '((',
    ].map((unit) => [JSON.stringify(unit), Buffer.alloc(REVIEW_BYTES_MAX / 4, unit)]),
  )('%s', (_, bytes) => {
    const text = review(bytes);
    expect(text.complete).toBe(true);
    expect(text.statements.reduce((sum, { tokens }) => sum + tokens.length, 0)).toBeLessThanOrEqual(20_001);
    expect(JSON.stringify(text).length).toBeLessThan(4 * REVIEW_BYTES_MAX);
  });
});

describe('for any text', () => {
  test('the pieces cover it, in order', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          nasty.map((parts) => Buffer.from(parts.join(''))),
        ),
        (bytes) => {
          const { ends, kinds, count } = lex(bytes);
          expect(ends.length).toBe(count);
          expect(kinds.length).toBe(count);
          let before = 0;
          for (const end of ends) {
            expect(end).toBeGreaterThan(before);
            before = end;
          }
          expect(before).toBe(bytes.length);
        },
      ),
    );
  });

  test('nothing is left out: what is shown is the text, but for what is hidden and counted', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.constantFrom("'", '"', '$$', '--', '/*', '*/', ';', '\n', 'é')), { maxLength: 40 }), (parts) => {
        const given = parts.join('').normalize('NFC');
        fc.pre(!/ {41}|\n[ \t]*\n[ \t]*\n[ \t]*\n/.test(given));
        const shown = review(given).statements.flatMap(({ tokens }) => tokens.filter(({ kind }) => kind !== 'hidden').map(({ text }) => text));
        expect(shown.join('')).toBe(given);
      }),
    );
  });

  test('M8: nothing that is shown controls a terminal or a page', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 300 }),
          nasty.map((parts) => Buffer.from(parts.join(''))),
        ),
        (bytes) => {
          const text = review(bytes);
          for (const { tokens } of text.statements) for (const token of tokens) expect(unsafe(token.text)).toEqual([]);
          for (const warning of text.warnings) expect(unsafe(warning)).toEqual([]);
          for (const line of reviewLines(text, 80)) expect([unsafe(line), line.includes('\n')]).toEqual([[], false]);
        },
      ),
    );
  });
});

test('what was made safe once is not made safe again', () => {
  fc.assert(fc.property(nasty, (parts) => shown(shown(parts.join(''))) === shown(parts.join(''))));
  expect(unsafe(shown('‹U+202E \u202e›'))).toEqual([]);
  // a letter that is not seen carries no mark either
  for (const text of ['\u115f\u0301', 'a\u034f\u0301', '\u180b\u0301\u0302', '\u{e0021}']) expect(shown(shown(text))).toBe(shown(text));
});

const CORPUS = ['public/sql', 'public/mask', 'cases/classes', 'cases/masks', 'cases/more', 'cases/orm'].flatMap((file) =>
  readFileSync(new URL(`../corpus/${file}.jsonl`, import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as CorpusCase),
);

describe('the corpus', () => {
  const facts = openFacts();
  afterAll(() => facts.close());

  test('every text is shown whole and safe, with as many statements as the parser finds', async () => {
    const texts = [...new Set(CORPUS.flatMap(({ payload, steps = [] }) => [payload, ...steps.flatMap(({ sql }) => sql ?? [])]))];
    expect(texts.length).toBeGreaterThan(500);
    for (const text of texts) {
      const read = await facts.read(text, { major: 17 });
      const sent = read.statements.filter(({ parent }) => parent === null);
      const shown = review(text);
      expect(shown.complete).toBe(true);
      expect(unsafe(drawn(shown).join())).toEqual([]);
      if (read.parsed && sent.length > 0) expect([text, shown.statements.length]).toEqual([text, sent.length]);
      const given = reviewText({ text: Buffer.from(text), digest: DIGEST, statements: sent.map(({ span, kind }) => ({ start: span.start, kind })) });
      if (sent.length > 0) expect(given.statements.length).toBe(sent.length);
    }
  });

  test.each<[string, string[]]>([
    ['select begin atomic; drop table t', ['SELECT', 'DROP TABLE']],
    ['create table x as select begin atomic from t; drop table t', ['CREATE TABLE', 'DROP TABLE']],
    ['create function f() returns int language sql begin atomic select 1 as case; end; drop table t', ['CREATE FUNCTION', 'DROP TABLE']],
    [
      'create function f() returns int language sql begin atomic select 1 case; select case when true then 1 end; end; drop table t',
      ['CREATE FUNCTION', 'DROP TABLE'],
    ],
    ['create function f() returns int language sql return (select begin atomic from t); drop table t', ['CREATE FUNCTION', 'DROP TABLE']],
    ['create rule r as on insert to t do also (delete from a; delete from b); drop table t', ['CREATE RULE', 'DROP TABLE']],
  ])('A7: no name makes one of two statements: %s', async (text, kinds) => {
    expect(review(text).statements.map(({ kind }) => kind)).toEqual(kinds);
    const read = await facts.read(text, { major: 17 });
    expect([read.parsed, read.statements.filter(({ parent }) => parent === null).length]).toEqual([true, kinds.length]);
  });

  const WORDS = [
    'begin',
    'atomic',
    'case',
    'when',
    'then',
    'else',
    'end',
    'as',
    'select',
    '1',
    'a',
    ',',
    ';',
    '(',
    ')',
    '=',
    "'",
    '$$',
    '--\n',
    '/*',
    '*/',
    '"',
  ];
  const FUNCTION = 'create function f() returns int language sql begin atomic';
  test('A7: no text has more statements than are numbered', async () => {
    const words = fc.array(fc.constantFrom(...WORDS, FUNCTION, 'select 1;', 'drop table t;', 'select case when a then 1 end;', 'end;'), {
      maxLength: 14,
    });
    await fc.assert(
      fc.asyncProperty(words, async (some) => {
        const text = some.join(' ');
        const read = await facts.read(text, { major: 17 });
        const sent = read.statements.filter(({ parent }) => parent === null).length;
        return !read.parsed || review(text).statements.length >= sent;
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['sql-appr-bidi', 'hidden characters'],
    ['sql-appr-cr', 'U+000D CARRIAGE RETURN'],
    ['sql-appr-newlines', '3,000 line breaks'],
    ['sql-appr-tag-chars', 'TAG'],
    ['sql-appr-truncated', '2 statements'],
    ['sql-drop-bom', 'U+FEFF ZERO WIDTH NO-BREAK SPACE'],
    ['sql-drop-cr-terminates-comment', 'U+000D CARRIAGE RETURN'],
  ])('A7: %s is seen, and said', (id, said) => {
    const text = review(CORPUS.find((one) => one.id === id)?.payload ?? '');
    expect(text.warnings.join('; ')).toContain(said);
    expect(reviewLines(text, 100).join('\n')).toContain(said);
    expect(reviewLines(text, 100).length).toBeLessThan(30);
  });
});

describe('on a terminal', () => {
  test('statements have numbers, and what goes on in a string or a comment has a bar of its own', () => {
    const text = review("select 'a\n2 | drop table t' /* b\n3 | c */;\ndelete from t");
    expect(reviewLines(text, 80)).toEqual([
      'statement  56 bytes, 4 lines, 2 statements, digest 0123456789ab',
      '  ! 2 statements',
      "  1 | select 'a",
      "    ' 2 | drop table t' /* b",
      '    # 3 | c */;',
      '  2 | delete from t',
    ]);
  });
  test('what the width breaks begins with another bar', () => {
    const lines = reviewLines(review(`select '${'a'.repeat(40)} 2 | drop'`), 40);
    expect(lines.slice(1)).toEqual([`  1 | select '${'a'.repeat(26)}`, `    : ${'a'.repeat(14)} 2 | drop'`]);
  });
  test('a gateway that does not escape is not believed', () => {
    const text = review('select 1');
    const evil = { ...text, statements: [{ number: 1, kind: 'SELECT', tokens: [{ kind: 'name' as const, text: '\u001b[2J\u202e' }] }] };
    expect(reviewLines(evil, 80).at(-1)).toBe('  1 | ‹U+001B›[2J‹U+202E›');
  });
});
