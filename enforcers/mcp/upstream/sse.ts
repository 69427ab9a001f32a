/** Server-sent events, chunk by chunk, with a bound on each. https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream */
import { MCP_LIMITS } from '../limits.ts';

export interface ServerEvent {
  /** null: the server gave none. */
  readonly id: string | null;
  readonly retryMs: number | null;
  /** Empty: no message, only the fields above. */
  readonly data: string;
}

export class SseReader {
  #rest: Buffer = Buffer.alloc(0);
  #data: string[] = [];
  #bytes = 0;
  #id: string | null = null;
  #retryMs: number | null = null;
  #any = false;

  /** null: longer than it may be; nothing more may be pushed. */
  push(chunk: Uint8Array): ServerEvent[] | null {
    const events: ServerEvent[] = [];
    const buffer = this.#rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (;;) {
      const end = lineEnd(buffer, start);
      if (end === null) break;
      const event = this.#line(buffer.toString('utf8', start, end.at));
      if (event !== null) events.push(event);
      if (this.#bytes > MCP_LIMITS.sseLineBytes) return null;
      start = end.next;
    }
    this.#rest = Buffer.from(buffer.subarray(start));
    return this.#rest.length > MCP_LIMITS.sseLineBytes ? null : events;
  }

  #line(line: string): ServerEvent | null {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    this.#any = true;
    if (field === 'data') {
      this.#data.push(value);
      this.#bytes += value.length;
    } else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^[0-9]{1,9}$/.test(value)) this.#retryMs = Number(value);
    return null;
  }

  #end(): ServerEvent | null {
    const event = this.#any ? { id: this.#id, retryMs: this.#retryMs, data: this.#data.join('\n') } : null;
    this.#data = [];
    this.#bytes = 0;
    this.#id = null;
    this.#retryMs = null;
    this.#any = false;
    return event;
  }
}

/** A line ends with LF, CRLF or CR; a CR at the very end may be followed by its LF. */
function lineEnd(buffer: Buffer, start: number): { readonly at: number; readonly next: number } | null {
  const lf = buffer.indexOf(10, start);
  const cr = buffer.indexOf(13, start);
  if (cr >= 0 && (lf < 0 || cr < lf)) {
    if (cr + 1 === buffer.length) return null;
    return { at: cr, next: buffer[cr + 1] === 10 ? cr + 2 : cr + 1 };
  }
  return lf < 0 ? null : { at: lf, next: lf + 1 };
}
