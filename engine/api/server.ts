/**
 * The HTTP API. Node's own http server and a table of routes: seven routes need no framework, and every limit stands here in sight.
 * https://nodejs.org/docs/latest-v24.x/api/http.html
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Identity, Principal } from '#client/identity';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { failure } from './failure.ts';
import { parseStrictJson } from './json.ts';
import type { ApiParts } from './parts.ts';
import { ROUTES, type Answer, type Route } from './routes.ts';

export type { ApiParts, EventQuery, ReviewBook, Status } from './parts.ts';

export interface ApiOptions {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM; null: no TLS, which the configuration accepts on loopback only. */
  readonly tls: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array } | null;
  readonly parts: ApiParts;
  readonly log: Log;
}

export interface Api {
  /** With the port that was taken. */
  readonly url: string;
  /** Ends streams and connections. */
  close(): Promise<void>;
}

const LIMITS = {
  headerBytes: 16 * 1024,
  headers: 100,
  bodyBytes: 64 * 1024,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 5_000,
  connections: 256,
  requestsPerConnection: 1000,
  /** Each reads the journal in this process. */
  streams: 16,
} as const;

/** @throws InterlockError PORT_TAKEN, CONFIG_INVALID (an address that this machine does not have, a certificate that does not fit its key) */
export async function openApi(options: ApiOptions): Promise<Api> {
  const closing = new AbortController();
  const server = build(options);
  const streams = { open: 0 };
  server.on('request', (request, response) => void serve(request, response, { ...options, streams, closing: closing.signal }));
  await listen(server, options.listen);
  const { port } = server.address() as AddressInfo;
  const host = options.listen.host.includes(':') ? `[${options.listen.host}]` : options.listen.host;
  return {
    url: `${options.tls === null ? 'http' : 'https'}://${host}:${port}`,
    async close() {
      closing.abort();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function build({ tls }: ApiOptions): Server {
  const limits = {
    maxHeaderSize: LIMITS.headerBytes,
    headersTimeout: LIMITS.headersMs,
    requestTimeout: LIMITS.requestMs,
    keepAliveTimeout: LIMITS.idleMs,
    insecureHTTPParser: false,
  };
  const server = tls === null ? createServer(limits) : secure(limits, tls);
  server.maxHeadersCount = LIMITS.headers;
  server.maxConnections = LIMITS.connections;
  server.maxRequestsPerSocket = LIMITS.requestsPerConnection;
  return server;
}

function secure(limits: object, tls: NonNullable<ApiOptions['tls']>): Server {
  try {
    const material = { cert: asPem(tls.cert), key: asPem(tls.key) };
    return createTlsServer({ ...limits, ...material, minVersion: 'TLSv1.2', handshakeTimeout: LIMITS.headersMs });
  } catch (error) {
    throw new InterlockError('CONFIG_INVALID', 'certificate and key of `api.tls` cannot be used together', { cause: error });
  }
}

function asPem(material: string | Uint8Array): string | Buffer {
  return typeof material === 'string' ? material : Buffer.from(material);
}

async function listen(server: Server, { host, port }: ApiOptions['listen']): Promise<void> {
  try {
    const listening = once(server, 'listening');
    server.listen(port, host);
    await listening;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    if (code === 'EADDRINUSE') throw new InterlockError('PORT_TAKEN', `${host}:${port} is in use`, { cause: error });
    throw new InterlockError('CONFIG_INVALID', `cannot listen on ${host}:${port} (${code})`, { cause: error });
  }
}

interface House extends ApiOptions {
  readonly streams: { open: number };
  readonly closing: AbortSignal;
}

async function serve(request: IncomingMessage, response: ServerResponse, options: House): Promise<void> {
  try {
    const url = address(request.url ?? '/');
    if (url.pathname === '/healthz' && request.method === 'GET') return await health(response, options.parts);
    const { route, id } = find(request.method ?? '', url);
    const principal = await authenticate(request, route, options.parts.identity);
    const body = route.method === 'POST' ? parseStrictJson(await readBody(request)) : undefined;
    const signal = AbortSignal.any([options.closing, gone(response), AbortSignal.timeout(remainingMs(principal))]);
    using _place = route.streams ? takePlace(options.streams) : null;
    await present(response, await route.answer({ parts: options.parts, principal, id, query: url.searchParams, body, signal }), signal);
  } catch (error) {
    fail(request, response, error, options.log);
  }
}

function address(path: string): URL {
  if (!path.startsWith('/') || !URL.canParse(path, 'http://interlock')) throw new InterlockError('USAGE', 'the path is not well-formed');
  return new URL(`http://interlock${path}`);
}

function takePlace(streams: House['streams']): Disposable {
  if (streams.open >= LIMITS.streams) throw new InterlockError('API_BUSY', `more than ${LIMITS.streams} readings of the record at a time`);
  streams.open += 1;
  return { [Symbol.dispose]: () => void (streams.open -= 1) };
}

async function health(response: ServerResponse, parts: ApiParts): Promise<void> {
  const { ok } = await parts.status();
  send(response, ok ? 200 : 503, { ok });
}

function find(method: string, url: URL): { readonly route: Route; readonly id: string } {
  for (const route of ROUTES) {
    const match = route.method === method ? route.path.exec(url.pathname) : null;
    if (match === null) continue;
    for (const name of url.searchParams.keys())
      if (!route.query.includes(name))
        throw new InterlockError('USAGE', `unknown query parameter; allowed here: ${route.query.join(', ') || 'none'}`);
    return { route, id: match[1] ?? '' };
  }
  throw new InterlockError('ROUTE_NOT_FOUND', 'there is no such route');
}

/** `Authorization: Bearer …` (RFC 6750 §2.1), never a query parameter: those end up in logs. */
async function authenticate(request: IncomingMessage, route: Route, identity: Identity): Promise<Principal> {
  const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,12000})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new InterlockError('AUTH_FAILED', 'a bearer token is needed');
  if (route.scope === 'approve') return await identity.authenticate(token, { scope: 'approve' });
  try {
    return await identity.authenticate(token, { scope: 'connect' });
  } catch (error) {
    if (!(error instanceof InterlockError) || error.code !== 'AUTH_SCOPE') throw error;
    return await identity.authenticate(token, { scope: 'approve' });
  }
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  if (!/^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(request.headers['content-type'] ?? ''))
    throw new InterlockError('USAGE', 'the body must be application/json');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMITS.bodyBytes) throw new InterlockError('USAGE', 'the body is longer than 64 KiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Aborted when the client has gone. */
function gone(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => controller.abort());
  return controller.signal;
}

const TIMER_MS_MAX = 2 ** 31 - 1;

/** A stream does not outlive its token. */
function remainingMs(principal: Principal): number {
  return Math.min(Math.max(0, principal.expiresAtMs - Date.now()), TIMER_MS_MAX);
}

async function present(response: ServerResponse, answer: Answer, signal: AbortSignal): Promise<void> {
  if ('document' in answer) return send(response, 200, answer.document);
  response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  for await (const line of answer.lines) {
    if (signal.aborted) break;
    if (!response.write(`${JSON.stringify(line)}\n`)) await once(response, 'drain', { signal });
  }
  response.end();
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

function send(response: ServerResponse, status: number, document: unknown): void {
  response.writeHead(status, { ...HEADERS, 'content-type': 'application/json' }).end(`${JSON.stringify(document)}\n`);
}

/** Only known errors are told; anything else is INTERNAL to the client and a stack trace to us. */
function fail(request: IncomingMessage, response: ServerResponse, error: unknown, log: Log): void {
  if (error instanceof Error && error.name === 'AbortError') return void response.destroy(); // gone, or we are closing
  const { status, document } = failure(error);
  if (status >= 500) log.error({ method: request.method, err: error }, 'a request to the API failed');
  if (response.headersSent || response.destroyed) return void response.destroy(); // the client sees a cut stream, not a whole one
  if (!request.complete) response.setHeader('connection', 'close');
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  send(response, status, document);
}
