/** A call of a tool, at the gateway's own endpoint for that MCP server: asked for and never carried out, so it is one message and one answer. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { InterlockError } from '#schemas/errors';
import { type Answer, type Ask, type CallOptions, type Door, isApproval, tlsOptions } from './parts.ts';

type ToolAsk = Extract<Ask, { kind: 'mcp' }>;
type Json = Readonly<Record<string, unknown>>;

const VERSION = '2026-07-28';
const ANSWER_BYTES_MAX = 1_048_576;

/** @throws InterlockError NOT_REACHABLE, UNSUPPORTED: it is to be carried out */
export async function toolCall(door: Door, ask: ToolAsk, options: CallOptions): Promise<Answer> {
  if (options.asksOnly !== true) throw new InterlockError('UNSUPPORTED', 'tools of an MCP server are called at its own address, /mcp/TARGET');
  const body = bodyOf(ask, options);
  const { status, text } = await posted(door, ask, body, options);
  const answer = documentOf(text);
  const error = documentOr(answer['error']);
  const data = documentOr(error['data']);
  const of = (from: Json, key: string): string => (typeof from[key] === 'string' ? from[key] : '');
  const [code, message, approvalId, hint] = [of(data, 'code') || of(answer, 'code'), of(error, 'message'), of(data, 'approval'), of(data, 'hint')];
  if (code === 'APPROVAL_PENDING' && isApproval(approvalId, options.genuine)) return { outcome: 'pending', approvalId, message, hint };
  if (answer['error'] === undefined)
    return {
      outcome: 'refused',
      code: 'NOT_REACHABLE',
      sqlstate: null,
      message: `the endpoint of ${door.target} answered ${status}`,
      detail: '',
      hint,
    };
  const detail = ['decision', 'policy', 'code', 'approval'].flatMap((key) => (of(data, key) === '' ? [] : [`${key}=${of(data, key)}`])).join(' ');
  return { outcome: 'refused', code, sqlstate: null, message, detail, hint: [hint, allowed(data)].filter((part) => part !== '').join(' ') };
}

function bodyOf({ tool, arguments: given }: ToolAsk, { application }: CallOptions): string {
  const meta = {
    'io.modelcontextprotocol/protocolVersion': VERSION,
    'io.modelcontextprotocol/clientInfo': { name: application, version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
    'dev.interlock/ask-only': true,
  };
  const params = { name: tool, ...(given === null ? {} : { arguments: documentOf(given) }), _meta: meta };
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
}

interface Posted {
  readonly status: number;
  readonly text: string;
}

function posted({ target, host, port, tls }: Door, { tool }: ToolAsk, body: string, { token, signal }: CallOptions): Promise<Posted> {
  const { promise, resolve, reject } = Promise.withResolvers<Posted>();
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': VERSION,
    'mcp-method': 'tools/call',
    'mcp-name': headerValue(tool),
  };
  const secure = tls === null ? {} : tlsOptions(tls);
  const unreachable = (why: string, cause?: Error): InterlockError =>
    new InterlockError('NOT_REACHABLE', `target ${target} cannot be reached: ${why}`, { cause });
  const send = tls === null ? httpRequest : httpsRequest;
  const request = send({ host, port, method: 'POST', path: `/mcp/${target}`, headers, signal, ...secure }, (response) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) request.destroy(unreachable('its answer is too long'));
      else chunks.push(chunk);
    });
    response.once('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
  });
  request.once('error', (error) => reject(signal.aborted || error instanceof InterlockError ? error : unreachable(error.message, error)));
  request.once('close', () => reject(unreachable('the connection ended')));
  request.end(body);
  return promise;
}

/** As the protocol has names in headers: plain, or base64 in its sentinel. */
function headerValue(name: string): string {
  const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(name) && !/^=\?base64\?.*\?=$/.test(name);
  return plain ? name : `=?base64?${Buffer.from(name, 'utf8').toString('base64')}?=`;
}

function allowed({ allowed: names }: Json): string {
  return Array.isArray(names) ? `Tools that may be called: ${names.join(', ')}.` : '';
}

function documentOf(text: string): Json {
  try {
    return documentOr(JSON.parse(text));
  } catch {
    return {};
  }
}

function documentOr(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}
