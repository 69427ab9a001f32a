/** What an enforcer knows of its target, and facts are read with: a database's catalog, an API's description, an MCP server's tools. */
import type { Catalog } from './catalog.ts';
import type { Resource } from './decision-request.ts';
import type { HttpOperation } from './http-facts.ts';

/** One operation of an API. */
export interface HttpRoute extends HttpOperation {
  readonly method: string;
  /** Of `application/json` and its kin, by status (`200`, `2XX`, `default`): named fields of the answer. Absent: not described. */
  readonly output?: readonly { readonly field: string; readonly path: string }[];
  /** Media types that it takes; absent: not described. */
  readonly consumes?: readonly string[];
  /** The field of a GraphQL endpoint: its bodies are read as GraphQL. */
  readonly graphql?: boolean;
}

export interface HttpCatalog {
  readonly kind: 'http';
  /** Equal when nothing that stands here changed. */
  readonly fingerprint: string;
  /** In front of every route: `/v1`; empty: none. */
  readonly base: string;
  readonly routes: readonly HttpRoute[];
  /** The GraphQL schema in its own language, where the target has one. */
  readonly graphql?: string;
}

/** How an argument of a tool is understood. */
export interface ArgumentKind {
  /** `$.sql` */
  readonly argument: string;
  readonly as: 'sql' | 'url' | 'path' | 'shell';
  /** Of `sql`: the target whose grammar and catalog count. */
  readonly target?: string;
  /** Of `sql`: what that target is to policies; absent: it is not known here, and the call is refused. */
  readonly resource?: Resource;
  /** Of `path`: what it must stay below. */
  readonly root?: string;
  /** Of `path`: where the enforcer sees that folder; absent: at the same place, where the server is a process of its machine, and nowhere else. */
  readonly seen_at?: string;
}

export interface McpTool {
  readonly name: string;
  /** sha256 over name, description, schema and annotations, as it was pinned. */
  readonly digest: string;
  /** drifted: the upstream now gives another definition, and nobody has approved it yet. */
  readonly state: 'pinned' | 'drifted';
  readonly inputSchema: unknown;
  readonly arguments: readonly ArgumentKind[];
}

export interface McpCatalog {
  readonly kind: 'mcp';
  readonly fingerprint: string;
  readonly tools: readonly McpTool[];
}

export type Knowledge = Catalog | HttpCatalog | McpCatalog;

export function isCatalog(knowledge: Knowledge): knowledge is Catalog {
  return 'relations' in knowledge;
}
