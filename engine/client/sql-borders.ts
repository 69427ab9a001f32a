/** Where the pieces of a PostgreSQL text end (scan.l, 15 and 17), in bytes: what the splice of masks and the text for reviewers share. */

export const QUOTE = 39;
export const DOUBLE = 34;
export const DOLLAR = 36;
export const DASH = 45;
export const SLASH = 47;
export const STAR = 42;
export const BACKSLASH = 92;

/** Bytes that continue an identifier: letters, digits, `_`, `$` and everything beyond ASCII. */
export function isNameByte(byte: number): boolean {
  return (byte >= 97 && byte <= 122) || (byte >= 65 && byte <= 90) || isDigit(byte) || byte === 95 || byte === DOLLAR || byte >= 128;
}

export function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

export function isBlank(byte: number | undefined): boolean {
  return byte === 32 || (byte !== undefined && byte >= 9 && byte <= 13);
}

/** Of a `--` comment: a carriage return ends it too. */
export function afterLine(text: Uint8Array, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== 10 && text[at] !== 13) at += 1;
  return at;
}

/** Of a comment that starts at `from`: they nest. */
export function afterComment(text: Uint8Array, from: number): number {
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

/** Behind the closing quote of one string, whose opening one stands before `from`. */
export function afterString(text: Uint8Array, from: number, escapes: boolean): number {
  let at = from;
  while (at < text.length) {
    if (escapes && text[at] === BACKSLASH) at += 2;
    else if (text[at] !== QUOTE) at += 1;
    else if (text[at + 1] === QUOTE) at += 2;
    else return at + 1;
  }
  return text.length;
}

/** The same of a quoted identifier. */
export function afterQuoted(text: Uint8Array, from: number): number {
  let at = from;
  while (at < text.length) {
    if (text[at] !== DOUBLE) at += 1;
    else if (text[at + 1] === DOUBLE) at += 2;
    else return at + 1;
  }
  return text.length;
}

/** Of `$tag$ … $tag$` at this dollar; null: it opens no string (`$1`, a lone dollar). */
export function afterDollarString(text: Uint8Array, at: number): number | null {
  let end = at + 1;
  if (isDigit(text[end])) return null;
  while (end < text.length && text[end] !== DOLLAR && isNameByte(text[end] as number)) end += 1;
  if (text[end] !== DOLLAR) return null;
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  const tag = bytes.subarray(at, end + 1);
  const close = bytes.indexOf(tag, end + 1);
  return close < 0 ? text.length : close + tag.length;
}
