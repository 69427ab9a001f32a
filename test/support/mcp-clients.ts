/** Clients of MCP: the reference SDK of the older and of the newest protocol, and one that writes raw messages. */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';

export async function legacyClient(url: string, token: string): Promise<Client & AsyncDisposable> {
  const client = new Client({ name: 'legacy', version: '1' });
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } });
  await client.connect(transport as Parameters<Client['connect']>[0]);
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

export async function modernClient(url: string, token: string, more: object = {}): Promise<ModernClient & AsyncDisposable> {
  const client = new ModernClient({ name: 'modern', version: '1' }, { versionNegotiation: { mode: { pin: '2026-07-28' } }, ...more });
  await client.connect(new ModernTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }));
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The last message: of a stream too. */
  readonly body: Readonly<Record<string, never>> & {
    readonly result?: Record<string, unknown>;
    readonly error?: { code: number; message: string; data?: Record<string, unknown> };
  };
  readonly text: string;
}

export async function raw(
  url: string,
  token: string | null,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  signal: AbortSignal | null = null,
): Promise<RawAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    signal,
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const last = /^(event|data|id|retry)?:/.test(text)
    ? (text
        .match(/^data: (\{.*)$/gm)
        ?.at(-1)
        ?.slice(6) ?? '{}')
    : text;
  return { status: response.status, headers: response.headers, body: (last === '' ? {} : JSON.parse(last)) as RawAnswer['body'], text };
}

const NEW = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' } };

/** A request of the newest protocol, whole. */
export function modern(
  url: string,
  token: string,
  method: string,
  params: Readonly<Record<string, unknown>>,
  capabilities: object = {},
  signal: AbortSignal | null = null,
): Promise<RawAnswer> {
  const _meta = { ...NEW, 'io.modelcontextprotocol/clientCapabilities': capabilities };
  const name = (params['taskId'] ?? params['uri'] ?? params['name']) as string | undefined;
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, ...(name === undefined ? {} : { 'mcp-name': name }) };
  return raw(url, token, { jsonrpc: '2.0', id: Math.floor(Math.random() * 1e9), method, params: { ...params, _meta } }, headers, signal);
}

/** A session of an older client; what it is called. */
export async function begun(url: string, token: string): Promise<string> {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  const answer = await raw(url, token, { jsonrpc: '2.0', id: 1, method: 'initialize', params });
  return answer.headers.get('mcp-session-id') ?? '';
}
