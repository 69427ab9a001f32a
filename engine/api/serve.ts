/** One request, from its first byte to its answer. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InterlockError } from '#schemas/errors';
import { readerOf } from './access.ts';
import { isAssistant, serveAssistant } from './assistant.ts';
import { authenticate } from './authenticate.ts';
import type { AuthzenHouse } from './authzen/house.ts';
import { isAuthzen, serveAuthzen } from './authzen/serve.ts';
import type { OpenRoute, Route } from './call.ts';
import { Ending } from './ending.ts';
import { failure } from './failure.ts';
import type { House } from './house.ts';
import { readJsonBody } from './json.ts';
import { isOauth, serveOauth } from './oauth.ts';
import { LIMITS } from './limits.ts';
import { readCookie } from './login/cookies.ts';
import { checkOrigin } from './login/origin.ts';
import type { OperationsPart } from './parts.ts';
import { present, send, sendFile, sendText } from './present.ts';
import { ROUTES } from './routes.ts';

export async function serve(request: IncomingMessage, response: ServerResponse, house: House, authzen: AuthzenHouse | null): Promise<void> {
  try {
    const url = address(request.url ?? '/');
    const watched = watch(request, url.pathname, house);
    if (watched !== null) return sendText(request, response, watched, house);
    if (authzen !== null && isAuthzen(url.pathname)) return await serveAuthzen(request, response, url.pathname, house, authzen);
    if (isAssistant(url.pathname)) return await serveAssistant(request, response, house);
    if (isOauth(url.pathname)) return await serveOauth(request, response, url.pathname, house);
    const file = request.method === 'GET' || request.method === 'HEAD' ? house.console.find(url.pathname) : null;
    if (file !== null) return sendFile(request, response, file, house);
    const { route, id } = find(request.method ?? '', url);
    await (route.scope === 'none'
      ? serveOpen(request, response, { route, id, url }, house)
      : serveCall(request, response, { route, id, url }, house));
  } catch (error) {
    fail(request, response, error, house);
  }
}

interface Found<R> {
  readonly route: R;
  readonly id: string;
  readonly url: URL;
}

async function serveCall(request: IncomingMessage, response: ServerResponse, { route, id, url }: Found<Route>, house: House): Promise<void> {
  const { method, scope, streams } = route;
  const idle = url.pathname === '/v1/live';
  const { principal, session } = await authenticate(request.headers, { method, scope, idle }, house);
  house.rates.take(method === 'GET' ? 'read' : 'change', principal.subject.id);
  const body = method === 'POST' ? await readBody(request) : undefined;
  const leftMs = (session?.endsMs ?? principal.expiresAtMs) - house.clock.wallUs() / 1000;
  using ending = new Ending(response, leftMs, session === null ? [house.closing] : [house.closing, session.ended]);
  const { signal } = ending;
  using _place = streams ? takePlace(house.readings) : null;
  const lastEventId = headerOf(request, 'last-event-id');
  const call = {
    house,
    principal,
    session,
    id,
    query: url.searchParams,
    body,
    signal,
    lastEventId,
    refreshes: session !== null && headerOf(request, 'x-interlock-refresh') !== null,
    reader: readerOf(principal, house.parts.readers),
  };
  await present(response, await route.answer(call), signal, house);
}

/** Nobody has logged in yet: an address has only so many tries, and a login begins on our own page. */
async function serveOpen(request: IncomingMessage, response: ServerResponse, { route, id, url }: Found<OpenRoute>, house: House): Promise<void> {
  house.rates.take('login', request.socket.remoteAddress ?? 'unknown');
  if (route.method !== 'GET') checkOrigin(request.headers, house.publicUrl, house.scheme);
  const body = route.method === 'POST' ? await readBody(request) : undefined;
  using ending = new Ending(response, null, [house.closing]);
  const cookie = (kind: 'pending' | 'session'): string | null => readCookie(request.headers.cookie, house.cookies[kind]);
  const call = {
    house,
    id,
    query: url.searchParams,
    body,
    signal: ending.signal,
    pendingCookie: cookie('pending'),
    sessionCookie: cookie('session'),
  };
  await present(response, await route.answer(call), ending.signal, house);
}

function address(path: string): URL {
  if (!path.startsWith('/') || !URL.canParse(path, 'http://interlock')) throw new InterlockError('USAGE', 'the path is not well-formed');
  return new URL(`http://interlock${path}`);
}

function takePlace(readings: House['readings']): Disposable {
  if (readings.open >= LIMITS.streams) throw new InterlockError('API_BUSY', `more than ${LIMITS.streams} readings of the record at a time`);
  readings.open += 1;
  return { [Symbol.dispose]: () => void (readings.open -= 1) };
}

/** How the process is: who watches it has no token of ours. */
function watch({ method = '', headers, socket }: IncomingMessage, path: string, { parts }: House): ReturnType<OperationsPart['answer']> {
  return parts.operations?.answer({ method, path, headers, remoteAddress: socket.remoteAddress }) ?? null;
}

function find(method: string, url: URL): { readonly route: Route | OpenRoute; readonly id: string } {
  for (const route of ROUTES) {
    const match = route.method === method ? route.path.exec(url.pathname) : null;
    if (match === null) continue;
    for (const name of url.searchParams.keys())
      if (!route.query.includes(name) && !route.query.includes('*'))
        throw new InterlockError('USAGE', `unknown query parameter; allowed here: ${route.query.join(', ') || 'none'}`);
    return { route, id: match[1] ?? '' };
  }
  throw new InterlockError('ROUTE_NOT_FOUND', 'there is no such route');
}

function headerOf(request: IncomingMessage, name: string): string | null {
  const value = request.headers[name];
  return typeof value === 'string' && value.length <= 64 ? value : null;
}

/** Absent: nothing to say. What is there is JSON: a form of another site cannot send that. */
async function readBody(request: IncomingMessage): Promise<unknown> {
  const { 'content-type': type = '', 'content-length': length, 'transfer-encoding': coding } = request.headers;
  if (coding === undefined && (length === undefined || length === '0')) return undefined;
  if (!/^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(type)) throw new InterlockError('USAGE', 'the body must be application/json');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMITS.bodyBytes) throw new InterlockError('USAGE', 'the body is longer than 64 KiB');
    chunks.push(chunk);
  }
  return readJsonBody(Buffer.concat(chunks));
}

/** Only known errors are told; anything else is INTERNAL to the client and a stack trace to us. */
function fail(request: IncomingMessage, response: ServerResponse, error: unknown, house: House): void {
  if (error instanceof Error && error.name === 'AbortError') return void response.destroy(); // gone, or we are closing
  const { status, document } = failure(error);
  if (status >= 500) house.log.error({ method: request.method, err: error }, 'a request to the API failed');
  if (response.headersSent || response.destroyed) return void response.destroy(); // the client sees a cut stream, not a whole one
  if (!request.complete) response.setHeader('connection', 'close');
  if (status === 401) response.setHeader('www-authenticate', 'Bearer');
  send(response, status, document, house);
}
