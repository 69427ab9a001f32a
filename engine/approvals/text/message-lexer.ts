/**
 * The pieces of a request of HTTP or MCP: strings in double quotes, numbers, words, blanks. Nothing in it is a comment, so nothing of it is ever
 * shown as one: SQL's reading would call what follows `--` in a form a comment. One pass, linear; the pieces cover the whole text.
 */
import { isBlank, isDigit, isNameByte } from '#client/sql-borders';
import { type Lexed, LEXED, type LexedKind } from './lexer.ts';

const DOUBLE = 34;
const BACKSLASH = 92;
const NEWLINE = 10;

export function lexMessage(text: Uint8Array): Lexed {
  const kinds: LexedKind[] = [];
  const ends: number[] = [];
  for (let at = 0; at < text.length; ) {
    const [end, kind] = piece(text, at);
    kinds.push(kind);
    ends.push(end);
    at = end;
  }
  return { count: kinds.length, kinds, ends };
}

function piece(text: Uint8Array, at: number): [number, LexedKind] {
  const byte = text[at] as number;
  if (isBlank(byte)) return [after(text, at, isBlank), LEXED.space];
  if (byte === DOUBLE) return string(text, at + 1);
  if (isDigit(byte)) return [after(text, at, isDigit), LEXED.number];
  if (isNameByte(byte)) return [after(text, at, isNameByte), LEXED.quoted];
  return [at + 1, LEXED.other];
}

function after(text: Uint8Array, from: number, isPart: (byte: number) => boolean): number {
  let at = from + 1;
  while (at < text.length && isPart(text[at] as number)) at += 1;
  return at;
}

/** One that has no end on its line is not one: then the rest of the line is one piece, so that no text is looked through twice. */
function string(text: Uint8Array, from: number): [number, LexedKind] {
  for (let at = from; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === BACKSLASH) at += 1;
    else if (byte === DOUBLE) return [at + 1, LEXED.string];
    else if (byte === NEWLINE) return [at, LEXED.other];
  }
  return [text.length, LEXED.other];
}
