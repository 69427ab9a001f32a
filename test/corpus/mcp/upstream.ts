/** An MCP server that runs whatever it is told, knows secrets, and records every request: what a gateway has to stand before. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface LaxServer extends AsyncDisposable {
  readonly url: string;
  /** Requests of clients, but for the beginning of a session and lists of tools. */
  readonly asked: { readonly method: string; readonly params: Readonly<Record<string, unknown>> }[];
  /** Answers of clients to its questions. */
  readonly answers: unknown[];
  /** Sent with the answer to `tools/call`: a question before it, or members of its result. */
  say: { readonly method?: string; readonly result?: object };
}

const CUSTOMER = { id: 1, name: 'Alice', ssn: '123-45-6789', card_number: '4111111111111111', email: 'alice@example.com' };
const tool = (name: string, argument: string): object => ({
  name,
  description: name,
  annotations: { readOnlyHint: true },
  inputSchema: { type: 'object', properties: { [argument]: { type: 'string' } }, required: [argument] },
});
const TOOLS = [tool('search', 'q'), tool('read_file', 'path'), tool('run_sql', 'sql'), tool('run_shell', 'cmd'), tool('fetch', 'url')];

function resultOf(method: string, params: Readonly<Record<string, unknown>>): object {
  switch (method) {
    case 'initialize':
      return {
        protocolVersion: '2025-06-18',
        capabilities: { tools: {}, resources: { subscribe: true }, prompts: {}, logging: {} },
        serverInfo: { name: 'lax', version: '1' },
      };
    case 'tools/list':
      return { tools: TOOLS };
    case 'tools/call':
      return {
        content: [{ type: 'text', text: params['name'] === 'search' ? 'nothing' : JSON.stringify([CUSTOMER]) }],
        structuredContent: { rows: [CUSTOMER] },
      };
    case 'resources/read':
      return { contents: [{ uri: params['uri'], text: JSON.stringify(CUSTOMER) }] };
    default:
      return {};
  }
}

export async function startLaxServer(): Promise<LaxServer> {
  const self: LaxServer = {
    url: '',
    asked: [],
    answers: [],
    say: {},
    [Symbol.asyncDispose]: () => new Promise((resolve) => (http.close(() => resolve()), http.closeAllConnections())),
  };
  const http = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      if (request.method !== 'POST') return void response.writeHead(405).end();
      const { id, method, params = {}, ...rest } = JSON.parse(text) as { id?: number; method?: string; params?: Record<string, unknown> };
      if (method === undefined) self.answers.push(rest);
      if (method === undefined || id === undefined) return void response.writeHead(202).end();
      if (method !== 'initialize' && method !== 'tools/list' && method !== 'server/discover') self.asked.push({ method, params });
      if (method === 'server/discover')
        return void response
          .writeHead(400, { 'content-type': 'application/json' })
          .end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32_601, message: 'no' } }));
      const said = method === 'tools/call' ? self.say : {};
      const result = { ...resultOf(method, params), ...said.result };
      response.writeHead(200, { 'content-type': 'text/event-stream', 'mcp-session-id': 'lax' });
      if (said.method !== undefined) response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', id: 99, method: said.method, params: {} })}\n\n`);
      response.end(`data: ${JSON.stringify({ jsonrpc: '2.0', id, result })}\n\n`);
    })();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return Object.assign(self, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp` });
}
