/** What may leave of one chunk: its bytes as they come, but for what is masked in it. */
import type { JsonKind } from './method.ts';
import type { Masking } from './places.ts';

export class Outgoing {
  /** How often each name was masked. */
  readonly counts: Record<string, number> = {};
  /** Something was masked, or was about to be. */
  touched = false;

  /** What is being masked, since which depth, and what it is. */
  hidden: Masking | null = null;
  hiddenDepth = 0;
  hiddenKind: JsonKind = 'null';

  #chunk: Buffer = NOTHING;
  #bytes: Buffer = NOTHING;
  #length = 0;
  /** From here on the chunk has not been copied. */
  #from = 0;

  begin(chunk: Buffer): void {
    this.#chunk = chunk;
    this.#bytes = Buffer.allocUnsafe(chunk.length + (chunk.length >> 3) + SLACK_BYTES);
    this.#length = 0;
    this.#from = 0;
  }

  /** All that may leave of the chunk, which was read up to `stopped`. */
  end(stopped: number): Buffer {
    if (this.hidden === null) this.#copy(stopped);
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#chunk = this.#bytes = NOTHING;
    return bytes;
  }

  /** From `at` on nothing leaves, until it is shown what does. */
  hide(masking: Masking, kind: JsonKind, depth: number, at: number): void {
    this.#copy(at);
    this.hidden = masking;
    this.hiddenDepth = depth;
    this.hiddenKind = kind;
    this.touched = true;
  }

  /** Of what was hidden this leaves instead; what stands from `next` on leaves again. */
  show(instead: Buffer, next: number): void {
    for (const name of this.hidden?.names ?? []) this.count(name, 1);
    this.hidden = null;
    this.#append(instead);
    this.#from = next;
  }

  /** A text that no path masks leaves as this. */
  replace(at: number, instead: Buffer, next: number): void {
    this.touched = true;
    this.#copy(at);
    this.#append(instead);
    this.#from = next;
  }

  count(name: string, times: number): void {
    this.counts[name] = (this.counts[name] ?? 0) + times;
  }

  #copy(end: number): void {
    if (end <= this.#from) return;
    this.#room(end - this.#from);
    const bytes = this.#bytes;
    let to = this.#length;
    if (end - this.#from > COPIED_BY_HAND) this.#chunk.copy(bytes, to, this.#from, end);
    else for (let at = this.#from; at < end; at++) bytes[to++] = this.#chunk[at] as number;
    this.#length += end - this.#from;
    this.#from = end;
  }

  #append(bytes: Buffer): void {
    this.#room(bytes.length);
    for (let at = 0; at < bytes.length; at++) this.#bytes[this.#length++] = bytes[at] as number;
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#length + bytes));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** Faster so than by a call. */
const COPIED_BY_HAND = 48;
const SLACK_BYTES = 64;
const NOTHING: Buffer = Buffer.alloc(0);
