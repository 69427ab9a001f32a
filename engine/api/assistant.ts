/**
 * Interlock's own MCP server over HTTP: one POST, one answer. Its own door beside the other routes: a message instead of a resource, and what comes of
 * another site is turned away before it is read (DNS rebinding). https://modelcontextprotocol.io/specification/2026-07-28/basic/transports
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { InterlockError } from '#schemas/errors';
import { Ending } from './ending.ts';
import type { House } from './house.ts';
import { send } from './present.ts';

const PATH = '/mcp';
const MESSAGE_BYTES_MAX = 1024 * 1024;

export function isAssistant(path: string): boolean {
  return path === PATH;
}

/** @throws InterlockError AUTH_FAILED, AUTH_SCOPE, ROUTE_NOT_FOUND, RATE_LIMITED, USAGE */
export async function serveAssistant(request: IncomingMessage, response: ServerResponse, house: House): Promise<void> {
  const { assistant = null, identity } = house.parts;
  if (assistant === null) throw new InterlockError('ROUTE_NOT_FOUND', 'there is no such route');
  const { origin, authorization = '' } = request.headers;
  if (origin !== undefined && origin !== house.publicUrl.origin) throw new InterlockError('CSRF', 'a page of another site may not ask this');
  const token = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1];
  if (token === undefined) throw new InterlockError('AUTH_FAILED', 'a bearer token is needed');
  const principal = await identity.authenticate(token, { scope: 'connect' });
  if (request.method !== 'POST')
    return send(response, 405, { error: { code: 'UNSUPPORTED', message: 'only POST: nothing is sent unasked here' } }, house, { allow: 'POST' });
  house.rates.take('change', principal.subject.id);
  using _seat = house.seats.take(principal.subject.id);
  const bytes = await readMessage(request);
  using ending = new Ending(response, principal.expiresAtMs - house.clock.wallUs() / 1000, [house.closing]);
  const answer = await assistant.answer(bytes, { principal, token }, ending.signal);
  if (answer === null) return void response.writeHead(202).end();
  send(response, 200, answer, house);
}

async function readMessage(request: IncomingMessage): Promise<Buffer> {
  const { 'content-type': type = '' } = request.headers;
  if (!/^application\/json\s*(;\s*charset=utf-8\s*)?$/i.test(type)) throw new InterlockError('USAGE', 'the body must be application/json');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MESSAGE_BYTES_MAX) throw new InterlockError('USAGE', 'the message is longer than 1 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
