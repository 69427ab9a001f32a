/** Interlock's own MCP server: one message in, one answer out; it keeps nothing between two, whatever version the client speaks. */
import { parseStrictJson } from '#client/strict-json';
import { InterlockError } from '#schemas/errors';
import type { AssistantParts, Caller } from './parts.ts';
import { TOOLS, unfit } from './tools.ts';

const MODERN = '2026-07-28';
const LEGACY: readonly string[] = ['2025-11-25', '2025-06-18', '2025-03-26'];
const ERROR = { parse: -32700, invalid: -32600, method: -32601, params: -32602, version: -32022 } as const;
const META_VERSION = 'io.modelcontextprotocol/protocolVersion';
const META_SERVER = 'io.modelcontextprotocol/serverInfo';
const INSTRUCTIONS =
  'Reach databases and APIs through Interlock. Call `targets` first. `query` runs one statement; policy may refuse it with a reason, mask what comes back, or ask for an approval. When an answer is `pending`, tell the human, call `await_approval`, and then call `query` again in exactly the same way. Nobody can approve from here.';

type Document = Readonly<Record<string, unknown>>;
type Id = string | number;

/** null: a notification, which has no answer. */
export async function answerMessage(bytes: Uint8Array, parts: AssistantParts, caller: Caller, signal: AbortSignal): Promise<Document | null> {
  const json = parseStrictJson(bytes);
  if (!json.ok) return failed(null, ERROR.parse, json.detail);
  const message = json.value;
  if (!isDocument(message) || message['jsonrpc'] !== '2.0' || typeof message['method'] !== 'string')
    return failed(null, ERROR.invalid, 'not one request of JSON-RPC 2.0');
  const stranger = Object.keys(message).find((key) => !MEMBERS.has(key));
  if (stranger !== undefined) return failed(null, ERROR.invalid, `unknown member ${JSON.stringify(stranger.slice(0, 64))}`);
  const { id, method, params = {} } = message;
  if (id === undefined) return null;
  if (typeof id !== 'string' && typeof id !== 'number') return failed(null, ERROR.invalid, 'the id is a text or a number');
  if (!isDocument(params)) return failed(id, ERROR.params, '`params` is an object');
  const meta = isDocument(params['_meta']) ? params['_meta'] : {};
  const version = meta[META_VERSION];
  if (version !== undefined && version !== MODERN)
    return { ...failed(id, ERROR.version, 'unsupported protocol version', { supported: [MODERN], requested: version }) };
  return await answered({ id, method, params, modern: version === MODERN }, parts, caller, signal);
}

const MEMBERS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);

interface Asked {
  readonly id: Id;
  readonly method: string;
  readonly params: Document;
  readonly modern: boolean;
}

async function answered(asked: Asked, parts: AssistantParts, caller: Caller, signal: AbortSignal): Promise<Document> {
  const { id, method, params, modern } = asked;
  const server = { name: 'interlock', title: 'Interlock', version: parts.version };
  const done = (result: Document): Document => ({
    jsonrpc: '2.0',
    id,
    result: modern ? { resultType: 'complete', ...result, _meta: { [META_SERVER]: server } } : result,
  });
  switch (method) {
    case 'initialize': {
      const wanted = params['protocolVersion'];
      const version = typeof wanted === 'string' && LEGACY.includes(wanted) ? wanted : LEGACY[0];
      return done({ protocolVersion: version, capabilities: { tools: {} }, serverInfo: server, instructions: INSTRUCTIONS });
    }
    case 'server/discover':
      return done({
        supportedVersions: [MODERN, ...LEGACY],
        capabilities: { tools: {} },
        instructions: INSTRUCTIONS,
        ttlMs: 0,
        cacheScope: 'private',
      });
    case 'ping':
      return done({});
    case 'tools/list':
      return done({ tools: TOOLS.map(shownTool), ...(modern ? { ttlMs: 0, cacheScope: 'private' } : {}) });
    case 'tools/call':
      return await called(asked, done, parts, caller, signal);
    default:
      return failed(id, ERROR.method, 'there is no such method here');
  }
}

function shownTool({ name, title, description, inputSchema, readOnly }: (typeof TOOLS)[number]): Document {
  return { name, title, description, inputSchema, annotations: { readOnlyHint: readOnly } };
}

async function called(
  { id, params }: Asked,
  done: (result: Document) => Document,
  parts: AssistantParts,
  caller: Caller,
  signal: AbortSignal,
): Promise<Document> {
  const { name, arguments: given = {} } = params;
  const tool = TOOLS.find((one) => one.name === name);
  if (tool === undefined) return failed(id, ERROR.params, `there is no such tool; there are: ${TOOLS.map((one) => one.name).join(', ')}`);
  const problem = unfit(tool.name, given);
  if (problem !== null) return failed(id, ERROR.params, problem);
  try {
    return done(resultOf(await tool.act(parts, caller, given as Document, signal), false));
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    return done(resultOf({ outcome: 'refused', code: error.code, message: error.message, ...hint }, true));
  }
}

/** The same as JSON in a text, for clients that read no structured content. */
function resultOf(content: Document, isError: boolean): Document {
  return {
    content: [{ type: 'text', text: JSON.stringify(content) }],
    structuredContent: content,
    isError: isError || content['outcome'] === 'refused',
  };
}

function failed(id: Id | null, code: number, message: string, data?: unknown): Document {
  return { jsonrpc: '2.0', id, error: { code, message, ...(data === undefined ? {} : { data }) } };
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
