/** What texts of an answer tell: whether the name of a masked field stands in them, and whether they say what is masked elsewhere. */
import type { FieldNames } from './field-names.ts';
import { SCAN } from './json-scan.ts';
import { MaskFault } from './mask-fault.ts';

export class Texts {
  /** null: nothing is masked by its name. */
  readonly #names: FieldNames | null;
  #chunk: Buffer = NOTHING;
  /** The chunk, a character a byte, once it is looked through for names; and where the next one ends. */
  #latin: string | null = null;
  #nameAt = -1;

  constructor(names: FieldNames | null) {
    this.#names = names;
  }

  begin(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#latin = null;
    this.#nameAt = -1;
  }

  end(): void {
    this.#chunk = NOTHING;
    this.#latin = null;
  }

  /** The name of a masked field may stand in this string. `plain`: as the scan says. */
  mentions(from: number, to: number, plain: boolean): boolean {
    if (plain && this.#nameAt > to) return false; // most are so
    return this.#names !== null && (this.#isNamed(from, to) || (!plain && isSpelt(this.#chunk, from, to)));
  }

  says(text: string): boolean {
    return this.#names?.saidIn(text) === true;
  }

  isName(text: string): boolean {
    return this.#names?.isOne(text) === true;
  }

  /** A text too long to be kept back: once it says something, nothing more of the answer leaves. @throws MaskFault */
  watch(from: number, to: number): void {
    if (this.#names !== null && this.#isNamed(from, to) && this.#names.saidIn(this.#chunk.toString('utf8', from, to)))
      throw new MaskFault('a long text says what a masked value is');
  }

  /** Whether the name of a masked field stands in these bytes of the chunk, as part of a longer word perhaps. */
  #isNamed(from: number, to: number): boolean {
    const latin = (this.#latin ??= this.#chunk.toString('latin1'));
    if (this.#nameAt <= from) this.#nameAt = this.#names?.next(latin, from) ?? Number.POSITIVE_INFINITY;
    return this.#nameAt <= to;
  }
}

/** Of a string without its quotes, checked before; `escaped`: as the scan says. */
export function textOf(chunk: Buffer, start: number, end: number, escaped: boolean): string {
  if (!escaped) return chunk.toString('utf8', start, end);
  return JSON.parse(chunk.toString('utf8', start - 1, end + 1)) as string;
}

/** Letters may stand in it as escapes, or in other forms than ASCII's. */
function isSpelt(chunk: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = chunk[at] as number;
    if (byte >= 0x80 || (byte === SCAN.BACKSLASH && chunk[at + 1] === SCAN.LETTER_U)) return true;
  }
  return false;
}

const NOTHING: Buffer = Buffer.alloc(0);
