/** Bytes that may not be UTF-8, in parts that are and parts that are not. */
export interface Decoded {
  readonly valid: boolean;
  /** Of what is not valid: its bytes in hexadecimal, at most 64 in one part. */
  readonly text: string;
}

const BYTES_TOGETHER_MAX = 64;

/** Whole and in order; linear. */
export function decoded(bytes: Buffer): readonly Decoded[] {
  const found: Decoded[] = [];
  let start = 0;
  let at = 0;
  const tell = (valid: boolean, end: number): void => {
    if (end > start) found.push({ valid, text: valid ? bytes.toString('utf8', start, end) : bytes.toString('hex', start, end).toUpperCase() });
    start = end;
  };
  while (at < bytes.length) {
    const length = sequence(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    tell(true, at);
    while (at < bytes.length && at - start < BYTES_TOGETHER_MAX && !restarts(bytes, at)) at += 1;
    tell(false, at);
  }
  tell(true, at);
  return found;
}

/** Four characters in a row: fewer are told with the bytes around them. */
function restarts(bytes: Buffer, from: number): boolean {
  let at = from;
  for (let count = 0; count < 4 && at < bytes.length; count += 1) {
    const length = sequence(bytes, at);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/** Length of the well-formed sequence that starts here (Unicode, table 3-7); 0: none does. */
function sequence(bytes: Buffer, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const second = bytes[at + 1] ?? 0;
  if (first >= 0xc2 && first <= 0xdf) return follows(second) ? 2 : 0;
  const third = bytes[at + 2] ?? 0;
  if (first >= 0xe0 && first <= 0xef) {
    const low = first === 0xe0 ? 0xa0 : 0x80;
    const high = first === 0xed ? 0x9f : 0xbf;
    return second >= low && second <= high && follows(third) ? 3 : 0;
  }
  if (first < 0xf0 || first > 0xf4) return 0;
  const low = first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high && follows(third) && follows(bytes[at + 3] ?? 0) ? 4 : 0;
}

function follows(byte: number): boolean {
  return byte >= 0x80 && byte <= 0xbf;
}
