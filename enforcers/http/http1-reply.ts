/** The answer to one request of HTTP/1.1, as it goes to the client. */
import type { Socket } from 'node:net';
import type { HeaderList } from './answer.ts';
import { chunk, LAST_CHUNK } from './chunks.ts';
import type { RequestHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { Reply } from './reply.ts';
import type { Turn } from './turn.ts';

/** Up to this a body is copied behind its head, for one write. */
const JOINED_BYTES = 16_384;

/** What every answer of one connection is written with. */
export interface Line {
  readonly socket: Socket;
  readonly turn: Turn;
}

export class Http1Reply implements Reply {
  readonly #socket: Socket;
  readonly #turn: Turn;
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

  constructor({ socket, turn }: Line, head: RequestHead | null, closes: boolean, done: (usable: boolean) => void) {
    this.#socket = socket;
    this.#turn = turn;
    turn.began();
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
    this.#turn.hold(this.#socket);
    return this.#socket.write(bytes);
  }

  /** A client that takes nothing of its answer is let go. */
  #watch(): void {
    this.#unread ??= setTimeout(() => this.#socket.destroy(), HTTP_LIMITS.unreadMs);
  }

  #finish(usable: boolean): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#turn.over();
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
