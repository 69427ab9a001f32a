/** One HTTP/1.1 connection of a client: one request after the other, each read strictly and answered before the next is looked at (SECURITY H1, H12). */
import type { Socket } from 'node:net';
import type { HeaderList } from './answer.ts';
import { chunk, ChunkReader, LAST_CHUNK } from './chunks.ts';
import { checkAuthority, checkBodiless, type Framing, framingOf, Malformed, ONCE, onlyValue, readRequestHead, type RequestHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { Incoming, Reply } from './reply.ts';

export interface ConnectionHost {
  /** Answers on `incoming.reply`; never rejects. */
  request(incoming: Incoming): Promise<void>;
  /** What is no request: answered, and the connection ends. */
  malformed(reply: Reply, why: Malformed): void;
  readonly draining: boolean;
}

const EMPTY = Buffer.alloc(0);

export class ClientConnection {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  #buffer: Buffer = EMPTY;
  /** Where the end of the head is looked for: what stands before was looked at. */
  #scanned = 0;
  #state: 'head' | 'answering' | 'closed' = 'head';
  #body: BodyReader | null = null;
  #reply: Http1Reply | null = null;
  #timer: NodeJS.Timeout | null = null;
  #paused = false;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
    socket.on('end', () => this.#gone());
    socket.on('close', () => this.#gone());
    socket.on('error', () => socket.destroy());
    socket.on('drain', () => this.#reply?.onDrain());
    this.#await(HTTP_LIMITS.headMs);
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
    const end = this.#buffer.indexOf('\r\n\r\n', Math.max(0, this.#scanned - 3), 'latin1');
    if (end < 0 || end > HTTP_LIMITS.headBytes) {
      if (this.#buffer.length > HTTP_LIMITS.headBytes) throw new Malformed(431, `the head is longer than ${HTTP_LIMITS.headBytes} bytes`);
      // the time for a head begins with its first byte
      if (this.#scanned === 0 && this.#buffer.length > 0) this.#await(HTTP_LIMITS.headMs);
      this.#scanned = this.#buffer.length;
      return;
    }
    const head = readRequestHead(this.#buffer.toString('latin1', 0, end), HTTP_LIMITS.headers);
    this.#buffer = this.#buffer.subarray(end + 4);
    this.#scanned = 0;
    this.#begin(head);
  }

  #begin(head: RequestHead): void {
    if (head.method !== 'CONNECT') checkAuthority(head.authority);
    for (const name of ONCE) onlyValue(head.headers, name);
    const framing = framingOf(head.headers, 'none');
    checkBodiless(head.method, framing);
    const expects = expected(head.headers);
    this.#stopWaiting();
    this.#state = 'answering';
    const closes = this.#host.draining || head.headers.some(([name, value]) => name === 'connection' && /\bclose\b/i.test(value));
    const reply = new Http1Reply(this.#socket, head, closes, (usable) => this.#answered(usable));
    this.#reply = reply;
    const body = framing.kind === 'none' ? null : new BodyReader(framing, () => expects && reply.proceed());
    this.#body = body;
    void this.#host.request({ head, reply, body: (bytesMax) => this.#take(body, bytesMax) });
  }

  #take(body: BodyReader | null, bytesMax: number): Promise<Buffer> {
    if (body === null) return Promise.resolve(EMPTY);
    const taken = body.open(bytesMax);
    this.#advance();
    return taken;
  }

  /** What came goes to the body as soon as somebody wants it; the rest waits, bounded. */
  #fill(): void {
    const body = this.#body;
    if (body !== null && body.opened && !body.done) {
      const used = body.read(this.#buffer);
      this.#buffer = this.#buffer.subarray(used);
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
    this.#body?.close();
    this.#body = null;
    this.#reply = null;
    if (!usable || unread || this.#host.draining) return this.#close();
    this.#state = 'head';
    this.#await(HTTP_LIMITS.keepAliveMs);
    this.#pace();
    if (this.#buffer.length > 0) setImmediate(() => this.#advance());
  }

  #broken(error: unknown): void {
    if (!(error instanceof Malformed)) throw error;
    this.#stopWaiting();
    const reading = this.#body;
    if (reading !== null && reading.opened && !reading.done) return reading.fail(error);
    if (this.#state === 'answering') return this.#reply?.abort();
    this.#state = 'answering';
    const reply = new Http1Reply(this.#socket, null, true, () => this.#close());
    this.#reply = reply;
    this.#host.malformed(reply, error);
  }

  #await(ms: number): void {
    this.#stopWaiting();
    this.#timer = setTimeout(() => this.#late(), ms);
  }

  #stopWaiting(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** Nobody is told who only kept a connection open. */
  #late(): void {
    if (this.#buffer.length === 0) this.#close();
    else this.#broken(new Malformed(408, `the head did not come within ${HTTP_LIMITS.headMs} ms`));
  }

  /** What the client still sends is dropped for a moment: closed at once, it might never read why. */
  #close(): void {
    this.#state = 'closed';
    this.#stopWaiting();
    this.#buffer = EMPTY;
    this.#socket.end();
    if (this.#socket.destroyed) return;
    this.#socket.resume();
    this.#timer = setTimeout(() => this.#socket.destroy(), HTTP_LIMITS.lingerMs);
  }

  #gone(): void {
    this.#state = 'closed';
    this.#stopWaiting();
    this.#body?.fail(new Malformed(400, 'the client left'));
    this.#reply?.gone();
    this.#socket.destroy();
  }
}

/** @throws Malformed for anything but the one expectation there is */
function expected(headers: HeaderList): boolean {
  const value = onlyValue(headers, 'expect');
  if (value === undefined) return false;
  if (value.toLowerCase() !== '100-continue') throw new Malformed(417, 'an expectation that is not known');
  return true;
}

/** The body of one request, gathered whole, within its bounds. */
class BodyReader {
  readonly #framing: Exclude<Framing, { kind: 'none' }>;
  readonly #wanted: () => void;
  readonly #chunks: ChunkReader;
  readonly #parts: Buffer[] = [];
  readonly #settled = Promise.withResolvers<Buffer>();
  #bytes = 0;
  #bytesMax = 0;
  #timer: NodeJS.Timeout | null = null;
  opened = false;
  done = false;

  constructor(framing: Exclude<Framing, { kind: 'none' }>, wanted: () => void) {
    this.#framing = framing;
    this.#wanted = wanted;
    this.#chunks = new ChunkReader('refused');
    this.#settled.promise.catch(() => {});
  }

  open(bytesMax: number): Promise<Buffer> {
    this.opened = true;
    this.#bytesMax = bytesMax;
    if (this.#framing.kind === 'length' && this.#framing.bytes > bytesMax) this.fail(tooLong(bytesMax));
    else {
      this.#timer = setTimeout(() => this.fail(new Malformed(408, `the body did not come within ${HTTP_LIMITS.bodyMs} ms`)), HTTP_LIMITS.bodyMs);
      this.#wanted();
    }
    return this.#settled.promise;
  }

  /** How much of `bytes` belongs to it. @throws Malformed */
  read(bytes: Buffer): number {
    if (this.#framing.kind === 'chunked') {
      const used = this.#chunks.read(bytes, 0, (data) => this.#take(data));
      if (this.#chunks.done) this.#finish();
      return used;
    }
    const wanted = this.#framing.kind === 'length' ? this.#framing.bytes - this.#bytes : 0;
    const used = Math.min(wanted, bytes.length);
    if (used > 0) this.#take(bytes.subarray(0, used));
    if (this.#framing.kind === 'length' && this.#bytes === this.#framing.bytes) this.#finish();
    return used;
  }

  fail(why: Malformed): void {
    this.close();
    this.#settled.reject(why);
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #take(data: Buffer): void {
    this.#bytes += data.length;
    if (this.#bytes > this.#bytesMax) throw tooLong(this.#bytesMax);
    this.#parts.push(data);
  }

  #finish(): void {
    this.done = true;
    this.close();
    this.#settled.resolve(this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#bytes));
  }
}

function tooLong(bytesMax: number): Malformed {
  return new Malformed(413, `a body of more than ${bytesMax} bytes`);
}

const JOINED_BYTES = 16_384;

class Http1Reply implements Reply {
  readonly #socket: Socket;
  readonly #method: string;
  readonly #done: (usable: boolean) => void;
  #closes: boolean;
  #state: 'new' | 'head' | 'body' | 'ended' = 'new';
  #head = '';
  #framing: 'none' | 'length' | 'chunked' = 'none';
  #onDrain: (() => void) | null = null;
  #onLeft: (() => void) | null = null;
  #unread: NodeJS.Timeout | null = null;
  bytes = 0;

  constructor(socket: Socket, head: RequestHead | null, closes: boolean, done: (usable: boolean) => void) {
    this.#socket = socket;
    this.#method = head?.method ?? '';
    this.#closes = closes;
    this.#done = done;
  }

  get open(): boolean {
    return this.#state !== 'ended' && this.#socket.writable;
  }

  get begun(): boolean {
    return this.#state !== 'new';
  }

  proceed(): void {
    if (this.#state === 'new' && this.#socket.writable) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  last(): void {
    this.#closes = true;
  }

  head(status: number, headers: HeaderList, bodiless: boolean): void {
    if (this.#state !== 'new') return;
    this.#state = 'head';
    const length = headers.some(([name]) => name === 'content-length');
    this.#framing = bodiless || this.#method === 'HEAD' ? 'none' : length ? 'length' : 'chunked';
    const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
    if (this.#framing === 'chunked') lines.push('transfer-encoding: chunked\r\n');
    if (this.#closes) lines.push('connection: close\r\n');
    this.#head = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${lines.join('')}\r\n`;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#state === 'ended' || this.#state === 'new' || bytes.length === 0 || this.#framing === 'none') return true;
    if (this.#framing === 'length' && this.#head !== '' && bytes.length <= JOINED_BYTES) return this.#kept(this.#send(this.#joined(bytes)));
    this.#socket.cork();
    this.#flushHead();
    let keepsUp = true;
    for (const piece of this.#framing === 'chunked' ? chunk(bytes) : [bytes]) keepsUp = this.#send(piece);
    this.#socket.uncork();
    return this.#kept(keepsUp);
  }

  #kept(keepsUp: boolean): boolean {
    if (!keepsUp) this.#watch();
    return keepsUp;
  }

  end(): void {
    if (this.#state === 'ended' || this.#state === 'new') return;
    this.#socket.cork();
    this.#flushHead();
    if (this.#framing === 'chunked') this.#send(LAST_CHUNK);
    this.#socket.uncork();
    this.#finish(!this.#closes);
  }

  abort(): void {
    if (this.#state === 'ended') return;
    this.#finish(false);
    this.#socket.destroy();
  }

  drained(listener: () => void): void {
    this.#onDrain = listener;
  }

  onDrain(): void {
    if (this.#unread !== null) clearTimeout(this.#unread);
    this.#unread = null;
    const listener = this.#onDrain;
    this.#onDrain = null;
    listener?.();
  }

  left(listener: () => void): void {
    if (this.#state !== 'ended' && this.#socket.destroyed) listener();
    else this.#onLeft = listener;
  }

  /** The socket has ended. */
  gone(): void {
    if (this.#state === 'ended') return;
    this.#finish(false);
    this.#onLeft?.();
    this.#onDrain?.();
  }

  #flushHead(): void {
    if (this.#head === '') return;
    this.bytes += this.#head.length;
    this.#socket.write(this.#head, 'latin1');
    this.#head = '';
    this.#state = 'body';
  }

  /** Head and body of a short answer in one piece: cheaper than two that are written together. */
  #joined(bytes: Uint8Array): Buffer {
    const head = this.#head.length;
    const whole = Buffer.allocUnsafe(head + bytes.length);
    whole.write(this.#head, 0, head, 'latin1');
    whole.set(bytes, head);
    this.#head = '';
    this.#state = 'body';
    return whole;
  }

  #send(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    return this.#socket.write(bytes);
  }

  /** A client that takes nothing of its answer is let go. */
  #watch(): void {
    this.#unread ??= setTimeout(() => this.#socket.destroy(), HTTP_LIMITS.unreadMs);
  }

  #finish(usable: boolean): void {
    this.#state = 'ended';
    if (this.#unread !== null) clearTimeout(this.#unread);
    this.#done(usable);
  }
}

/** Only those that a client may look at; others need none. */
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};
