/** What a case or a command line asks, as the bytes that are judged: a statement, an HTTP request, a request of MCP. */
import type { Action } from '#client/decision-service';
import { writeHttpMessage } from '#client/http-message';
import { writeMcpMessage } from '#client/mcp-message';
import type { Resource } from '#schemas/decision-request';
import type { HttpCatalog, HttpRoute, McpCatalog, McpTool } from '#schemas/knowledge';
import { canonical, digest } from './canonical.ts';

/** `{ method: POST, path: /orders, body: { item: 7 } }` */
export interface AskedHttp {
  readonly method?: string;
  /** With its query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A text as it is sent; anything else is sent as JSON. */
  readonly body?: unknown;
}

/** `{ tool: run_sql, arguments: { sql: SELECT 1 } }`, `{ uri: file:///a }`, `{ prompt: review }`, or `{ method: tools/list }`. */
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
    tool !== undefined
      ? (['tools/call', 'mcp.call', { name: tool, ...args }] as const)
      : uri !== undefined
        ? (['resources/read', 'mcp.read', { uri }] as const)
        : prompt !== undefined
          ? (['prompts/get', 'mcp.prompt', { name: prompt, ...args }] as const)
          : (['tools/list', 'mcp.list', {}] as const);
  const message = writeMcpMessage({ method: method ?? name, params });
  return { type: 'mcp', action, statement: Buffer.from(message).toString('utf8') };
}

/** `{ GET /orders/{id}: { id: getOrder, class: read } }` */
export type AskedApi = Readonly<Record<string, Partial<Omit<HttpRoute, 'method' | 'route'>>>>;

export function apiOf(api: AskedApi): HttpCatalog {
  const routes = Object.entries(api).map(([line, said]): HttpRoute => {
    const [method = '', route = ''] = line.split(' ');
    return {
      id: line,
      tags: [],
      class: method === 'GET' || method === 'HEAD' ? 'read' : method === 'DELETE' ? 'delete' : 'write',
      ...said,
      method,
      route,
    };
  });
  return { kind: 'http', fingerprint: digest(canonical(api)), base: '', routes };
}

/** `{ run_sql: { arguments: [{ argument: $.sql, as: sql, target: shop }] } }` */
export type AskedTools = Readonly<Record<string, Partial<Pick<McpTool, 'inputSchema' | 'arguments' | 'state'>> | null>>;

export function toolsOf(tools: AskedTools): McpCatalog {
  const pinned = Object.entries(tools).map(
    ([name, said]): McpTool => ({ name, digest: digest(name), state: 'pinned', inputSchema: { type: 'object' }, arguments: [], ...said }),
  );
  return { kind: 'mcp', fingerprint: digest(canonical(tools)), tools: pinned };
}
