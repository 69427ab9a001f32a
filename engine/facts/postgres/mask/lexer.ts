/**
 * Where tokens begin and end, and nothing more (PostgreSQL's scan.l, 15 and 17): the npm parsers export no scanner. A wrong border cannot let
 * anything through, because the spliced text is parsed again and compared node by node.
 */
export const TOKEN = { word: 1, quoted: 2, unicodeQuoted: 3, string: 4, other: 5 } as const;
export type TokenKind = (typeof TOKEN)[keyof typeof TOKEN];

export interface Tokens {
  readonly count: number;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly kinds: readonly TokenKind[];
}

export function tokenize(text: Uint8Array): Tokens {
  const starts: number[] = [];
  const ends: number[] = [];
  const kinds: TokenKind[] = [];
  let at = 0;
  while (at < text.length) {
    const blank = afterBlank(text, at);
    if (blank > at) {
      at = blank;
      continue;
    }
    const [end, kind] = token(text, at);
    starts.push(at);
    ends.push(end);
    kinds.push(kind);
    at = end;
  }
  return { count: starts.length, starts, ends, kinds };
}

/** The index of the token that starts exactly at `offset`, or -1. */
export function tokenAt(tokens: Tokens, offset: number): number {
  let low = 0;
  let high = tokens.count - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const start = tokens.starts[middle] as number;
    if (start === offset) return middle;
    if (start < offset) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

/** Whether token `index` is this lower-case ASCII word, in any case. */
export function isWord(text: Uint8Array, tokens: Tokens, index: number, word: string): boolean {
  if (tokens.kinds[index] !== TOKEN.word) return false;
  return latin(text, tokens.starts[index] as number, tokens.ends[index] as number).toLowerCase() === word;
}

export function isMark(text: Uint8Array, tokens: Tokens, index: number, mark: string): boolean {
  return tokens.kinds[index] === TOKEN.other && latin(text, tokens.starts[index] as number, tokens.ends[index] as number) === mark;
}

/** Bytes that continue an identifier: letters, digits, `_`, `$` and everything beyond ASCII. */
export function isNameByte(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || (byte >= 48 && byte <= 57) || byte === 95 || byte === 36 || byte >= 128;
}

const QUOTE = 39;
const DOUBLE = 34;
const DOLLAR = 36;
const DASH = 45;
const SLASH = 47;
const STAR = 42;
const BACKSLASH = 92;

function latin(text: Uint8Array, start: number, end: number): string {
  return Buffer.from(text.buffer, text.byteOffset + start, end - start).toString('latin1');
}

function isBlank(byte: number | undefined): boolean {
  return byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);
}

/** Past one run of blanks, or one comment; the same offset when there is none. */
function afterBlank(text: Uint8Array, from: number): number {
  let at = from;
  while (isBlank(text[at])) at += 1;
  if (at > from) return at;
  if (text[at] === DASH && text[at + 1] === DASH) {
    while (at < text.length && text[at] !== 10 && text[at] !== 13) at += 1;
    return at;
  }
  return text[at] === SLASH && text[at + 1] === STAR ? afterComment(text, at) : from;
}

function afterComment(text: Uint8Array, from: number): number {
  let depth = 1;
  let at = from + 2;
  while (at < text.length && depth > 0) {
    if (text[at] === SLASH && text[at + 1] === STAR) {
      depth += 1;
      at += 2;
    } else if (text[at] === STAR && text[at + 1] === SLASH) {
      depth -= 1;
      at += 2;
    } else at += 1;
  }
  return at;
}

function token(text: Uint8Array, at: number): [number, TokenKind] {
  const byte = text[at] as number;
  if (byte === QUOTE) return [afterString(text, at + 1, false), TOKEN.string];
  if (byte === DOUBLE) return [afterQuoted(text, at + 1), TOKEN.quoted];
  if (byte === DOLLAR) return afterDollar(text, at);
  if (!isNameByte(byte)) return [at + 1, TOKEN.other];
  const lower = byte | 32;
  if (text[at + 1] === QUOTE) {
    if (lower === 101) return [afterString(text, at + 2, true), TOKEN.string]; // E''
    if (lower === 98 || lower === 120 || lower === 110) return [afterString(text, at + 2, false), TOKEN.string]; // B'' X'' N''
  }
  if (lower === 117 && text[at + 1] === 38) {
    if (text[at + 2] === QUOTE) return [afterString(text, at + 3, false), TOKEN.string];
    if (text[at + 2] === DOUBLE) return [afterQuoted(text, at + 3), TOKEN.unicodeQuoted];
  }
  let end = at + 1;
  if (byte >= 48 && byte <= 57) {
    // numbers end where a name may begin: 1FROM is two tokens
    while (end < text.length && (text[end] as number) >= 48 && (text[end] as number) <= 57) end += 1;
    return [end, TOKEN.other];
  }
  while (end < text.length && isNameByte(text[end] as number)) end += 1;
  return [end, TOKEN.word];
}

/** Past the closing quote; strings that continue on a later line are one token. */
function afterString(text: Uint8Array, from: number, escapes: boolean): number {
  let at = from;
  for (;;) {
    const byte = text[at];
    if (byte === undefined) return text.length;
    if (escapes && byte === BACKSLASH) at += 2;
    else if (byte !== QUOTE) at += 1;
    else if (text[at + 1] === QUOTE) at += 2;
    else {
      const next = continuation(text, at + 1);
      if (next === null) return at + 1;
      at = next;
    }
  }
}

/** 'a' newline 'b': the offset behind the next opening quote, if only blanks with a newline stand between. */
function continuation(text: Uint8Array, from: number): number | null {
  let at = from;
  let newline = false;
  while (isBlank(text[at]) || (newline && text[at] === DASH && text[at + 1] === DASH)) {
    if (text[at] === DASH) at = afterBlank(text, at);
    else {
      newline ||= text[at] === 10 || text[at] === 13;
      at += 1;
    }
  }
  return newline && text[at] === QUOTE ? at + 1 : null;
}

function afterQuoted(text: Uint8Array, from: number): number {
  let at = from;
  while (at < text.length) {
    if (text[at] !== DOUBLE) at += 1;
    else if (text[at + 1] === DOUBLE) at += 2;
    else return at + 1;
  }
  return text.length;
}

/** $tag$ … $tag$, or $1, or a lone dollar. */
function afterDollar(text: Uint8Array, at: number): [number, TokenKind] {
  let end = at + 1;
  const first = text[end];
  if (first !== undefined && first >= 48 && first <= 57) return [at + 1, TOKEN.other];
  while (end < text.length && text[end] !== DOLLAR && isNameByte(text[end] as number)) end += 1;
  if (text[end] !== DOLLAR) return [at + 1, TOKEN.other];
  const tag = Buffer.from(text.buffer, text.byteOffset + at, end + 1 - at);
  const close = Buffer.from(text.buffer, text.byteOffset, text.length).indexOf(tag, end + 1);
  return [close < 0 ? text.length : close + tag.length, TOKEN.string];
}
