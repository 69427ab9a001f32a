/**
 * One HTTP request to `/mcp/<target>`, from its first byte to its answer. In this order, each before the next: where it comes from (Host, Origin),
 * who sends it (token), what it is (one strict JSON-RPC message of an era), whose session it is.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import { InterlockError } from '#schemas/errors';
import { challenge, resourceOf } from './metadata.ts';
import { eraOf, headerProblem } from './headers.ts';
import { MCP_LIMITS } from './limits.ts';
import { readMessage, type RpcMessage, type RpcNotification, type RpcRequest } from './message.ts';
import { CLIENT_NOTIFICATIONS, ERROR, LEGACY, META, objectOf, type Era, type RpcError, type RpcId } from './protocol.ts';
import { sinkFor, type Questions } from './relay.ts';
import { Reply } from './reply.ts';
import { answerTo } from './requests.ts';
import { Denied, type McpSession } from './session.ts';
import type { Sessions, Visitor } from './sessions.ts';
import type { McpTarget } from './target.ts';
import { capabilitiesFor } from './translate.ts';
import { rpcErrorOf } from './words.ts';

export interface EndpointParts {
  readonly target: McpTarget;
  readonly sessions: Sessions;
  readonly questions: Questions;
  /** Longest message. */
  readonly bytesMax: number;
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** Where the request came in. */
export interface Site {
  /** `https://gateway.example.com`: what clients reach it by. */
  readonly origin: string;
  /** Names that it may be reached by. */
  readonly hosts: ReadonlySet<string>;
  readonly tls: boolean;
}

export async function serveMcp(request: IncomingMessage, response: ServerResponse, site: Site, parts: EndpointParts): Promise<void> {
  try {
    const turned = turnedAway(request, site, parts.target);
    if (turned !== null) return plain(response, turned.status, turned.why);
    if (request.method === 'GET' || request.method === 'DELETE') return await ofSession(request, response, site, parts);
    if (request.method !== 'POST')
      return plain(response, 405, refusal('PROTOCOL', 'only POST, GET and DELETE are known here'), { allow: 'POST, GET, DELETE' });
    await posted(request, response, site, parts);
  } catch (error) {
    parts.log.error({ target: parts.target.name, err: error }, 'a request to an MCP endpoint failed');
    if (response.headersSent) response.destroy();
    else plain(response, 503, refusalOf(error));
  }
}

/** DNS rebinding: a page of another site reaches us by its own name, or says where it is from. */
function turnedAway(
  { headers, rawHeaders, socket }: IncomingMessage,
  { hosts, tls }: Site,
  target: McpTarget,
): { readonly status: number; readonly why: Refusal } | null {
  for (const name of ['host', 'authorization', 'content-type', 'origin', 'mcp-session-id', 'mcp-protocol-version', 'mcp-method', 'mcp-name']) {
    if (rawHeaders.filter((raw, index) => index % 2 === 0 && raw.toLowerCase() === name).length > 1)
      return { status: 400, why: refusal('PROTOCOL', `the header ${name} stands twice`) };
  }
  const host = headers.host?.toLowerCase();
  if (host === undefined || !hosts.has(host)) return { status: 421, why: refusal('PROTOCOL', 'this endpoint is not reached by this name') };
  const { origin } = headers;
  if (origin !== undefined && origin.toLowerCase() !== `${tls ? 'https' : 'http'}://${host}` && !target.origins.includes(origin))
    return { status: 403, why: refusal('PROTOCOL', 'pages of this origin may not connect') };
  if (!tls && !isLoopback(socket.remoteAddress ?? '')) return { status: 403, why: refusal('AUTH_TLS_REQUIRED') };
  return null;
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** What a bearer presents; null: nothing. */
function tokenOf({ headers }: IncomingMessage): string | null {
  const match = /^Bearer ([A-Za-z0-9._~+/=-]{1,16384})$/.exec(headers.authorization ?? '');
  return match?.[1] ?? null;
}

function visitorOf(request: IncomingMessage, { origin, tls }: Site, { target }: EndpointParts): Visitor | null {
  const token = tokenOf(request);
  if (token === null) return null;
  const digest = createHash('sha256').update(token).digest('base64url');
  return { token, digest, address: request.socket.remoteAddress ?? '', tls, resource: resourceOf(target, origin) };
}

async function posted(request: IncomingMessage, response: ServerResponse, site: Site, parts: EndpointParts): Promise<void> {
  const visitor = visitorOf(request, site, parts);
  if (visitor === null) return unauthorised(response, site, parts, null);
  const known = parts.sessions.known(visitor, sessionIdOf(request));
  // somebody who has no session yet proves who they are before a byte of the message counts
  if (known === null) {
    const principal = await parts.sessions.authenticate(visitor).catch(unauthenticated(response, site, parts));
    if (principal === null) return;
  }
  if (!/^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(request.headers['content-type'] ?? ''))
    return plain(response, 415, refusal('PROTOCOL', 'the message must be application/json'));
  if ((request.headers['content-encoding'] ?? 'identity') !== 'identity')
    return plain(response, 415, refusal('PROTOCOL', 'the message must not be compressed'));
  const bytes = await readBody(request, parts.bytesMax);
  if (bytes === null) return plain(response, 413, refusal('BUDGET_TEXT', `a message is longer than ${parts.bytesMax} bytes`));
  const message = readMessage(bytes);
  if (message.kind === 'malformed') return rpc(response, 400, message.id, message.error);
  await received(message, { request, response, site, parts, visitor, bytes: bytes.length });
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly site: Site;
  readonly parts: EndpointParts;
  readonly visitor: Visitor;
  readonly bytes: number;
}

async function received(message: RpcMessage, exchange: Exchange): Promise<void> {
  const { request, response } = exchange;
  if (message.kind === 'answer') return answered(message, exchange);
  const era = eraOf(message, request.headers);
  if (typeof era !== 'string') return rpc(response, 400, message.kind === 'request' ? message.id : null, era);
  const wrong = headerProblem(message, era, request.headers);
  if (wrong !== null) return rpc(response, 400, message.kind === 'request' ? message.id : null, wrong);
  const session = await sessionFor(message, era, exchange);
  if (session === null) return;
  session.bytesIn += exchange.bytes;
  if (message.kind === 'notification') return notified(message, session, exchange);
  await asked(message, era, session, exchange);
}

/** null: the client was told why there is none. */
async function sessionFor(message: RpcRequest | RpcNotification, era: Era, exchange: Exchange): Promise<McpSession | null> {
  const { request, response, parts, visitor } = exchange;
  const id = message.kind === 'request' ? message.id : null;
  const begins = era === 'legacy' && message.method === 'initialize';
  try {
    if (era === 'legacy' && !begins) {
      const wanted = sessionIdOf(request);
      if (wanted === null) {
        rpc(response, 400, id, { code: ERROR.invalid, message: 'begin with initialize: there is no Mcp-Session-Id' });
        return null;
      }
      const session = parts.sessions.known(visitor, wanted);
      if (session !== null) return session;
      rpc(response, 404, id, { code: ERROR.invalid, message: 'there is no such session of yours: begin with initialize' });
      return null;
    }
    return await parts.sessions.open(visitor, introductionOf(message, era, parts.target), begins);
  } catch (error) {
    if (error instanceof InterlockError && (error.code === 'AUTH_FAILED' || error.code === 'AUTH_SCOPE')) {
      unauthenticated(response, exchange.site, parts)(error);
      return null;
    }
    const why = error instanceof Denied ? error.refusal : refusalOf(error);
    parts.log.warn({ target: parts.target.name, code: why.code, address: visitor.address, err: error }, 'a session was refused');
    parts.sessions.refused(visitor, why);
    rpc(response, 200, id, rpcErrorOf(why));
    return null;
  }
}

function introductionOf({ params, meta }: RpcRequest | RpcNotification, era: Era, target: McpTarget): McpSession['arrival']['who'] {
  const { fromServer } = target;
  if (era === 'modern') {
    return { era, version: '', capabilities: capabilitiesFor(objectOf(meta[META.capabilities]), fromServer), info: infoOf(meta[META.client]) };
  }
  const { protocolVersion, capabilities, clientInfo } = params;
  const version = typeof protocolVersion === 'string' && LEGACY.includes(protocolVersion) ? protocolVersion : (LEGACY[0] as string);
  return { era, version, capabilities: capabilitiesFor(objectOf(capabilities), fromServer), info: infoOf(clientInfo) };
}

/** Name and version alone, and short: it says nothing that counts. */
function infoOf(info: unknown): Readonly<Record<string, unknown>> {
  const { name, version } = objectOf(info);
  const text = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value.slice(0, 128) : otherwise);
  return { name: text(name, 'client'), version: text(version, '0') };
}

async function asked(message: RpcRequest, era: Era, session: McpSession, { request, response, parts }: Exchange): Promise<void> {
  const headers = era === 'legacy' && message.method === 'initialize' ? { 'mcp-session-id': parts.sessions.nameOf(session) } : {};
  const reply = new Reply(response, message.id, headers);
  const { who } = session.arrival;
  const capabilities = era === 'modern' ? objectOf(message.meta[META.capabilities]) : who.capabilities;
  const info = era === 'modern' ? infoOf(message.meta[META.client]) : who.info;
  using leaving = parts.sessions.leaving(session, message.id, era, request, response);
  const outcome = await answerTo({ request: message, era, capabilities, info, reply, questions: parts.questions, signal: leaving.signal }, session);
  if (era === 'legacy' && !reply.open) session.lost.deliver(message.id, outcome);
  else reply.end(outcome, era === 'modern' && !outcome.ok ? (STATUS[outcome.error.code] ?? 200) : 200);
  session.bytesOut += reply.bytes;
}

/** What the newest protocol says in the status of HTTP too. */
const STATUS: Readonly<Record<number, number>> = { [ERROR.method]: 404, [ERROR.header]: 400, [ERROR.capability]: 400, [ERROR.version]: 400 };

function notified({ method, params }: RpcNotification, session: McpSession, { response, parts }: Exchange): void {
  if (!CLIENT_NOTIFICATIONS.has(method)) return rpc(response, 400, null, { code: ERROR.method, message: 'this notification is not supported' });
  if (method === 'notifications/cancelled') parts.sessions.cancel(session, params['requestId']);
  if (method === 'notifications/roots/list_changed' && session.house.target.fromServer.roots)
    void session.openLink?.notify(method, {}).catch(() => {});
  response.writeHead(202).end();
}

async function answered(message: Extract<RpcMessage, { kind: 'answer' }>, { request, response, parts, visitor }: Exchange): Promise<void> {
  const session = parts.sessions.known(visitor, sessionIdOf(request));
  const fits =
    session !== null && session.era === 'legacy' && message.id !== null && (await parts.questions.answered(session, message.id, message.outcome));
  if (!fits) return rpc(response, 400, null, { code: ERROR.invalid, message: 'an answer to a question that was not asked' });
  response.writeHead(202).end();
}

/** GET: what the server tells without being asked; DELETE: the end of a session. Of older clients alone. */
async function ofSession(request: IncomingMessage, response: ServerResponse, site: Site, parts: EndpointParts): Promise<void> {
  const visitor = visitorOf(request, site, parts);
  if (visitor === null) return unauthorised(response, site, parts, null);
  const wanted = sessionIdOf(request);
  const session = wanted === null ? null : parts.sessions.known(visitor, wanted);
  if (session === null) {
    const principal = await parts.sessions.authenticate(visitor).catch(unauthenticated(response, site, parts));
    if (principal === null) return;
    if (wanted === null) return plain(response, 405, refusal('PROTOCOL', 'there are no streams outside of a session'), { allow: 'POST' });
    return plain(response, 404, refusal('PROTOCOL', 'there is no such session of yours'));
  }
  if (request.method === 'DELETE') {
    session.end('client');
    return void response.writeHead(204).end();
  }
  if (!/\btext\/event-stream\b/.test(request.headers.accept ?? '')) return plain(response, 406, refusal('PROTOCOL', 'a stream is text/event-stream'));
  if (session.streams >= MCP_LIMITS.streamsPerSession) return plain(response, 409, refusal('BUDGET_SEGMENT', 'too many streams of one session'));
  await streamed(request, response, session, parts);
}

async function streamed(request: IncomingMessage, response: ServerResponse, session: McpSession, { questions }: EndpointParts): Promise<void> {
  const reply = new Reply(response, null, {});
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const signal = AbortSignal.any([gone.signal, session.ended.signal]);
  const { 'last-event-id': wanted } = request.headers;
  const lastEventId = typeof wanted === 'string' && session.lost.knows(wanted) ? wanted : undefined;
  session.streams++;
  reply.stream();
  reply.comment();
  try {
    const link = await session.link();
    const sink = sinkFor({ session, questions, reply, answering: null, subscription: null });
    using _resumed = lastEventId === undefined ? null : session.lost.resume(reply);
    await link.listen(sink, signal, lastEventId ?? null);
    if (lastEventId !== undefined) await session.lost.settled(signal);
    // a server that has nothing to tell: the stream stays, so that the client does not come back again and again
    if (!signal.aborted && lastEventId === undefined) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  } catch (error) {
    if (!signal.aborted) session.house.deps.log.warn({ session: session.id, err: error }, 'a stream ended');
  } finally {
    session.streams--;
    session.bytesOut += reply.bytes;
    reply.close();
  }
}

function sessionIdOf({ headers }: IncomingMessage): string | null {
  const id = headers['mcp-session-id'];
  return typeof id === 'string' && id.length <= MCP_LIMITS.sessionIdChars ? id : null;
}

/** null: longer than it may be. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) return null;
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

/** Of a failed authentication a client learns no more than that it failed. */
function unauthenticated(response: ServerResponse, site: Site, parts: EndpointParts): (error: unknown) => null {
  return (error) => {
    const code = error instanceof InterlockError ? error.code : 'INTERNAL';
    if (code === 'AUTH_FAILED' || code === 'AUTH_SCOPE') unauthorised(response, site, parts, code);
    else plain(response, 503, refusalOf(error));
    return null;
  };
}

function unauthorised(response: ServerResponse, { origin }: Site, { target }: EndpointParts, code: 'AUTH_FAILED' | 'AUTH_SCOPE' | null): void {
  const scope = code === 'AUTH_SCOPE';
  const error = scope ? 'insufficient_scope' : code === null ? null : 'invalid_token';
  plain(response, scope ? 403 : 401, refusal(code ?? 'AUTH_FAILED'), { 'www-authenticate': challenge(target, origin, error) });
}

function plain(response: ServerResponse, status: number, why: Refusal, headers: Readonly<Record<string, string>> = {}): void {
  send(response, status, { jsonrpc: '2.0', error: rpcErrorOf(why) }, headers);
}

function rpc(response: ServerResponse, status: number, id: RpcId | null, error: RpcError): void {
  send(response, status, { jsonrpc: '2.0', ...(id === null ? {} : { id }), error }, {});
}

function send(response: ServerResponse, status: number, message: object, headers: Readonly<Record<string, string>>): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  const body = Buffer.from(JSON.stringify(message), 'utf8');
  const close = status >= 400 && !response.req.complete ? { connection: 'close' } : {};
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    ...close,
    ...headers,
  });
  response.end(body);
}
