/**
 * Masks JSON (RFC 8259) while it passes, chunk by chunk: what is not masked leaves byte for byte, what is masked is replaced whole, and nothing
 * of the document is kept but where one stands in it and the token that the chunk broke. Strict: what is not one well-formed document in UTF-8,
 * or names a masked member twice in one object, is a fault; the chunk it stands in and all that follows never leave.
 */
import { embedded, looksEmbedded, type Inner } from './embedded.ts';
import { Held } from './held.ts';
import { JsonScan, SCAN } from './json-scan.ts';
import { ANSWER_LIMITS } from './limits.ts';
import { foldName } from './mask-path.ts';
import { MaskFault } from './mask-fault.ts';
import { keptOf, partly, replacement, type JsonKind } from './method.ts';
import { Nesting } from './nesting.ts';
import { Outgoing } from './outgoing.ts';
import { WITHHELD, type Masking, type Place } from './places.ts';
import { Texts, textOf } from './texts.ts';
import { Utf8Border } from './utf8-border.ts';

export interface JsonMaskOptions {
  /** Documents behind each other, one a line (NDJSON). */
  readonly lines: boolean;
  /** How many strings this document stands in. */
  readonly nested: number;
}

export class JsonMask {
  readonly #options: JsonMaskOptions;
  readonly #start: Place;
  readonly #border = new Utf8Border();
  readonly #scan = new JsonScan();

  readonly #held = new Held();
  readonly #nesting = new Nesting();
  readonly #outgoing = new Outgoing();
  readonly #texts: Texts;

  #state: State = VALUE;
  #begun = false;
  #ending = false;
  #chunk: Buffer = NOTHING;
  /** Of the value that comes next. */
  #place: Place;
  /** The string leaves as it comes, as long as it says nothing. */
  #watched = false;

  constructor(start: Place, options: JsonMaskOptions) {
    this.#start = start;
    this.#place = start;
    this.#options = options;
    this.#texts = new Texts(start.fieldNames);
  }

  /** How often each name was masked. */
  get counts(): Readonly<Record<string, number>> {
    return this.#outgoing.counts;
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
    const nothing = this.#state === VALUE && this.#nesting.depth === 0 && (this.#options.lines || !this.#begun);
    if (this.#held.bytes > 0 || (this.#state !== DONE && !nothing)) throw new MaskFault('it ends in the middle');
    return out;
  }

  #pass(bytes: Buffer): Buffer {
    const chunk = this.#held.before(bytes);
    this.#chunk = chunk;
    this.#outgoing.begin(chunk);
    this.#texts.begin(chunk);
    this.#nesting.forget();
    const stopped = this.#run(chunk);
    const out = this.#outgoing.end(stopped);
    this.#held.keep(chunk, stopped);
    this.#scan.shift(stopped);
    this.#texts.end();
    this.#chunk = NOTHING;
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
    if (this.#nesting.depth === ANSWER_LIMITS.depth) throw new MaskFault('it is too deep');
    if (this.#outgoing.hidden === null && this.#place.masking !== null) this.#hide(this.#place.masking, list ? 'array' : 'object', at);
    this.#place = this.#nesting.open(list, this.#place, at);
    this.#state = list ? FIRST_ELEMENT : FIRST_KEY;
    return at + 1;
  }

  #close(list: boolean, at: number): number {
    this.#nesting.close(list, this.#state === FIRST_ELEMENT);
    const { depth } = this.#nesting;
    const { hidden, hiddenDepth, hiddenKind } = this.#outgoing;
    if (hidden !== null && hiddenDepth === depth) this.#outgoing.show(replacement(hidden.mask, hiddenKind), at + 1);
    this.#state = depth === 0 ? DONE : AFTER;
    return at + 1;
  }

  #after(byte: number, at: number): number {
    const list = this.#nesting.inList;
    if (byte !== COMMA) return this.#close(byte === CLOSE_LIST ? true : byte === CLOSE_OBJECT ? false : !list, at);
    if (list) this.#place = this.#nesting.next();
    this.#state = list ? VALUE : KEY;
    return at + 1;
  }

  #key(byte: number, at: number): number {
    if (byte !== QUOTE) throw new MaskFault('it is not JSON');
    const close = this.#scan.string(this.#chunk, at + 1);
    if ((close < 0 ? this.#chunk.length : close) - at > ANSWER_LIMITS.keyBytes) throw new MaskFault('a name is too long');
    if (close < 0) return -1;
    const { place } = this.#nesting;
    if (this.#outgoing.hidden === null) this.#place = place.live ? this.#member(place, at + 1, close) : place;
    this.#scan.reset();
    // without a blank in between, which is how machines write it, the colon needs no step of its own
    const colon = this.#chunk[close + 1] === COLON_BYTE;
    this.#state = colon ? VALUE : COLON;
    return colon ? close + 2 : close + 1;
  }

  #member(place: Place, start: number, close: number): Place {
    const { plain, escaped } = this.#scan;
    const text = plain ? null : textOf(this.#chunk, start, close, escaped);
    if (text !== null && this.#texts.says(text)) throw new MaskFault('a name says what a masked value is');
    if (this.#nesting.isValue(this.#chunk, start, close)) return place.withheld;
    if (plain && ((place.nameLengths >>> Math.min(31, close - start)) & 1) === 0) return place.other;
    const number = text === null ? place.numberAt(this.#chunk, start, close) : place.numberOf(foldName(text));
    if (number < 0) return place.other;
    this.#nesting.once(number);
    return place.member(number);
  }

  #string(at: number): number {
    if (this.#outgoing.hidden !== null) return this.#stream(at);
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
    if (this.#watched) this.#texts.watch(at, close < 0 ? this.#chunk.length : close);
    if (close < 0) return -1;
    this.#watched = false;
    this.#scan.reset();
    return this.#ended('string', close + 1);
  }

  /** A string that must be seen whole: for its end, or for the JSON that may stand in it. */
  #whole(masking: Masking | null, at: number): number {
    const close = this.#scan.string(this.#chunk, at + 1);
    if (close < 0 && this.#chunk.length - at <= ANSWER_LIMITS.keptBytes) return -1;
    const { plain, escaped } = this.#scan;
    if (close < 0 || close - at > ANSWER_LIMITS.keptBytes) {
      if (masking !== null || looksEmbedded(this.#chunk, at + 1)) this.#hide(masking ?? WITHHELD, 'string', at);
      else this.#texts.watch(at + 1, close < 0 ? this.#chunk.length : close);
      this.#watched = this.#outgoing.hidden === null;
      this.#state = IN_STRING;
      return this.#inString(close < 0 ? this.#scan.resume : close);
    }
    this.#scan.reset();
    if (masking !== null) {
      this.#hide(masking, 'string', at);
      // `"***` and an end that needs no reading: what is kept leaves with the closing quote, as all that follows
      if (plain) this.#outgoing.show(STARS, close - keptOf(masking.mask, close - at - 1));
      else this.#outgoing.show(partly(masking.mask, textOf(this.#chunk, at + 1, close, escaped)), close + 1);
    } else {
      this.#look(at, close, plain, escaped);
    }
    this.#state = this.#nesting.depth === 0 ? DONE : AFTER;
    return close + 1;
  }

  /** Of a text that is not masked itself: what it holds, and whether it says or names what is masked elsewhere. */
  #look(at: number, close: number, plain: boolean, escaped: boolean): void {
    const looks = looksEmbedded(this.#chunk, at + 1);
    const mentions = this.#texts.mentions(at + 1, close, plain);
    if (!looks && !mentions) return;
    const text = textOf(this.#chunk, at + 1, close, escaped);
    const says = mentions && this.#texts.says(text);
    const found = (looks ? embedded(text, this.#inside()) : null) ?? (says ? STARRED : null);
    if (found !== null) this.#outgoing.replace(at, found, close + 1);
    else if (mentions && this.#texts.isName(text)) this.#nesting.named(this.#chunk, at);
  }

  #inside(): Inner {
    return { masked: (bytes) => this.#inner(bytes), says: (text) => this.#texts.says(text) };
  }

  /** A document inside a string, as it may leave; null: nothing in it is masked. */
  #inner(bytes: Buffer): Buffer | 'withheld' | null {
    if (this.#options.nested === ANSWER_LIMITS.embeddedDepth) return 'withheld';
    const inner = new JsonMask(this.#place, { lines: true, nested: this.#options.nested + 1 });
    try {
      const masked = Buffer.concat([inner.push(bytes), inner.end()]);
      for (const [name, times] of Object.entries(inner.counts)) this.#outgoing.count(name, times);
      return inner.#outgoing.touched ? masked : null;
    } catch (error) {
      if (!(error instanceof MaskFault)) throw error;
      return inner.#outgoing.touched ? 'withheld' : null;
    }
  }

  #scalar(byte: number, at: number): number {
    const close = this.#scan.scalar(this.#chunk, at, this.#ending);
    if (close < 0) return -1;
    const kind = byte === LETTER_T || byte === LETTER_F ? 'boolean' : byte === LETTER_N ? 'null' : 'number';
    const masking = this.#outgoing.hidden === null ? this.#place.masking : null;
    if (masking !== null) this.#hide(masking, kind, at);
    return this.#ended(kind, close);
  }

  #ended(kind: JsonKind, next: number): number {
    const { depth } = this.#nesting;
    const { hidden, hiddenDepth } = this.#outgoing;
    if (hidden !== null && hiddenDepth === depth) this.#outgoing.show(replacement(hidden.mask, kind), next);
    if (depth === 0) this.#state = DONE;
    else if (this.#chunk[next] === COMMA && !this.#nesting.inList) {
      // the same for the comma behind a member of an object
      this.#state = KEY;
      return next + 1;
    } else this.#state = AFTER;
    return next;
  }

  #hide(masking: Masking, kind: JsonKind, at: number): void {
    this.#outgoing.hide(masking, kind, this.#nesting.depth, at);
  }
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

const { SPACE, LF, CR, TAB, QUOTE, COMMA, COLON: COLON_BYTE, OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST, LETTER_T, LETTER_F, LETTER_N } = SCAN;

const STARS = Buffer.from('"***');
const STARRED = Buffer.from('"***"');
const NOTHING = Buffer.alloc(0);
