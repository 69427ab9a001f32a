/**
 * Masks JSON (RFC 8259) while it passes, chunk by chunk: what is not masked leaves byte for byte, what is masked is replaced whole, and nothing
 * of the document is kept but where one stands in it and the token that the chunk broke. Strict: what is not one well-formed document in UTF-8,
 * or names a masked member twice in one object, is a fault; the chunk it stands in and all that follows never leave.
 */
import { Beside } from './beside.ts';
import { embedded, looksEmbedded, type Inner } from './embedded.ts';
import type { FieldNames } from './field-names.ts';
import { JsonScan, SCAN } from './json-scan.ts';
import { ANSWER_LIMITS } from './limits.ts';
import { foldName } from './mask-path.ts';
import { MaskFault } from './mask-fault.ts';
import { keptOf, partly, replacement, type JsonKind } from './method.ts';
import { WITHHELD, type Masking, type Place } from './places.ts';
import { Utf8Border } from './utf8-border.ts';

export interface JsonMaskOptions {
  /** Documents behind each other, one a line (NDJSON). */
  readonly lines: boolean;
  /** How many strings this document stands in. */
  readonly nested: number;
}

export class JsonMask {
  /** How often each name was masked. */
  readonly counts: Record<string, number> = {};
  /** Something was masked, or was about to be. */
  touched = false;

  readonly #options: JsonMaskOptions;
  readonly #start: Place;
  readonly #border = new Utf8Border();
  readonly #scan = new JsonScan();

  #state: State = VALUE;
  #begun = false;
  #ending = false;
  /** The token that the last chunk broke, with this chunk behind it; its own memory. */
  #held: Buffer = NOTHING;
  #heldBytes = 0;

  #chunk: Buffer = NOTHING;
  #out: Buffer = NOTHING;
  #outAt = 0;
  /** From here on the chunk has not been copied. */
  #from = 0;

  #depth = 0;
  readonly #lists: number[] = [];
  readonly #places: Place[] = [];
  readonly #seen: number[] = [];
  readonly #indexes: number[] = [];
  /** Of the value that comes next. */
  #place: Place;

  /** What is being masked, since which depth, and what it is. */
  #hidden: Masking | null = null;
  #hiddenDepth = 0;
  #hiddenKind: JsonKind = 'null';

  readonly #names: FieldNames | null;
  /** null: no text was the name of a masked field so far. */
  #beside: Beside | null = null;
  readonly #opened: number[] = [];
  #longestRow = 0;
  /** The chunk, a character a byte, once it is looked through for names; and where the next one ends. */
  #latin: string | null = null;
  #nameAt = -1;
  /** The string leaves as it comes, as long as it says nothing. */
  #watched = false;

  constructor(start: Place, options: JsonMaskOptions) {
    this.#start = start;
    this.#place = start;
    this.#options = options;
    this.#names = start.fieldNames;
  }

  /** What may leave now. @throws MaskFault */
  push(chunk: Uint8Array): Buffer {
    if (chunk.length === 0) return NOTHING;
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (!this.#border.passes(bytes)) throw new MaskFault('it is not UTF-8');
    return this.#pass(bytes);
  }

  /** The document is complete. @throws MaskFault */
  end(): Buffer {
    if (!this.#border.complete) throw new MaskFault('it is not UTF-8');
    this.#ending = true;
    const out = this.#pass(NOTHING);
    const nothing = this.#state === VALUE && this.#depth === 0 && (this.#options.lines || !this.#begun);
    if (this.#heldBytes > 0 || (this.#state !== DONE && !nothing)) throw new MaskFault('it ends in the middle');
    return out;
  }

  #pass(bytes: Buffer): Buffer {
    const chunk = this.#heldBytes === 0 ? bytes : this.#behindHeld(bytes);
    this.#chunk = chunk;
    this.#out = Buffer.allocUnsafe(chunk.length + (chunk.length >> 3) + SLACK_BYTES);
    this.#outAt = 0;
    this.#from = 0;
    this.#latin = null;
    this.#nameAt = -1;
    if (this.#depth > 0) this.#opened.fill(-1);
    const stopped = this.#run(chunk);
    if (this.#hidden === null) this.#copy(stopped);
    this.#hold(stopped);
    const out = this.#out.subarray(0, this.#outAt);
    this.#chunk = this.#out = NOTHING;
    this.#latin = null;
    return out;
  }

  /** Returns where it stopped: the end, or the start of a token that is not complete. */
  #run(chunk: Buffer): number {
    const end = chunk.length;
    let at = 0;
    while (at < end) {
      const byte = chunk[at] as number;
      if (byte <= SPACE && this.#state !== IN_STRING) {
        at = this.#blank(byte, at);
        continue;
      }
      const next = this.#step(byte, at);
      if (next < 0) return this.#state === IN_STRING ? this.#scan.resume : at;
      at = next;
    }
    return at;
  }

  #blank(byte: number, at: number): number {
    if (byte !== SPACE && byte !== LF && byte !== CR && byte !== TAB) throw new MaskFault('it is not JSON');
    if (byte === LF && this.#state === DONE && this.#options.lines) {
      this.#state = VALUE;
      this.#place = this.#start;
    }
    return at + 1;
  }

  #step(byte: number, at: number): number {
    switch (this.#state) {
      case FIRST_ELEMENT:
        if (byte === CLOSE_LIST) return this.#close(true, at);
        return this.#value(byte, at);
      case VALUE:
        return this.#value(byte, at);
      case FIRST_KEY:
        if (byte === CLOSE_OBJECT) return this.#close(false, at);
        return this.#key(byte, at);
      case KEY:
        return this.#key(byte, at);
      case COLON:
        if (byte !== COLON_BYTE) throw new MaskFault('it is not JSON');
        this.#state = VALUE;
        return at + 1;
      case AFTER:
        return this.#after(byte, at);
      case IN_STRING:
        return this.#inString(at);
      case DONE:
        throw new MaskFault('something follows the document');
    }
  }

  #value(byte: number, at: number): number {
    this.#begun = true;
    switch (byte) {
      case QUOTE:
        return this.#string(at);
      case OPEN_OBJECT:
        return this.#open(false, at);
      case OPEN_LIST:
        return this.#open(true, at);
      default:
        return this.#scalar(byte, at);
    }
  }

  #open(list: boolean, at: number): number {
    const depth = this.#depth;
    if (depth === ANSWER_LIMITS.depth) throw new MaskFault('it is too deep');
    if (this.#hidden === null && this.#place.masking !== null) this.#hide(this.#place.masking, list ? 'array' : 'object', at);
    this.#lists[depth] = list ? 1 : 0;
    this.#places[depth] = this.#place;
    this.#seen[depth] = 0;
    this.#indexes[depth] = 0;
    this.#opened[depth] = at;
    this.#beside?.opened(depth);
    this.#depth = depth + 1;
    this.#state = list ? FIRST_ELEMENT : FIRST_KEY;
    if (list && this.#place.live) this.#place = this.#element(this.#place, 0);
    return at + 1;
  }

  /** Elements of a list in a list are columns, some of which may have been named. */
  #element(place: Place, index: number): Place {
    const row = this.#beside !== null && this.#depth > 1 && this.#lists[this.#depth - 2] === 1;
    return row && this.#beside?.inRow(index) === true ? place.withheld : place.element(index);
  }

  #close(list: boolean, at: number): number {
    const depth = this.#depth - 1;
    if ((this.#lists[depth] === 1) !== list) throw new MaskFault('it is not JSON');
    if (list && depth > 0 && this.#lists[depth - 1] === 1 && this.#state !== FIRST_ELEMENT)
      this.#longestRow = Math.max(this.#longestRow, (this.#indexes[depth] as number) + 1);
    this.#depth = depth;
    if (this.#hidden !== null && this.#hiddenDepth === depth) this.#show(replacement(this.#hidden.mask, this.#hiddenKind), at + 1);
    this.#state = depth === 0 ? DONE : AFTER;
    return at + 1;
  }

  #after(byte: number, at: number): number {
    const top = this.#depth - 1;
    const list = this.#lists[top] === 1;
    if (byte !== COMMA) return this.#close(byte === CLOSE_LIST ? true : byte === CLOSE_OBJECT ? false : !list, at);
    if (!list) {
      this.#state = KEY;
      return at + 1;
    }
    const place = this.#places[top] as Place;
    const index = (this.#indexes[top] as number) + 1;
    this.#indexes[top] = index;
    this.#place = place.live ? this.#element(place, index) : place;
    this.#state = VALUE;
    return at + 1;
  }

  #key(byte: number, at: number): number {
    if (byte !== QUOTE) throw new MaskFault('it is not JSON');
    const close = this.#scan.string(this.#chunk, at + 1);
    if ((close < 0 ? this.#chunk.length : close) - at > ANSWER_LIMITS.keyBytes) throw new MaskFault('a name is too long');
    if (close < 0) return -1;
    const place = this.#places[this.#depth - 1] as Place;
    if (this.#hidden === null) this.#place = place.live ? this.#member(place, at + 1, close) : place;
    this.#scan.reset();
    // without a blank in between, which is how machines write it, the colon needs no step of its own
    const colon = this.#chunk[close + 1] === COLON_BYTE;
    this.#state = colon ? VALUE : COLON;
    return colon ? close + 2 : close + 1;
  }

  #member(place: Place, start: number, close: number): Place {
    const { plain } = this.#scan;
    if (!plain && this.#names !== null && this.#names.saidIn(textOf(this.#chunk, start, close)))
      throw new MaskFault('a name says what a masked value is');
    if (this.#beside?.isValue(this.#depth - 1, this.#chunk.toString('latin1', start, close)) === true) return place.withheld;
    if (plain && ((place.nameLengths >>> Math.min(31, close - start)) & 1) === 0) return place.other;
    const number = plain ? place.numberAt(this.#chunk, start, close) : place.numberOf(foldName(textOf(this.#chunk, start, close)));
    if (number < 0) return place.other;
    this.#once(number);
    return place.member(number);
  }

  /** A member that a mask goes by stands once in its object. */
  #once(number: number): void {
    const top = this.#depth - 1;
    const seen = this.#seen[top] as number;
    const bit = 2 ** Math.min(number, NUMBERS_TOLD);
    if (number < NUMBERS_TOLD && Math.floor(seen / bit) % 2 === 1) throw new MaskFault('a member stands in it twice');
    if (number < NUMBERS_TOLD) this.#seen[top] = seen + bit;
  }

  #string(at: number): number {
    if (this.#hidden !== null) return this.#stream(at);
    const masking = this.#place.masking;
    if (masking !== null && masking.mask.using !== 'partial') {
      this.#hide(masking, 'string', at);
      return this.#stream(at);
    }
    if (masking === null && !this.#place.live) return this.#stream(at);
    return this.#whole(masking, at);
  }

  /** A string that leaves as it comes, or not at all. */
  #stream(at: number): number {
    this.#state = IN_STRING;
    return this.#inString(at + 1);
  }

  #inString(at: number): number {
    const close = this.#scan.string(this.#chunk, at);
    if (this.#watched) this.#watch(at, close < 0 ? this.#chunk.length : close);
    if (close < 0) return -1;
    this.#watched = false;
    this.#scan.reset();
    return this.#ended('string', close + 1);
  }

  /** A string that must be seen whole: for its end, or for the JSON that may stand in it. */
  #whole(masking: Masking | null, at: number): number {
    const close = this.#scan.string(this.#chunk, at + 1);
    if (close < 0 && this.#chunk.length - at <= ANSWER_LIMITS.keptBytes) return -1;
    const { plain } = this.#scan;
    if (close < 0 || close - at > ANSWER_LIMITS.keptBytes) {
      if (masking !== null || looksEmbedded(this.#chunk, at + 1)) this.#hide(masking ?? WITHHELD, 'string', at);
      else this.#watch(at + 1, close < 0 ? this.#chunk.length : close);
      this.#watched = this.#hidden === null;
      this.#state = IN_STRING;
      return this.#inString(close < 0 ? this.#scan.resume : close);
    }
    this.#scan.reset();
    if (masking !== null) {
      this.#hide(masking, 'string', at);
      if (plain) this.#showEnd(keptOf(masking.mask, close - at - 1), close);
      else this.#show(partly(masking.mask, textOf(this.#chunk, at + 1, close)), close + 1);
    } else {
      this.#look(at, close, plain);
    }
    this.#state = this.#depth === 0 ? DONE : AFTER;
    return close + 1;
  }

  /** Of a text that is not masked itself: what it holds, and whether it says or names what is masked elsewhere. */
  #look(at: number, close: number, plain: boolean): void {
    const looks = looksEmbedded(this.#chunk, at + 1);
    const names = this.#names !== null && (this.#namedBefore(at + 1, close) || (!plain && isSpelt(this.#chunk, at + 1, close)));
    if (!looks && !names) return;
    const text = plain ? this.#chunk.toString('latin1', at + 1, close) : textOf(this.#chunk, at + 1, close);
    const says = names && this.#names?.saidIn(text) === true;
    const found = (looks ? embedded(text, this.#inside()) : null) ?? (says ? STARRED : null);
    if (found === null) {
      if (names && this.#names?.isOne(text) === true) this.#named(at);
      return;
    }
    this.touched = true;
    this.#copy(at);
    this.#append(found);
    this.#from = close + 1;
  }

  /** Whether the name of a masked field stands in these bytes of the chunk, as part of a longer word perhaps. */
  #namedBefore(from: number, to: number): boolean {
    const latin = (this.#latin ??= this.#chunk.toString('latin1'));
    if (this.#nameAt <= from) this.#nameAt = this.#names?.next(latin, from) ?? Number.POSITIVE_INFINITY;
    return this.#nameAt <= to;
  }

  /** A value that is the name of a masked field. */
  #named(at: number): void {
    if (this.#depth === 0) return;
    this.#beside ??= new Beside();
    this.#beside.named({
      depth: this.#depth - 1,
      lists: this.#lists,
      indexes: this.#indexes,
      opened: this.#opened,
      longestRow: this.#longestRow,
      before: this.#chunk.toString('latin1', 0, at),
    });
  }

  /** A text too long to be kept back: once it says something, nothing more of the answer leaves. */
  #watch(from: number, to: number): void {
    if (this.#names !== null && this.#namedBefore(from, to) && this.#names.saidIn(this.#chunk.toString('utf8', from, to)))
      throw new MaskFault('a long text says what a masked value is');
  }

  #inside(): Inner {
    return { masked: (bytes) => this.#inner(bytes), says: (text) => this.#names?.saidIn(text) === true };
  }

  /** A document inside a string, as it may leave; null: nothing in it is masked. */
  #inner(bytes: Buffer): Buffer | 'withheld' | null {
    if (this.#options.nested === ANSWER_LIMITS.embeddedDepth) return 'withheld';
    const inner = new JsonMask(this.#place, { lines: true, nested: this.#options.nested + 1 });
    try {
      const masked = Buffer.concat([inner.push(bytes), inner.end()]);
      for (const [name, times] of Object.entries(inner.counts)) this.#count(name, times);
      return inner.touched ? masked : null;
    } catch (error) {
      if (!(error instanceof MaskFault)) throw error;
      return inner.touched ? 'withheld' : null;
    }
  }

  #scalar(byte: number, at: number): number {
    const close = this.#scan.scalar(this.#chunk, at, this.#ending);
    if (close < 0) return -1;
    const kind = byte === LETTER_T || byte === LETTER_F ? 'boolean' : byte === LETTER_N ? 'null' : 'number';
    const masking = this.#hidden === null ? this.#place.masking : null;
    if (masking !== null) this.#hide(masking, kind, at);
    return this.#ended(kind, close);
  }

  #ended(kind: JsonKind, next: number): number {
    if (this.#hidden !== null && this.#hiddenDepth === this.#depth) this.#show(replacement(this.#hidden.mask, kind), next);
    if (this.#depth === 0) this.#state = DONE;
    else if (this.#chunk[next] === COMMA && this.#lists[this.#depth - 1] === 0) {
      // the same for the comma behind a member of an object
      this.#state = KEY;
      return next + 1;
    } else this.#state = AFTER;
    return next;
  }

  #hide(masking: Masking, kind: JsonKind, at: number): void {
    this.#copy(at);
    this.#hidden = masking;
    this.#hiddenDepth = this.#depth;
    this.#hiddenKind = kind;
    this.touched = true;
  }

  #show(instead: Buffer, next: number): void {
    for (const name of this.#hidden?.names ?? []) this.#count(name, 1);
    this.#hidden = null;
    this.#append(instead);
    this.#from = next;
  }

  /** `"***` and the end of a string that needs no reading; what is kept leaves with the closing quote, as all that follows. */
  #showEnd(kept: number, close: number): void {
    this.#show(STARS, close - kept);
  }

  #count(name: string, times: number): void {
    this.counts[name] = (this.counts[name] ?? 0) + times;
  }

  #copy(end: number): void {
    if (end <= this.#from) return;
    this.#room(end - this.#from);
    const out = this.#out;
    let to = this.#outAt;
    if (end - this.#from > COPIED_BY_HAND) this.#chunk.copy(out, to, this.#from, end);
    else for (let at = this.#from; at < end; at++) out[to++] = this.#chunk[at] as number;
    this.#outAt += end - this.#from;
    this.#from = end;
  }

  #append(bytes: Buffer): void {
    this.#room(bytes.length);
    for (let at = 0; at < bytes.length; at++) this.#out[this.#outAt++] = bytes[at] as number;
  }

  #room(bytes: number): void {
    if (this.#outAt + bytes <= this.#out.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#outAt + bytes));
    this.#out.copy(larger, 0, 0, this.#outAt);
    this.#out = larger;
  }

  /** The chunk broke a token: what is there of it waits for the next one. */
  #hold(start: number): void {
    const bytes = this.#chunk.length - start;
    if (bytes > 0 && start === 0 && this.#heldBytes > 0) return void (this.#heldBytes = bytes);
    if (bytes > this.#held.length) this.#held = Buffer.allocUnsafe(bytes);
    this.#chunk.copy(this.#held, 0, start);
    this.#heldBytes = bytes;
    this.#scan.shift(start);
  }

  #behindHeld(bytes: Buffer): Buffer {
    const length = this.#heldBytes + bytes.length;
    if (length > this.#held.length) {
      const larger = Buffer.allocUnsafe(2 * length);
      this.#held.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    bytes.copy(this.#held, this.#heldBytes);
    return this.#held.subarray(0, length);
  }
}

/** Of a string without its quotes, checked before. */
function textOf(chunk: Buffer, start: number, end: number): string {
  return JSON.parse(chunk.toString('utf8', start - 1, end + 1)) as string;
}

/** Letters may stand in it as escapes, or in other forms than ASCII's. */
function isSpelt(chunk: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = chunk[at] as number;
    if (byte >= 0x80 || (byte === BACKSLASH && chunk[at + 1] === LETTER_U)) return true;
  }
  return false;
}

const VALUE = 0;
const FIRST_ELEMENT = 1;
const FIRST_KEY = 2;
const KEY = 3;
const COLON = 4;
const AFTER = 5;
const IN_STRING = 6;
const DONE = 7;
type State = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

const {
  SPACE,
  LF,
  CR,
  TAB,
  QUOTE,
  BACKSLASH,
  LETTER_U,
  COMMA,
  COLON: COLON_BYTE,
  OPEN_OBJECT,
  CLOSE_OBJECT,
  OPEN_LIST,
  CLOSE_LIST,
  LETTER_T,
  LETTER_F,
  LETTER_N,
} = SCAN;

/** Faster so than by a call. */
const COPIED_BY_HAND = 48;
const STARS = Buffer.from('"***');
const STARRED = Buffer.from('"***"');
const NOTHING = Buffer.alloc(0);
const SLACK_BYTES = 64;
/** More names than this in one place are not told apart when they repeat; each is masked all the same. */
const NUMBERS_TOLD = 52;
