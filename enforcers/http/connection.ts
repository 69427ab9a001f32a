/** One HTTP/1.1 connection of a client: one request after the other, each read strictly and answered before the next is looked at (SECURITY H1, H12). */
import type { Socket } from 'node:net';
import { BodyReader } from './body-reader.ts';
import { Deadline } from './deadline.ts';
import { checkAuthority, checkBodiless, Malformed, readRequestLine, type RequestHead } from './head.ts';
import { type HeaderBlock, readHeaderBlock } from './header-block.ts';
import { Http1Reply, type Line } from './http1-reply.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { Incoming, Reply } from './reply.ts';
import type { Turn } from './turn.ts';

export interface ConnectionHost {
  /** Answers on `incoming.reply`; never rejects. */
  request(incoming: Incoming): Promise<void>;
  /** What is no request: answered, and the connection ends. */
  malformed(reply: Reply, why: Malformed): void;
  readonly draining: boolean;
  /** One for all connections: what waits for its end are answers to different clients. */
  readonly turn: Turn;
}

const EMPTY = Buffer.alloc(0);
const LINE_END = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');

export class ClientConnection {
  readonly #socket: Socket;
  readonly #line: Line;
  readonly #host: ConnectionHost;
  #buffer: Buffer = EMPTY;
  /** Where the end of the head is looked for: what stands before was looked at. */
  #scanned = 0;
  #state: 'head' | 'answering' | 'closed' = 'head';
  #body: BodyReader | null = null;
  #reply: Http1Reply | null = null;
  readonly #deadline = new Deadline(() => this.#late());
  #paused = false;
  /** The headers that came last: most clients say the same ones with every request. */
  #block: HeaderBlock | null = null;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#line = { socket, turn: host.turn };
    this.#host = host;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('end', () => this.#gone());
    socket.on('close', () => this.#gone());
    socket.on('error', () => socket.destroy());
    socket.on('drain', () => this.#reply?.onDrain());
    this.#deadline.within(HTTP_LIMITS.headMs);
  }

  get idle(): boolean {
    return this.#state === 'head';
  }

  /** An idle one ends now, a busy one behind its answer. */
  finish(): void {
    if (this.#state === 'head') this.#close();
    else this.#reply?.last();
  }

  #read(bytes: Buffer): void {
    if (this.#state === 'closed') return;
    this.#buffer = this.#buffer.length === 0 ? bytes : Buffer.concat([this.#buffer, bytes]);
    this.#advance();
  }

  #advance(): void {
    try {
      if (this.#state === 'head') this.#head();
      if (this.#state === 'answering') this.#fill();
    } catch (error) {
      this.#broken(error);
    }
  }

  #head(): void {
    const buffer = this.#buffer;
    const end = buffer.indexOf(HEAD_END, Math.max(0, this.#scanned - 3));
    if (end < 0 || end > HTTP_LIMITS.headBytes) {
      if (buffer.length > HTTP_LIMITS.headBytes) throw new Malformed(431, `the head is longer than ${HTTP_LIMITS.headBytes} bytes`);
      // the time for a head begins with its first byte
      if (this.#scanned === 0 && buffer.length > 0) this.#deadline.within(HTTP_LIMITS.headMs);
      this.#scanned = buffer.length;
      return;
    }
    const line = buffer.indexOf(LINE_END);
    const asked = readRequestLine(buffer.toString('latin1', 0, line));
    const block = (this.#block = readHeaderBlock(buffer, Math.min(line + 2, end), end, this.#block));
    this.#buffer = buffer.length === end + 4 ? EMPTY : buffer.subarray(end + 4);
    this.#scanned = 0;
    this.#begin({ ...asked, authority: block.authority, headers: block.list }, block);
  }

  #begin(head: RequestHead, { framing, expects, closes }: HeaderBlock): void {
    if (head.method !== 'CONNECT') checkAuthority(head.authority);
    checkBodiless(head.method, framing);
    this.#deadline.met();
    this.#state = 'answering';
    const reply = new Http1Reply(this.#line, head, closes || this.#host.draining, (usable) => this.#answered(usable));
    this.#reply = reply;
    const body = framing.kind === 'none' ? null : new BodyReader(framing, () => expects && reply.proceed());
    this.#body = body;
    void this.#host.request({ head, reply, body: (bytesMax) => this.#take(body, bytesMax) });
  }

  #take(body: BodyReader | null, bytesMax: number): Buffer | Promise<Buffer> {
    if (body === null) return EMPTY;
    const taken = body.open(bytesMax);
    this.#deadline.within(HTTP_LIMITS.bodyMs);
    this.#advance();
    return body.whole ?? taken;
  }

  /** What came goes to the body as soon as somebody wants it; the rest waits, bounded. */
  #fill(): void {
    const body = this.#body;
    if (body !== null && body.opened && !body.done) {
      const used = body.read(this.#buffer);
      this.#buffer = this.#buffer.subarray(used);
      if (body.done) this.#deadline.met();
    }
    this.#pace();
  }

  /** Reading stops where too much would wait; a client that leaves is noticed all the same once it is read again. */
  #pace(): void {
    const full = this.#buffer.length > HTTP_LIMITS.readAheadBytes;
    if (full === this.#paused) return;
    this.#paused = full;
    if (full) this.#socket.pause();
    else this.#socket.resume();
  }

  /** The answer is complete. What is left of a body that nobody wanted would be taken for a request: the connection ends. */
  #answered(usable: boolean): void {
    if (this.#state !== 'answering') return;
    const unread = this.#body !== null && !this.#body.done;
    this.#body = null;
    this.#reply = null;
    if (!usable || unread || this.#host.draining) return this.#close();
    this.#state = 'head';
    this.#deadline.within(HTTP_LIMITS.keepAliveMs);
    this.#pace();
    if (this.#buffer.length > 0) setImmediate(() => this.#advance());
  }

  #broken(error: unknown): void {
    if (!(error instanceof Malformed)) throw error;
    this.#deadline.met();
    const reading = this.#body;
    if (reading !== null && reading.opened && !reading.done) return reading.fail(error);
    if (this.#state === 'answering') return this.#reply?.abort();
    this.#state = 'answering';
    const reply = new Http1Reply(this.#line, null, true, () => this.#close());
    this.#reply = reply;
    this.#host.malformed(reply, error);
  }

  /** Nobody is told who only kept a connection open. */
  #late(): void {
    if (this.#state === 'closed') this.#socket.destroy();
    else if (this.#state === 'answering') this.#body?.fail(new Malformed(408, `the body did not come within ${HTTP_LIMITS.bodyMs} ms`));
    else if (this.#buffer.length === 0) this.#close();
    else this.#broken(new Malformed(408, `the head did not come within ${HTTP_LIMITS.headMs} ms`));
  }

  /** What the client still sends is dropped for a moment: closed at once, it might never read why. */
  #close(): void {
    this.#state = 'closed';
    this.#deadline.met();
    this.#buffer = EMPTY;
    this.#socket.end();
    if (this.#socket.destroyed) return;
    this.#socket.resume();
    this.#deadline.within(HTTP_LIMITS.lingerMs);
  }

  #gone(): void {
    this.#state = 'closed';
    this.#deadline.end();
    this.#body?.fail(new Malformed(400, 'the client left'));
    this.#reply?.gone();
    this.#socket.destroy();
  }
}
