/** Rows of server-sent events: what the JSON in their data holds; of other data one for each event. */
import { JsonRows } from '#enforcers/common/json-rows';

export class EventRows {
  readonly #json = new JsonRows();
  #events = 0;
  /** Of this event one was counted already. */
  #counted = false;
  /** Bytes of the line so far, up to what says that it is data. */
  #at = 0;
  #what: 'name' | 'blank' | 'json' | 'words' | 'other' = 'name';

  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const byte = bytes[at] as number;
      if (byte === LF || byte === CR) {
        this.#line();
        at++;
      } else if (this.#what === 'json') {
        const end = lineEnd(bytes, at);
        this.#json.push(bytes.subarray(at, end));
        at = end;
      } else if (this.#what === 'words' || this.#what === 'other') at = lineEnd(bytes, at);
      else if (this.#takes(byte)) at++;
    }
  }

  get rows(): number {
    return this.#events + this.#json.rows;
  }

  /** Whether it is of the field's name; false: it is the first of the data, and said what that is. */
  #takes(byte: number): boolean {
    if (this.#what === 'name') {
      if (byte !== DATA[this.#at]) this.#what = 'other';
      else if (++this.#at === DATA.length) this.#what = 'blank';
      return true;
    }
    if (byte === SPACE && this.#at++ === DATA.length) return true;
    this.#what = this.#json.open || byte === OPEN_LIST || byte === OPEN_OBJECT ? 'json' : 'words';
    if (this.#what === 'words' && !this.#counted) {
      this.#counted = true;
      this.#events++;
    }
    return false;
  }

  #line(): void {
    if (this.#what === 'name' && this.#at === 0) {
      this.#counted = false;
      this.#json.cut();
    } else if (this.#what === 'json') this.#json.push(BREAK);
    this.#what = 'name';
    this.#at = 0;
  }
}

/** `data:` */
const DATA: readonly number[] = [0x64, 0x61, 0x74, 0x61, 0x3a];
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const OPEN_LIST = 0x5b;
const OPEN_OBJECT = 0x7b;
const BREAK: Uint8Array = Buffer.from('\n');

function lineEnd(bytes: Uint8Array, from: number): number {
  for (let at = from; at < bytes.length; at++) if (bytes[at] === LF || bytes[at] === CR) return at;
  return bytes.length;
}
