/** What a case or a command line asks, as the bytes that are judged: an HTTP request, a request of MCP. */
import type { Resource } from '#schemas/decision-request';
import type { Action } from './decision-service.ts';
import { writeHttpMessage } from './http-message.ts';
import { writeMcpMessage } from './mcp-message.ts';

/** `{ method: POST, path: /orders, body: { item: 7 } }` */
export interface AskedHttp {
  readonly method?: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text as it is sent; anything else is sent as JSON. */
  readonly body?: unknown;
}

/** `{ tool: run_sql, arguments: { sql: SELECT 1 } }`, `{ uri: file:///a }`, `{ prompt: review }`, `{ method: tools/list }`, or `{ method: tools/list, tool: run_sql }`: whether it is listed. */
export interface AskedMcp {
  readonly method?: string;
  readonly tool?: string;
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly uri?: string;
  readonly prompt?: string;
}

export interface AskedText {
  readonly type: Resource['type'];
  readonly action: Action;
  readonly statement: string;
}

export function askedHttp({ method = 'GET', path, headers = {}, body }: AskedHttp): AskedText {
  const text = body === undefined || typeof body === 'string' ? (body ?? '') : JSON.stringify(body);
  const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const typed = text === '' || given.some(([name]) => name === 'content-type') ? [] : ([['content-type', 'application/json']] as const);
  const message = writeHttpMessage({ method, target: path, headers: [...given, ...typed], body: Buffer.from(text, 'utf8') });
  return { type: 'http', action: 'http.request', statement: Buffer.from(message).toString('utf8') };
}

export function askedMcp({ method, tool, arguments: given, uri, prompt }: AskedMcp): AskedText {
  const args = given === undefined ? {} : { arguments: given };
  const [name, action, params] =
    method === 'tools/list' && tool !== undefined
      ? ([method, 'mcp.list', { name: tool }] as const)
      : tool !== undefined
        ? (['tools/call', 'mcp.call', { name: tool, ...args }] as const)
        : uri !== undefined
          ? (['resources/read', 'mcp.read', { uri }] as const)
          : prompt !== undefined
            ? (['prompts/get', 'mcp.prompt', { name: prompt, ...args }] as const)
            : (['tools/list', 'mcp.list', {}] as const);
  const message = writeMcpMessage({ method: method ?? name, params });
  return { type: 'mcp', action, statement: Buffer.from(message).toString('utf8') };
}
