/**
 * Where the tokens of a PostgreSQL text begin and end (scan.l, 15 and 17), blanks and comments too: the pieces cover the whole text, whatever it
 * is. Works on bytes, so its offsets are those of the facts, and texts that are not UTF-8 have pieces as well. One pass, linear.
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
  isDigit,
  isNameByte,
  QUOTE,
  SLASH,
  STAR,
} from '#client/sql-borders';

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

function afterBlank(text: Uint8Array, from: number): number {
  let at = from + 1;
  while (isBlank(text[at])) at += 1;
  return at;
}

function hasNewline(text: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (text[at] === 10 || text[at] === 13) return true;
  return false;
}

/** $tag$ … $tag$, or $1, or a lone dollar. */
function afterDollar(text: Uint8Array, at: number): [number, LexedKind] {
  const string = afterDollarString(text, at);
  if (string !== null) return [string, LEXED.string];
  let end = at + 1;
  while (isDigit(text[end])) end += 1;
  return [end, end > at + 1 ? LEXED.parameter : LEXED.other];
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
