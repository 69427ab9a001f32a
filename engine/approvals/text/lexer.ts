/**
 * Where the tokens of a PostgreSQL text begin and end (scan.l, 15 and 17), blanks and comments too: the pieces cover the whole text, whatever it
 * is. Works on bytes, so its offsets are those of the facts, and texts that are not UTF-8 have pieces as well. One pass, linear.
 */

export const LEXED = {
  word: 1,
  quoted: 2,
  string: 3,
  number: 4,
  operator: 5,
  mark: 6,
  comment: 7,
  parameter: 8,
  space: 9,
  other: 10,
} as const;
export type LexedKind = (typeof LEXED)[keyof typeof LEXED];

/** Piece `i` is [ends[i-1] or 0, ends[i]). */
export interface Lexed {
  readonly count: number;
  readonly kinds: readonly LexedKind[];
  readonly ends: readonly number[];
}

export function lex(text: Uint8Array): Lexed {
  const kinds: LexedKind[] = [];
  const ends: number[] = [];
  /** 'a' newline 'b' is one string: the second part is read as the first was. */
  let goesOn: { readonly escapes: boolean; newline: boolean } | null = null;
  let at = 0;
  while (at < text.length) {
    let end: number;
    let kind: LexedKind;
    if (goesOn?.newline === true && text[at] === QUOTE) {
      [end, kind] = [afterString(text, at + 1, goesOn.escapes), LEXED.string];
      goesOn.newline = false;
    } else {
      [end, kind] = piece(text, at);
      if (kind === LEXED.string && text[at] !== DOLLAR) goesOn = { escapes: ((text[at] as number) | 32) === 101, newline: false };
      else if (kind === LEXED.space) {
        if (goesOn !== null) goesOn.newline ||= hasNewline(text, at, end);
      } else if (kind !== LEXED.comment || text[at] === SLASH || goesOn?.newline !== true) goesOn = null;
    }
    kinds.push(kind);
    ends.push(end);
    at = end;
  }
  return { count: kinds.length, kinds, ends };
}

const QUOTE = 39;
const DOUBLE = 34;
const DOLLAR = 36;
const DASH = 45;
const SLASH = 47;
const STAR = 42;
const BACKSLASH = 92;
const DOT = 46;

/** What each ASCII byte starts or is. */
const OPERATOR = new Set(Array.from('+-*/<>=~!@#%^&|`?', (char) => char.charCodeAt(0)));
const MARKS = new Set(Array.from('()[]{},;:.', (char) => char.charCodeAt(0)));

function piece(text: Uint8Array, at: number): [number, LexedKind] {
  const byte = text[at] as number;
  const next = text[at + 1];
  if (isBlank(byte)) return [afterBlank(text, at), LEXED.space];
  if (byte === DASH && next === DASH) return [afterLine(text, at), LEXED.comment];
  if (byte === SLASH && next === STAR) return [afterComment(text, at), LEXED.comment];
  if (byte === QUOTE) return [afterString(text, at + 1, false), LEXED.string];
  if (byte === DOUBLE) return [afterQuoted(text, at + 1), LEXED.quoted];
  if (byte === DOLLAR) return afterDollar(text, at);
  if (isDigit(byte) || (byte === DOT && isDigit(next))) return [afterNumber(text, at), LEXED.number];
  if (isNameByte(byte)) return word(text, at);
  if (OPERATOR.has(byte)) return [afterOperator(text, at), LEXED.operator];
  return [at + 1, MARKS.has(byte) ? LEXED.mark : LEXED.other];
}

function word(text: Uint8Array, at: number): [number, LexedKind] {
  const lower = (text[at] as number) | 32;
  if (text[at + 1] === QUOTE) {
    if (lower === 101) return [afterString(text, at + 2, true), LEXED.string]; // E''
    if (lower === 98 || lower === 120 || lower === 110) return [afterString(text, at + 2, false), LEXED.string]; // B'' X'' N''
  }
  if (lower === 117 && text[at + 1] === 38) {
    if (text[at + 2] === QUOTE) return [afterString(text, at + 3, false), LEXED.string]; // U&''
    if (text[at + 2] === DOUBLE) return [afterQuoted(text, at + 3), LEXED.quoted]; // U&""
  }
  let end = at + 1;
  while (end < text.length && isNameByte(text[end] as number)) end += 1;
  return [end, LEXED.word];
}

/** Letters, digits, `_`, `$` and everything beyond ASCII. */
function isNameByte(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || isDigit(byte) || byte === 95 || byte === DOLLAR || byte >= 128;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);
}

function afterBlank(text: Uint8Array, from: number): number {
  let at = from + 1;
  while (isBlank(text[at])) at += 1;
  return at;
}

function hasNewline(text: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (text[at] === 10 || text[at] === 13) return true;
  return false;
}

/** A carriage return ends it too. */
function afterLine(text: Uint8Array, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== 10 && text[at] !== 13) at += 1;
  return at;
}

/** They nest. */
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
  return Math.min(at, text.length);
}

function afterString(text: Uint8Array, from: number, escapes: boolean): number {
  let at = from;
  while (at < text.length) {
    if (escapes && text[at] === BACKSLASH) at += 2;
    else if (text[at] !== QUOTE) at += 1;
    else if (text[at + 1] === QUOTE) at += 2;
    else return at + 1;
  }
  return text.length;
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
function afterDollar(text: Uint8Array, at: number): [number, LexedKind] {
  let end = at + 1;
  if (isDigit(text[end])) {
    while (isDigit(text[end])) end += 1;
    return [end, LEXED.parameter];
  }
  while (end < text.length && text[end] !== DOLLAR && isNameByte(text[end] as number)) end += 1;
  if (text[end] !== DOLLAR) return [at + 1, LEXED.other];
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  const tag = bytes.subarray(at, end + 1);
  const close = bytes.indexOf(tag, end + 1);
  return [close < 0 ? text.length : close + tag.length, LEXED.string];
}

/** 12 1.5 .5 1e-3; two dots are a range of PL/pgSQL. */
function afterNumber(text: Uint8Array, from: number): number {
  let at = from;
  while (isDigit(text[at])) at += 1;
  if (text[at] === DOT && text[at + 1] !== DOT) {
    at += 1;
    while (isDigit(text[at])) at += 1;
  }
  if (((text[at] ?? 0) | 32) !== 101) return at;
  const sign = text[at + 1] === 43 || text[at + 1] === DASH ? 1 : 0;
  if (!isDigit(text[at + 1 + sign])) return at;
  at += 1 + sign;
  while (isDigit(text[at])) at += 1;
  return at;
}

/** The longest run, up to where a comment begins. */
function afterOperator(text: Uint8Array, from: number): number {
  let at = from + 1;
  while (OPERATOR.has(text[at] as number)) {
    if ((text[at] === DASH && text[at + 1] === DASH) || (text[at] === SLASH && text[at + 1] === STAR)) break;
    at += 1;
  }
  return at;
}
