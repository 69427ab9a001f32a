/**
 * Where tokens begin and end, and nothing more (PostgreSQL's scan.l, 15 and 17): the npm parsers export no scanner. A wrong border cannot let
 * anything through, because the spliced text is parsed again and compared node by node.
 */
import {
  afterComment,
  afterDollarString,
  afterLine,
  afterQuoted,
  afterString,
  DASH,
  DOLLAR,
  DOUBLE,
  isBlank,
  isNameByte,
  QUOTE,
  SLASH,
  STAR,
} from '#client/sql-borders';

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

function latin(text: Uint8Array, start: number, end: number): string {
  return Buffer.from(text.buffer, text.byteOffset + start, end - start).toString('latin1');
}

/** Past one run of blanks, or one comment; the same offset when there is none. */
function afterBlank(text: Uint8Array, from: number): number {
  let at = from;
  while (isBlank(text[at])) at += 1;
  if (at > from) return at;
  if (text[at] === DASH && text[at + 1] === DASH) {
    return afterLine(text, at);
  }
  return text[at] === SLASH && text[at + 1] === STAR ? afterComment(text, at) : from;
}

function token(text: Uint8Array, at: number): [number, TokenKind] {
  const byte = text[at] as number;
  if (byte === QUOTE) return [afterStrings(text, at + 1, false), TOKEN.string];
  if (byte === DOUBLE) return [afterQuoted(text, at + 1), TOKEN.quoted];
  if (byte === DOLLAR) return afterDollar(text, at);
  if (!isNameByte(byte)) return [at + 1, TOKEN.other];
  const lower = byte | 32;
  if (text[at + 1] === QUOTE) {
    if (lower === 101) return [afterStrings(text, at + 2, true), TOKEN.string]; // E''
    if (lower === 98 || lower === 120 || lower === 110) return [afterStrings(text, at + 2, false), TOKEN.string]; // B'' X'' N''
  }
  if (lower === 117 && text[at + 1] === 38) {
    if (text[at + 2] === QUOTE) return [afterStrings(text, at + 3, false), TOKEN.string];
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
function afterStrings(text: Uint8Array, from: number, escapes: boolean): number {
  for (let at = afterString(text, from, escapes); ; ) {
    const next = continuation(text, at);
    if (next === null) return at;
    at = afterString(text, next, escapes);
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

/** $tag$ … $tag$, or $1, or a lone dollar. */
function afterDollar(text: Uint8Array, at: number): [number, TokenKind] {
  const string = afterDollarString(text, at);
  return string === null ? [at + 1, TOKEN.other] : [string, TOKEN.string];
}
