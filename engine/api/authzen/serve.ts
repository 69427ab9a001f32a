/**
 * AuthZEN 1.0 over HTTP. Its own door beside the other routes: it takes longer bodies, answers in the specification's words, and knows no login of
 * a browser: bearer tokens with scope `connect` alone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '#client/identity';
import { InterlockError } from '#schemas/errors';
import { failure } from '../failure.ts';
import type { House } from '../house.ts';
import { dataHeaders } from '../present.ts';
import type { Caller } from './evaluate.ts';
import { evaluate } from './evaluate.ts';
import { evaluateAll } from './evaluations.ts';
import type { AuthzenHouse } from './house.ts';
import { readJson } from './json-body.ts';
import { AUTHZEN_LIMITS } from './limits.ts';
import { metadataOf } from './metadata.ts';
import { Problem } from './problem.ts';
import { readQuestion } from './question.ts';
import { cancel, status, submit } from './requests.ts';
import { enforcementPoint } from './who.ts';

const WELL_KNOWN = '/.well-known/authzen-configuration';
const TASK = /^\/access\/v1\/requests\/(apr_[0-9A-HJKMNP-TV-Z]{26})(\/cancel)?$/;

export function isAuthzen(path: string): boolean {
  return path === WELL_KNOWN || path.startsWith('/access/v1/');
}

interface Said {
  readonly status: number;
  readonly document: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function serveAuthzen(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  house: House,
  authzen: AuthzenHouse,
): Promise<void> {
  const echoed = requestId(request);
  if (echoed !== null) response.setHeader('x-request-id', echoed);
  try {
    const { status: code, document, headers = {} } = await answer(request, path, house, authzen);
    response.writeHead(code, { ...dataHeaders(house), ...headers, 'content-type': 'application/json' }).end(`${JSON.stringify(document)}\n`);
  } catch (error) {
    refuse(request, response, error, house);
  }
}

async function answer(request: IncomingMessage, path: string, house: House, authzen: AuthzenHouse): Promise<Said> {
  const { method = '' } = request;
  if (path === WELL_KNOWN && method === 'GET') return { status: 200, document: metadataOf(authzen.publicUrl) };
  const caller = await callerOf(request, house, authzen);
  house.rates.take(path.startsWith('/access/v1/requests') && method !== 'GET' ? 'change' : 'read', caller.point.id);
  if (method === 'POST' && path === '/access/v1/evaluation') return ok(await evaluate(authzen, caller, readQuestion(await readBody(request))));
  if (method === 'POST' && path === '/access/v1/evaluations') return ok(await evaluateAll(authzen, caller, await readBody(request)));
  if (method === 'POST' && path === '/access/v1/requests') return await submitted(request, authzen, caller);
  const [, id, cancels] = TASK.exec(path) ?? [];
  if (id !== undefined && cancels === undefined && method === 'GET') return ok(await status(authzen, caller, id));
  if (id !== undefined && cancels !== undefined && (method === 'POST' || method === 'DELETE')) return ok(await cancel(authzen, caller, id));
  throw new InterlockError('ROUTE_NOT_FOUND', 'there is no such route');
}

async function submitted(request: IncomingMessage, authzen: AuthzenHouse, caller: Caller): Promise<Said> {
  const task = await submit(authzen, caller, await readBody(request), keyOf(request));
  const pending = task.task.status === 'pending';
  return { status: pending ? 202 : 201, document: task, headers: { location: task.task.status_endpoint } };
}

function ok(document: unknown): Said {
  return { status: 200, document };
}

async function callerOf(request: IncomingMessage, house: House, { parts }: AuthzenHouse): Promise<Caller> {
  const token = /^Bearer ([A-Za-z0-9._~+/=-]{1,12000})$/i.exec(request.headers.authorization ?? '')?.[1];
  if (token === undefined) throw new InterlockError('AUTH_FAILED', 'a bearer token is needed');
  const principal: Principal = await house.parts.identity.authenticate(token, { scope: 'connect' });
  return {
    point: enforcementPoint(principal, parts.evaluators),
    address: request.socket.remoteAddress ?? '',
    tls: house.scheme === 'https',
  };
}

/** An object in JSON, or nothing that could be one. @throws InterlockError USAGE */
async function readBody(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(request.headers['content-type'] ?? ''))
    throw new InterlockError('USAGE', 'the body must be application/json');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > AUTHZEN_LIMITS.bodyBytes) throw new InterlockError('USAGE', `the body is longer than ${AUTHZEN_LIMITS.bodyBytes} bytes`);
    chunks.push(chunk);
  }
  return readJson(Buffer.concat(chunks));
}

function requestId(request: IncomingMessage): string | null {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && given.length <= AUTHZEN_LIMITS.requestIdChars && /^[\x20-\x7e]+$/.test(given) ? given : null;
}

function keyOf(request: IncomingMessage): string | null {
  const given = request.headers['idempotency-key'];
  if (given === undefined) return null;
  if (typeof given === 'string' && /^[\x21-\x7e]{1,200}$/.test(given)) return given;
  throw new InterlockError('USAGE', '`Idempotency-Key` is one word of at most 200 characters');
}

/** Every body is a JSON object: our own errors as the API has them, those of the profile for requests as problem documents. */
function refuse(request: IncomingMessage, response: ServerResponse, error: unknown, house: House): void {
  if (response.headersSent || response.destroyed) return void response.destroy();
  if (!request.complete) response.setHeader('connection', 'close');
  if (error instanceof Problem) {
    response
      .writeHead(error.status, { ...dataHeaders(house), 'content-type': 'application/problem+json' })
      .end(`${JSON.stringify(error.document)}\n`);
    return;
  }
  const { status: code, document } = failure(error);
  if (code >= 500) house.log.error({ method: request.method, err: error }, 'a question of an enforcement point failed');
  if (code === 401) response.setHeader('www-authenticate', 'Bearer');
  response.writeHead(code, { ...dataHeaders(house), 'content-type': 'application/json' }).end(`${JSON.stringify(document)}\n`);
}
