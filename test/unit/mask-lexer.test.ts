/** Token borders (MASKING.md §5): where the server's scanner sees a name, a string or a comment. */
import { expect, test } from 'vitest';
import { TOKEN, tokenize } from '#engine/facts/postgres/mask/lexer';

const KIND = Object.fromEntries(Object.entries(TOKEN).map(([name, kind]) => [kind, name]));

function tokens(text: string): readonly string[] {
  const bytes = Buffer.from(text);
  const { count, starts, ends, kinds } = tokenize(bytes);
  return Array.from({ length: count }, (_, index) => `${KIND[kinds[index] as number]} ${bytes.toString('utf8', starts[index], ends[index])}`);
}

test.each<[string, readonly string[]]>([
  ['a.b', ['word a', 'other .', 'word b']],
  ['"a""b"c', ['quoted "a""b"', 'word c']],
  [`U&"a" UESCAPE '!'`, ['unicodeQuoted U&"a"', 'word UESCAPE', `string '!'`]],
  [`u&'a'x`, [`string u&'a'`, 'word x']],
  [`'a''b\\'c`, [`string 'a''b\\'`, 'word c']],
  [`E'a\\'b'c`, [`string E'a\\'b'`, 'word c']],
  [`e'a'\n  'b\\'c'd`, [`string e'a'\n  'b\\'c'`, 'word d']],
  [`'a'\n'b'`, [`string 'a'\n'b'`]],
  [`'a' 'b'`, [`string 'a'`, `string 'b'`]],
  [`'a' -- x\n'b'`, [`string 'a'`, `string 'b'`]],
  [`b'1'X'f'n'x'`, [`string b'1'`, `string X'f'`, `string n'x'`]],
  [`name'x'`, ['word name', `string 'x'`]],
  ['$$a$b$$c', ['string $$a$b$$', 'word c']],
  ['$ä$ $$ $ä$c', ['string $ä$ $$ $ä$', 'word c']],
  ['a$b$c', ['word a$b$c']],
  ['$1x', ['other $', 'other 1', 'word x']],
  ['1FROM"x"', ['other 1', 'word FROM', 'quoted "x"']],
  ['a/*b/*c*/d*/e', ['word a', 'word e']],
  ['a--b\nc', ['word a', 'word c']],
  ['a-- b\rc', ['word a', 'word c']],
  ['größe日本', ['word größe日本']],
  ['a\t\v\f\r\nb', ['word a', 'word b']],
  [`'open`, [`string 'open`]],
  ['$q$open', ['string $q$open']],
  ['/*open', []],
  ['', []],
])('%j', (text, expected) => {
  expect(tokens(text)).toEqual(expected);
});
