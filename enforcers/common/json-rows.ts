/**
 * How many rows JSON holds, for the ceilings of agents, while it passes: nothing of it is kept but which brackets are open. Of each document: objects that
 * stand in a list, at any depth (orders and the lines in them), or entries of its longest list that stands in no other, whichever is more; at least one, but
 * for an empty list. Documents one after another count together. What is no JSON counts somehow, and never stops anything.
 */
export class JsonRows {
  /** 1: a list. */
  readonly #open = new Uint8Array(DEPTH_MAX);
  #depth = 0;
  /** Depth of the list that stands in no other; 0: none is open. */
  #outer = 0;
  #entries = 0;
  #filled = false;
  #longest = 0;
  #objects = 0;
  /** Inside of a document; of one that is a number or a word, too. */
  #begun = false;
  #isList = false;
  #string = false;
  #escaped = false;
  #done = 0;

  push(bytes: Uint8Array): void {
    const end = bytes.length;
    for (let at = 0; at < end; at++) {
      if (this.#string) {
        at = this.#inString(bytes, at);
        continue;
      }
      const byte = bytes[at] as number;
      if (byte === COMMA) {
        if (this.#depth === this.#outer) this.#entries++;
      } else if (byte <= SPACE) {
        if (this.#depth === 0 && this.#begun) this.#ended();
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_LIST) this.#closed();
      else if (byte !== COLON) this.#value(byte);
    }
  }

  /** So far; a document that has only begun counts with what it holds already. */
  get rows(): number {
    return this.#done + (this.#begun ? this.#ofDocument() : 0);
  }

  /** In the middle of a document. */
  get open(): boolean {
    return this.#depth > 0 || this.#string;
  }

  /** What has begun is over, whole or not. */
  cut(): void {
    if (this.#begun) this.#ended();
    this.#depth = 0;
    this.#outer = 0;
    this.#string = false;
    this.#escaped = false;
  }

  #inString(bytes: Uint8Array, from: number): number {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at];
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) {
        this.#string = false;
        return at;
      }
    }
    return bytes.length;
  }

  #value(byte: number): void {
    if (this.#depth === 0 && !this.#begun) {
      this.#begun = true;
      this.#isList = byte === OPEN_LIST;
    }
    if (this.#depth === this.#outer) this.#filled = true;
    if (byte === QUOTE) this.#string = true;
    else if (byte === OPEN_OBJECT || byte === OPEN_LIST) this.#opened(byte === OPEN_LIST);
  }

  #opened(list: boolean): void {
    const { length } = this.#open;
    if (!list && this.#depth > 0 && this.#open[Math.min(this.#depth, length) - 1] === 1) this.#objects++;
    if (this.#depth < length) this.#open[this.#depth] = list ? 1 : 0;
    this.#depth++;
    if (!list || this.#outer > 0) return;
    this.#outer = this.#depth;
    this.#entries = 0;
    this.#filled = false;
  }

  #closed(): void {
    if (this.#depth === 0) return;
    if (this.#depth === this.#outer) {
      this.#longest = Math.max(this.#longest, this.#ofOuter());
      this.#outer = 0;
    }
    this.#depth--;
    if (this.#depth === 0) this.#ended();
  }

  #ofOuter(): number {
    return this.#filled ? this.#entries + 1 : 0;
  }

  #ofDocument(): number {
    const longest = Math.max(this.#longest, this.#outer > 0 ? this.#ofOuter() : 0);
    return Math.max(this.#isList ? 0 : 1, this.#objects, longest);
  }

  #ended(): void {
    this.#done += this.#ofDocument();
    this.#begun = false;
    this.#longest = 0;
    this.#objects = 0;
  }
}

/** Deeper brackets are taken for what stands at this depth. */
const DEPTH_MAX = 256;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
