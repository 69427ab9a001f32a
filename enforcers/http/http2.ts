/** HTTP/2 of clients (RFC 9113), by node's own implementation, with budgets on what costs us more than them (SECURITY H12). */
import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { HeaderList } from './answer.ts';
import { Bucket } from './buckets.ts';
import type { ConnectionHost } from './connection.ts';
import { checkAuthority, checkBodiless, Malformed, ONCE, onlyValue, type RequestHead } from './head.ts';
import { HTTP_LIMITS } from './limits.ts';
import type { Incoming, Reply } from './reply.ts';

export interface Http2Door {
  /** A connection on which h2 was agreed. */
  take(socket: TLSSocket, host: ConnectionHost): void;
  /** No new request; what runs may finish. */
  drain(): void;
  close(): void;
}

export function openHttp2(nowMs: () => number): Http2Door {
  const sessions = new Set<ServerHttp2Session>();
  return {
    take: (socket, host) => {
      const session = performServerHandshake(socket, OPTIONS);
      sessions.add(session);
      session.on('close', () => sessions.delete(session));
      const open = new Set<ServerHttp2Stream>();
      budgeted(session, open, nowMs);
      session.on('stream', (stream: ServerHttp2Stream, _: unknown, __: unknown, raw: readonly string[]) => {
        open.add(stream);
        stream.on('close', () => open.delete(stream));
        begin(stream, raw, host);
      });
    },
    drain: () => {
      for (const session of sessions) session.close();
    },
    close: () => {
      for (const session of sessions) session.destroy();
    },
  };
}

const OPTIONS = {
  settings: { maxConcurrentStreams: HTTP_LIMITS.streams, maxHeaderListSize: HTTP_LIMITS.headBytes, enablePush: false, enableConnectProtocol: false },
  maxSessionInvalidFrames: HTTP_LIMITS.invalidFrames,
  maxSessionRejectedStreams: HTTP_LIMITS.invalidFrames,
  maxSessionMemory: HTTP_LIMITS.sessionMegabytes,
  maxHeaderListPairs: HTTP_LIMITS.headers,
  maxSettings: 32,
  maxOutstandingPings: 10,
};

/** Resets, pings and settings cost a client nothing; a connection of nothing else is ended. */
function budgeted(session: ServerHttp2Session, open: ReadonlySet<ServerHttp2Stream>, nowMs: () => number): void {
  const bucket = new Bucket(HTTP_LIMITS.controlBurst, HTTP_LIMITS.controlPerSecond, nowMs);
  const spend = (): void => {
    if (!bucket.take()) session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
  session.on('ping', spend);
  session.on('remoteSettings', spend);
  session.on('stream', (stream: ServerHttp2Stream) => stream.on('aborted', spend));
  session.on('error', () => session.destroy());
  // a stream that is open waits for somebody: a reviewer, or the target
  session.setTimeout(HTTP_LIMITS.keepAliveMs, () => open.size === 0 && session.close());
}

function begin(stream: ServerHttp2Stream, raw: readonly string[], host: ConnectionHost): void {
  stream.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
  const reply = new Http2Reply(stream);
  try {
    const head = headOf(raw);
    const incoming: Incoming = { head, reply, body: (bytesMax) => bodyOf(stream, reply, head, bytesMax) };
    void host.request(incoming);
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    host.malformed(reply, error);
  }
}

/** Pseudo-headers in front, each once; the rest as HTTP/1.1 has it. @throws Malformed */
function headOf(raw: readonly string[]): RequestHead {
  const pseudo = new Map<string, string>();
  const headers: (readonly [string, string])[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    const value = raw[at + 1] as string;
    if (name.startsWith(':')) pseudo.set(name, value);
    else if (!/^[\t -~\x80-\xff]*$/.test(value) || !/^[!#$%&'*+.^_`|~0-9a-z-]{1,256}$/.test(name)) throw new Malformed(400, 'a header is malformed');
    else headers.push([name, value]);
  }
  const [method = '', target = '', authority = ''] = [':method', ':path', ':authority'].map((name) => pseudo.get(name));
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}$/.test(method)) throw new Malformed(400, 'the method is malformed');
  const connects = method === 'CONNECT';
  if (!connects && !/^[!-~]+$/.test(target)) throw new Malformed(400, 'the path is malformed');
  const host = onlyValue(headers, 'host');
  if (host !== undefined && authority !== '' && host !== authority) throw new Malformed(400, 'host is not the authority');
  checkAuthority(authority === '' ? (host ?? '') : authority);
  for (const name of [...ONCE, 'content-length', 'expect']) onlyValue(headers, name);
  return { version: '2', method, target: connects ? 'connect' : target, authority: authority === '' ? (host ?? '') : authority, headers };
}

function bodyOf(stream: ServerHttp2Stream, reply: Reply, { method, headers }: RequestHead, bytesMax: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  if (headers.some(([name]) => name === 'expect')) reply.proceed();
  const parts: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(() => reject(new Malformed(408, `the body did not come within ${HTTP_LIMITS.bodyMs} ms`)), HTTP_LIMITS.bodyMs);
  stream.on('data', (part: Buffer) => {
    bytes += part.length;
    if (bytes > bytesMax) {
      parts.length = 0;
      return reject(new Malformed(413, `a body of more than ${bytesMax} bytes`));
    }
    parts.push(part);
  });
  stream.on('end', () => resolve(Buffer.concat(parts, bytes)));
  stream.on('trailers', () => reject(new Malformed(400, 'trailers are not taken')));
  stream.on('aborted', () => reject(new Malformed(400, 'the client left')));
  return promise
    .then((body) => {
      checkBodiless(method, body.length > 0 ? { kind: 'length', bytes: body.length } : { kind: 'none' });
      return body;
    })
    .finally(() => clearTimeout(timer));
}

class Http2Reply implements Reply {
  readonly #stream: ServerHttp2Stream;
  #ended = false;
  #onLeft: (() => void) | null = null;
  #unread: NodeJS.Timeout | null = null;
  bytes = 0;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    stream.on('close', () => {
      if (this.#unread !== null) clearTimeout(this.#unread);
      if (!this.#ended) this.#onLeft?.();
      this.#ended = true;
    });
  }

  get open(): boolean {
    return !this.#ended && !this.#stream.destroyed && !this.#stream.closed;
  }

  get begun(): boolean {
    return this.#stream.headersSent;
  }

  proceed(): void {
    if (this.open && !this.begun) this.#stream.additionalHeaders({ ':status': 100 });
  }

  head(status: number, headers: HeaderList, bodiless: boolean): void {
    if (!this.open || this.begun) return;
    const fields: Record<string, number | string | string[]> = { ':status': status };
    for (const [name, value] of headers) {
      const before = fields[name];
      fields[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [String(before)]), value];
    }
    this.#stream.respond(fields, { endStream: bodiless });
  }

  write(bytes: Uint8Array): boolean {
    if (!this.open || bytes.length === 0 || !this.#stream.writable) return true;
    this.bytes += bytes.length;
    const keepsUp = this.#stream.write(bytes);
    if (!keepsUp) this.#unread ??= setTimeout(() => this.#stream.close(constants.NGHTTP2_CANCEL), HTTP_LIMITS.unreadMs);
    return keepsUp;
  }

  drained(listener: () => void): void {
    this.#stream.once('drain', () => {
      if (this.#unread !== null) clearTimeout(this.#unread);
      this.#unread = null;
      listener();
    });
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#stream.writable) this.#stream.end();
    // what the client still sends of its body is dropped
    this.#stream.resume();
  }

  abort(): void {
    if (this.#stream.destroyed) return;
    this.#ended = true;
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  last(): void {
    // the connection carries others: it ends with the last of them once the gateway drains
  }

  left(listener: () => void): void {
    if (this.#ended || this.#stream.destroyed) listener();
    else this.#onLeft = listener;
  }
}
