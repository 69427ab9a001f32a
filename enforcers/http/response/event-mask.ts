/**
 * Masks server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 * The data of each event is one JSON document; what is not (but for `[DONE]`, by which some APIs end a stream) is withheld with its event.
 * Comments leave without their words; the type and the id of an event do if they have no room for a value. An event that is not complete at the end does not count.
 */
import { JsonMask } from '#enforcers/common/json-mask/json-mask';
import { ANSWER_LIMITS } from '#enforcers/common/json-mask/limits';
import { MaskFault } from '#enforcers/common/json-mask/mask-fault';
import type { Place } from '#enforcers/common/json-mask/places';

export class EventMask {
  readonly counts: Record<string, number> = {};
  readonly #start: Place;
  #pieces: Buffer[] = [];
  #bytes = 0;
  #after = false;
  #first = true;
  #data: string[] = [];
  #fields: string[] = [];

  constructor(start: Place) {
    this.#start = start;
  }

  /** @throws MaskFault */
  push(chunk: Uint8Array): Buffer {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const out: string[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === LF && this.#after && at === from) {
        from = at + 1; // of CR LF
        this.#after = false;
      } else if (byte === LF || byte === CR) {
        this.#line(this.#gathered(bytes.subarray(from, at)), out);
        from = at + 1;
        this.#after = byte === CR;
      }
    }
    if (from < bytes.length) this.#keep(bytes.subarray(from));
    if (from < bytes.length) this.#after = false;
    return Buffer.from(out.join(''), 'utf8');
  }

  end(): Buffer {
    return Buffer.alloc(0);
  }

  #gathered(rest: Buffer): string {
    this.#grow(rest.length);
    const line = Buffer.concat([...this.#pieces, rest]);
    this.#pieces = [];
    try {
      return UTF8.decode(line);
    } catch {
      throw new MaskFault('it is not UTF-8');
    }
  }

  #keep(rest: Buffer): void {
    this.#grow(rest.length);
    this.#pieces.push(Buffer.from(rest));
    if (this.#pieces.length > PIECES_MAX) this.#pieces = [Buffer.concat(this.#pieces)];
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > ANSWER_LIMITS.eventBytes) throw new MaskFault('an event is too long');
  }

  #line(said: string, out: string[]): void {
    const line = this.#first && said.startsWith('\ufeff') ? said.slice(1) : said;
    this.#first = false;
    if (line === '') return this.#dispatch(out);
    const colon = line.indexOf(':');
    if (colon === 0) return void out.push(':\n'); // without its words: it keeps the connection alive
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (name === 'data') this.#data.push(value);
    else if (FIELDS[name]?.test(value) === true) this.#fields.push(`${name}: ${value}\n`);
  }

  #dispatch(out: string[]): void {
    const data = this.#data.length === 0 ? null : this.#masked(this.#data.join('\n'));
    if (data !== null) out.push(...this.#fields, ...data.split('\n').map((line) => `data: ${line}\n`), '\n');
    else if (this.#data.length === 0 && this.#fields.length > 0) out.push(...this.#fields, '\n');
    this.#data = [];
    this.#fields = [];
    this.#bytes = 0;
  }

  #masked(data: string): string | null {
    if (data === '[DONE]') return data;
    const mask = new JsonMask(this.#start, { lines: false, nested: 0 });
    try {
      const masked = Buffer.concat([mask.push(Buffer.from(data, 'utf8')), mask.end()]).toString('utf8');
      for (const [name, times] of Object.entries(mask.counts)) this.counts[name] = (this.counts[name] ?? 0) + times;
      return masked;
    } catch (error) {
      if (!(error instanceof MaskFault)) throw error;
      return null;
    }
  }
}

const LF = 0x0a;
const CR = 0x0d;
const PIECES_MAX = 64;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** A type is a name; an id is a number, two of them, or a UUID or ULID: anything else could be somebody's data. */
const FIELDS: Readonly<Record<string, RegExp>> = {
  event: /^[A-Za-z_](?:[A-Za-z_]|[.:/-](?![0-9])|[0-9](?![0-9]{3})){0,127}$/,
  id: /^(?:\d{1,20}(?:-\d{1,10})?|[0-9A-HJKMNP-TV-Z]{26}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$/i,
  retry: /^\d{1,9}$/,
};
