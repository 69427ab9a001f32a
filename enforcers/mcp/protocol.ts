/** The words of the protocol, and what differs between its versions. https://modelcontextprotocol.io/specification/2026-07-28 */
import type { Action } from '#client/decision-service';

/** modern: every request says its version and capabilities itself; legacy: a session begins with `initialize`. */
export type Era = 'modern' | 'legacy';
export const MODERN = '2026-07-28';
/** Newest first. */
export const LEGACY: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26'];
export const VERSIONS: readonly string[] = [MODERN, ...LEGACY];

export const META = {
  version: 'io.modelcontextprotocol/protocolVersion',
  client: 'io.modelcontextprotocol/clientInfo',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  logLevel: 'io.modelcontextprotocol/logLevel',
  server: 'io.modelcontextprotocol/serverInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
  approval: 'dev.interlock/approval',
  /** true: nothing is run, the approval that the request needs is asked for. */
  askOnly: 'dev.interlock/ask-only',
} as const;
export const TASKS = 'io.modelcontextprotocol/tasks';

export const ERROR = {
  parse: -32700,
  invalid: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
  header: -32020,
  capability: -32021,
  version: -32022,
  /** Ours, outside of what JSON-RPC reserves: refused by policy or a reviewer; not supported here; a fault. */
  denied: -31403,
  unsupported: -31501,
  unavailable: -31503,
} as const;

export interface RpcError {
  readonly code: number;
  readonly message: string;
  readonly data?: unknown;
}

export type RpcId = string | number;

/** How a client's request is treated. */
export type Treatment =
  /** Judged, recorded, forwarded. */
  | { readonly kind: 'judged'; readonly action: Action; readonly eras: readonly Era[]; readonly capability: string | null }
  /** Answered by the gateway. */
  | { readonly kind: 'own'; readonly eras: readonly Era[] };

const BOTH: readonly Era[] = ['modern', 'legacy'];
const OLD: readonly Era[] = ['legacy'];
const NEW: readonly Era[] = ['modern'];

export const CLIENT_REQUESTS: Readonly<Record<string, Treatment>> = {
  initialize: { kind: 'own', eras: OLD },
  ping: { kind: 'own', eras: OLD },
  'server/discover': { kind: 'own', eras: NEW },
  'tasks/get': { kind: 'own', eras: NEW },
  'tasks/update': { kind: 'own', eras: NEW },
  'tasks/cancel': { kind: 'own', eras: NEW },
  'tools/list': { kind: 'judged', action: 'mcp.list', eras: BOTH, capability: 'tools' },
  'tools/call': { kind: 'judged', action: 'mcp.call', eras: BOTH, capability: 'tools' },
  'resources/list': { kind: 'judged', action: 'mcp.list', eras: BOTH, capability: 'resources' },
  'resources/templates/list': { kind: 'judged', action: 'mcp.list', eras: BOTH, capability: 'resources' },
  'resources/read': { kind: 'judged', action: 'mcp.read', eras: BOTH, capability: 'resources' },
  'resources/subscribe': { kind: 'judged', action: 'mcp.read', eras: OLD, capability: 'resources' },
  'resources/unsubscribe': { kind: 'judged', action: 'mcp.list', eras: OLD, capability: 'resources' },
  'prompts/list': { kind: 'judged', action: 'mcp.list', eras: BOTH, capability: 'prompts' },
  'prompts/get': { kind: 'judged', action: 'mcp.prompt', eras: BOTH, capability: 'prompts' },
  'completion/complete': { kind: 'judged', action: 'mcp.list', eras: BOTH, capability: 'completions' },
  'logging/setLevel': { kind: 'judged', action: 'mcp.list', eras: OLD, capability: 'logging' },
  'subscriptions/listen': { kind: 'judged', action: 'mcp.list', eras: NEW, capability: null },
};

export const CLIENT_NOTIFICATIONS: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/roots/list_changed',
]);

/** What may ask for input before it is done (multi round-trip requests). */
export const MAY_ASK: ReadonlySet<string> = new Set(['tools/call', 'resources/read', 'prompts/get']);

/** What a server may ask of a client, where the configuration lets it. */
export const SERVER_REQUESTS = { 'sampling/createMessage': 'sampling', 'elicitation/create': 'elicitation', 'roots/list': 'roots' } as const;

/** What `Mcp-Name` repeats. */
export function nameOf(method: string, params: Readonly<Record<string, unknown>>): string | null {
  const source = method === 'resources/read' ? params['uri'] : method.startsWith('tasks/') ? params['taskId'] : params['name'];
  const named = method === 'tools/call' || method === 'prompts/get' || method === 'resources/read' || method.startsWith('tasks/');
  return named && typeof source === 'string' ? source : null;
}

/** A header's value: plain, or base64 in its sentinel where it could not be one. */
export function headerValue(value: string): string {
  const plain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value) && !/^=\?base64\?.*\?=$/.test(value);
  return plain ? value : `=?base64?${Buffer.from(value, 'utf8').toString('base64')}?=`;
}

/** null: not a value that was written as above. */
export function readHeaderValue(value: string): string | null {
  const coded = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value);
  if (coded === null) return /^[\x20-\x7e]*$/.test(value) ? value : null;
  const bytes = Buffer.from(coded[1] ?? '', 'base64');
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null;
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}
