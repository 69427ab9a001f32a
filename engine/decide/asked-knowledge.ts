/** What a case says of its target, an API or an MCP server, as what is known of one. */
import type { HttpCatalog, HttpRoute, McpCatalog, McpTool } from '#schemas/knowledge';
import { canonical, digest } from './canonical.ts';

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
