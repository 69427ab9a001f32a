/** Which texts may be parsed in the enforcing thread: one pass over short bytes, no lexing. */

/** Bytes; longer texts go to a worker that can be killed. */
export const INLINE_BYTES_MAX = 4096;
/** Nested comments cost the square of their number, brackets the parser's stack: more than a person writes. */
const COMMENTS_MAX = 16;
const BRACKETS_MAX = 256;

export function mayParseInline(text: Uint8Array): boolean {
  if (text.length > INLINE_BYTES_MAX) return false;
  let comments = 0;
  let brackets = 0;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === 0x28 || byte === 0x5b) brackets += 1;
    else if (byte === 0x2f && text[at + 1] === 0x2a) comments += 1;
    if (comments > COMMENTS_MAX || brackets > BRACKETS_MAX) return false;
  }
  return true;
}
