/** Where tokens of JSON end (RFC 8259 §6, §7). A token that the chunk breaks is taken up again where the scan stopped. */
import { ANSWER_LIMITS } from './limits.ts';
import { MaskFault } from './mask-fault.ts';

export const SCAN = {
  TAB: 0x09,
  LF: 0x0a,
  CR: 0x0d,
  SPACE: 0x20,
  QUOTE: 0x22,
  COMMA: 0x2c,
  MINUS: 0x2d,
  COLON: 0x3a,
  OPEN_LIST: 0x5b,
  BACKSLASH: 0x5c,
  CLOSE_LIST: 0x5d,
  LETTER_F: 0x66,
  LETTER_N: 0x6e,
  LETTER_T: 0x74,
  LETTER_U: 0x75,
  OPEN_OBJECT: 0x7b,
  CLOSE_OBJECT: 0x7d,
} as const;

export class JsonScan {
  /** Where the string that is not complete goes on; in the chunk, and after `shift` in what is held of it. */
  resume = 0;
  /** So far it has no escapes and no byte above 0x7f. */
  plain = true;
  /** So far it has some. */
  escaped = false;
  #going = false;

  /** The closing quote, or -1: it is not there yet. `from`: its first byte, or whatever is known of it. @throws MaskFault */
  string(chunk: Buffer, from: number): number {
    const end = chunk.length;
    let at = this.#going ? this.resume : from;
    let bits = 0;
    while (at < end) {
      const byte = chunk[at] as number;
      if (byte === QUOTE) {
        if (bits >= 0x80) this.plain = false;
        return at;
      }
      if (byte === BACKSLASH) {
        this.plain = false;
        this.escaped = true;
        const next = escape(chunk, at, end);
        if (next < 0) break;
        at = next;
        continue;
      }
      if (byte < 0x20) throw new MaskFault('it is not JSON');
      bits |= byte;
      at++;
    }
    if (bits >= 0x80) this.plain = false;
    this.resume = at;
    this.#going = true;
    return -1;
  }

  /** The string ended. */
  reset(): void {
    this.plain = true;
    this.escaped = false;
    this.#going = false;
  }

  /** What is held of the chunk starts there. */
  shift(start: number): void {
    this.resume -= start;
  }

  /** Behind a number or a word, or -1: it is not there yet. @throws MaskFault */
  scalar(chunk: Buffer, start: number, ending: boolean): number {
    const end = chunk.length;
    let at = start;
    while (at < end && IN_SCALAR[chunk[at] as number] === 1) at++;
    if (at - start > ANSWER_LIMITS.keyBytes) throw new MaskFault('a number is too long');
    if (at === end && !ending) return -1;
    if (isNumber(chunk, start, at) || isWord(chunk, start, at)) return at;
    throw new MaskFault('it is not JSON');
  }
}

function escape(chunk: Buffer, at: number, end: number): number {
  if (at + 1 >= end) return -1;
  const letter = chunk[at + 1] as number;
  if (letter !== SCAN.LETTER_U) {
    if (ESCAPES[letter] !== 1) throw new MaskFault('it is not JSON');
    return at + 2;
  }
  for (let hex = at + 2; hex < at + 6; hex++) {
    if (hex >= end) return -1;
    if (HEX[chunk[hex] as number] !== 1) throw new MaskFault('it is not JSON');
  }
  return at + 6;
}

/** `true`, `false` or `null` */
function isWord(chunk: Buffer, start: number, end: number): boolean {
  const word = chunk[start] === SCAN.LETTER_T ? TRUE : chunk[start] === SCAN.LETTER_F ? FALSE : NULL;
  if (end - start !== word.length) return false;
  for (let at = 0; at < word.length; at++) if (chunk[start + at] !== word[at]) return false;
  return true;
}

/** `-? (0 | [1-9][0-9]*) ("." [0-9]+)? ([eE] [+-]? [0-9]+)?` */
function isNumber(chunk: Buffer, start: number, end: number): boolean {
  let at = chunk[start] === SCAN.MINUS ? start + 1 : start;
  const whole = at;
  at = digits(chunk, at, end);
  if (at === whole || (at > whole + 1 && chunk[whole] === ZERO)) return false;
  if (at < end && chunk[at] === POINT) {
    const fraction = at + 1;
    at = digits(chunk, fraction, end);
    if (at === fraction) return false;
  }
  if (at < end && ((chunk[at] as number) | 0x20) === LETTER_E) {
    at++;
    if (at < end && (chunk[at] === PLUS || chunk[at] === SCAN.MINUS)) at++;
    const exponent = at;
    at = digits(chunk, exponent, end);
    if (at === exponent) return false;
  }
  return at === end;
}

function digits(chunk: Buffer, start: number, end: number): number {
  let at = start;
  while (at < end && (chunk[at] as number) >= ZERO && (chunk[at] as number) <= NINE) at++;
  return at;
}

const { QUOTE, BACKSLASH } = SCAN;
const ZERO = 0x30;
const NINE = 0x39;
const POINT = 0x2e;
const PLUS = 0x2b;
const LETTER_E = 0x65;
const TRUE = Buffer.from('true');
const FALSE = Buffer.from('false');
const NULL = Buffer.from('null');
const ESCAPES = tableOf('"\\/bfnrt');
const HEX = tableOf('0123456789abcdefABCDEF');
const IN_SCALAR = tableOf('+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ');

function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const byte of Buffer.from(characters, 'latin1')) table[byte] = 1;
  return table;
}
