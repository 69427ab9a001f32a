/**
 * JSON inside a string: `{"data":"{\"ssn\":…}"}`, as text, in base64 or hexadecimal, or as a part of a token (`eyJ…`) or address (`data:`). It is masked
 * as if it stood there; where that cannot be done the whole string is withheld. What is told apart by its first bytes alone is not looked into:
 * compressed texts, and encodings of something else than JSON.
 */
export interface Inner {
  /** A document, as it may leave; null: nothing in it is masked. */
  masked(bytes: Buffer): Buffer | 'withheld' | null;
  /** Words that say what a masked value is. */
  says(text: string): boolean;
}

/** By the first bytes of a string. */
export function looksEmbedded(chunk: Buffer, start: number): boolean {
  const first = chunk[start] as number;
  if (OPENS[first] === 1) return true;
  if (BASE64_FIRST[first] !== 1) return false;
  const two = (first << 8) | (chunk[start + 1] as number);
  return CODED_OPENS.has(two) || (two === DATA && chunk.toString('latin1', start, start + 5) === 'data:');
}

/** The string that leaves instead, with its quotes; null: it leaves as it is. */
export function embedded(text: string, inner: Inner): Buffer | null {
  const plain = text.trimStart();
  if (plain.startsWith('{') || plain.startsWith('[') || plain.startsWith('"')) {
    const masked = inner.masked(Buffer.from(text.replace(/^\ufeff/, ''), 'utf8'));
    if (masked === null) return null;
    return masked === 'withheld' ? WITHHELD : Buffer.from(JSON.stringify(masked.toString('utf8')), 'utf8');
  }
  return encoded(text).some((bytes) => inner.masked(bytes) !== null || inner.says(bytes.toString('utf8'))) ? WITHHELD : null;
}

function encoded(text: string): Buffer[] {
  const bare = text.replaceAll(/\s+/g, '');
  if (HEX.test(bare) && HEX_OPENS.has(bare.slice(0, 2).toLowerCase())) return [Buffer.from(bare, 'hex')];
  return bare.split(/[.,;:]/).flatMap((part) => {
    if (!BASE64.test(part) || !BASE64_SECOND.has(part.slice(0, 2))) return [];
    const bytes = Buffer.from(part, 'base64');
    return [bytes[0] === 0xef ? bytes.subarray(3) : bytes];
  });
}

const WITHHELD: Buffer = Buffer.from('"***"');
const BASE64 = /^[A-Za-z0-9+/_-]{4,}={0,2}$/;

const HEX = /^(?:[0-9a-f]{2}){2,}$/i;
const HEX_OPENS: ReadonlySet<string> = new Set(['7b', '5b']);

/** `{`, `[`, a blank, an escape that may be one of them, or a byte order mark. */
const OPENS = tableOf('{[ \\\xef');
/** What base64 makes of a byte order mark, and of `{` and `[`, with or without a blank before, and of what may follow: `eyJ`, `W3s`, `IHs` … */
const BASE64_SECOND: ReadonlySet<string> = new Set([
  '77',
  ...['{', '[', ' ', '\n', '\r', '\t'].flatMap((first) =>
    ['"', '{', '[', ' ', '\n', '\r', '\t', '}', ']'].map((second) => Buffer.from(`${first}${second} `).toString('base64').slice(0, 2)),
  ),
]);
/** The same in numbers of two bytes, so that nothing is made of each string. */
const CODED_OPENS: ReadonlySet<number> = new Set([...BASE64_SECOND, ...HEX_OPENS, '7B', '5B'].map(numberOf));
const DATA = numberOf('da');
const BASE64_FIRST = tableOf([...BASE64_SECOND, ...HEX_OPENS, 'da'].map((two) => two[0]).join(''));

function numberOf(two: string): number {
  return Buffer.from(two, 'latin1').readUInt16BE();
}

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(characters, 'latin1')) table[byte] = 1;
  return table;
}
