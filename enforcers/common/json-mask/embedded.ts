/**
 * JSON inside a string: `{"data":"{\"ssn\":…}"}`, as text, in base64, or as a part of a token (`eyJ…`). It is masked as if it stood there; where
 * that cannot be done the whole string is withheld. What is told apart by its first bytes alone is not looked into: other encodings
 * (hexadecimal, percent, compressed) and texts that only contain JSON further on.
 */
export type Inner = (bytes: Buffer) => Buffer | 'withheld' | null;

/** By the first bytes of a string: null: two of them are needed. */
export function looksEmbedded(chunk: Buffer, start: number): boolean | null {
  const first = chunk[start];
  if (first === undefined) return null;
  if (OPENS[first] === 1) return true;
  if (BASE64_FIRST[first] !== 1) return false;
  const second = chunk[start + 1];
  if (second === undefined) return null;
  return BASE64_SECOND.has(String.fromCharCode(first, second));
}

/** The string that leaves instead, with its quotes; null: it leaves as it is. */
export function embedded(text: string, inner: Inner): Buffer | null {
  const plain = text.trimStart();
  if (plain.startsWith('{') || plain.startsWith('[') || plain.startsWith('"')) {
    const masked = inner(Buffer.from(text, 'utf8'));
    if (masked === null) return null;
    return masked === 'withheld' ? WITHHELD : Buffer.from(JSON.stringify(masked.toString('utf8')), 'utf8');
  }
  for (const part of text.replaceAll(/\s+/g, '').split('.')) {
    if (!BASE64.test(part) || !BASE64_SECOND.has(part.slice(0, 2))) continue;
    if (inner(Buffer.from(part, 'base64')) !== null) return WITHHELD;
  }
  return null;
}

const WITHHELD: Buffer = Buffer.from('"***"');
const BASE64 = /^[A-Za-z0-9+/_-]{4,}={0,2}$/;

/** `{`, `[`, a blank, or an escape that may be one of them. */
const OPENS = tableOf('{[ \\');
/** What base64 makes of `{` and `[`, with or without a blank before, and of what may follow: `eyJ`, `W3s`, `IHs` … */
const BASE64_SECOND: ReadonlySet<string> = new Set(
  ['{', '[', ' ', '\n', '\r', '\t'].flatMap((first) =>
    ['"', '{', '[', ' ', '\n', '\r', '\t', '}', ']'].map((second) => Buffer.from(`${first}${second} `).toString('base64').slice(0, 2)),
  ),
);
const BASE64_FIRST = tableOf([...BASE64_SECOND].map((two) => two[0]).join(''));

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(characters, 'latin1')) table[byte] = 1;
  return table;
}
