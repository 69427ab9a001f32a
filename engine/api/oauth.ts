/**
 * The token endpoint of agents, over HTTP. Its own door beside the other routes: forms instead of JSON, answers in the words of OAuth, and nobody has
 * logged in yet who asks. https://www.rfc-editor.org/rfc/rfc6749 §3.2, §5; rfc8414 §3
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InterlockError } from '#schemas/errors';
import type { House } from './house.ts';
import { LIMITS } from './limits.ts';
import type { AgentsPart, TokenAnswer } from './parts.ts';
import { send } from './present.ts';

const TOKEN = '/oauth/token';
const KEYS = '/oauth/keys';
const WELL_KNOWN = '/.well-known/oauth-authorization-server';

export function isOauth(path: string): boolean {
  return path === TOKEN || path === KEYS || path === WELL_KNOWN;
}

/** @throws InterlockError ROUTE_NOT_FOUND, RATE_LIMITED */
export async function serveOauth(request: IncomingMessage, response: ServerResponse, path: string, house: House): Promise<void> {
  const { agents = null } = house.parts;
  if (agents === null) throw new InterlockError('ROUTE_NOT_FOUND', 'there is no such route');
  if (path !== TOKEN) return describe(request, response, path === KEYS ? agents.tokens.keys() : agents.tokens.metadata(), house);
  house.rates.take('login', request.socket.remoteAddress ?? 'unknown');
  const answer = await answered(request, agents);
  if (answer.ok) return send(response, 200, answer.document, house, { pragma: 'no-cache' });
  if (!request.complete) response.setHeader('connection', 'close');
  send(response, answer.status, { error: answer.error, error_description: answer.description }, house, { pragma: 'no-cache' });
}

function describe(request: IncomingMessage, response: ServerResponse, document: object, house: House): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new InterlockError('ROUTE_NOT_FOUND', 'there is no such route');
  send(response, 200, document, house);
}

async function answered(request: IncomingMessage, agents: AgentsPart): Promise<TokenAnswer> {
  if (request.method !== 'POST') return invalid('tokens are asked for by POST');
  const { 'content-type': type = '' } = request.headers;
  if (!/^application\/x-www-form-urlencoded\s*(;\s*charset=utf-8\s*)?$/i.test(type))
    return invalid('the body must be application/x-www-form-urlencoded');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMITS.bodyBytes) return invalid('the body is longer than 64 KiB');
    chunks.push(chunk);
  }
  return await agents.tokens.answer(new URLSearchParams(Buffer.concat(chunks).toString('utf8')));
}

function invalid(description: string): TokenAnswer {
  return { ok: false, status: 400, error: 'invalid_request', description };
}
