/** A real MCP server of this process, over HTTP, made with the reference SDK: it records what it is asked. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isInitializeRequest } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';

export interface TestMcpServer extends AsyncDisposable {
  readonly url: string;
  /** Tools that ran, with their arguments. */
  readonly ran: { readonly tool: string; readonly args: unknown }[];
  /** Headers of the last request. */
  headers: Readonly<Record<string, unknown>>;
  /** What the description of the tool `search` says from now on. */
  describe(text: string): void;
  /** `refund` was carried out, and its answer waits for this. */
  answering: Promise<unknown> | null;
}

export const SSN = '123-45-6789';

/** @param runs what the tool `run_sql` does with its text; absent: there is no such tool */
export async function startMcpServer(runs?: (sql: string) => Promise<readonly object[]>): Promise<TestMcpServer> {
  const ran: { tool: string; args: unknown }[] = [];
  let description = 'Finds things.';
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const make = (): McpServer => {
    const server = new McpServer({ name: 'test-server', version: '1.0.0' }, { capabilities: { logging: {} } });
    const run = (tool: string, args: unknown): void => void ran.push({ tool, args });
    server.registerTool('search', { description, inputSchema: { q: z.string().max(100) } }, (args) => {
      run('search', args);
      return { content: [{ type: 'text', text: `found ${args.q}` }] };
    });
    server.registerTool('customers', { description: 'Lists customers.', inputSchema: {} }, (args) => {
      run('customers', args);
      const rows = [{ id: 1, name: 'Ann', ssn: SSN }];
      return { content: [{ type: 'text', text: JSON.stringify(rows) }], structuredContent: { rows } };
    });
    server.registerTool('picture', { description: 'Shows a customer.', inputSchema: {} }, (args) => {
      run('picture', args);
      return { content: [{ type: 'image', data: Buffer.from(SSN).toString('base64'), mimeType: 'image/png' }] };
    });
    const paid = { order: z.number().int(), cents: z.number().int() };
    server.registerTool('refund', { description: 'Pays money back.', inputSchema: paid }, async (args) => {
      run('refund', args);
      await self.answering;
      return { content: [{ type: 'text', text: `refunded ${args.cents} of ${args.order}` }] };
    });
    server.registerTool('read_file', { description: 'Reads a file.', inputSchema: { path: z.string() } }, (args) => {
      run('read_file', args);
      return { content: [{ type: 'text', text: 'text' }] };
    });
    server.registerTool('run_shell', { description: 'Runs anything.', inputSchema: { cmd: z.string() } }, (args) => {
      run('run_shell', args);
      return { content: [{ type: 'text', text: 'done' }] };
    });
    if (runs !== undefined)
      server.registerTool('run_sql', { description: 'Runs a statement.', inputSchema: { sql: z.string().max(4_000) } }, async (args) => {
        run('run_sql', args);
        const rows = await runs(args.sql);
        return { content: [{ type: 'text', text: JSON.stringify(rows) }], structuredContent: { rows } };
      });
    server.registerResource('notes', 'file:///workspace/notes.txt', { description: 'Notes.' }, (uri) => ({
      contents: [{ uri: uri.href, text: 'some notes' }],
    }));
    server.registerPrompt('greet', { description: 'Greets.', argsSchema: { who: z.string() } }, ({ who }) => ({
      messages: [{ role: 'user', content: { type: 'text', text: `Hello ${who}` } }],
    }));
    return server;
  };
  const self: TestMcpServer = {
    url: '',
    ran,
    headers: {},
    answering: null,
    describe: (text) => {
      description = text;
    },
    [Symbol.asyncDispose]: async () => {
      for (const transport of transports.values()) await transport.close();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
  const http = createServer((request, response) => {
    self.headers = request.headers;
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const text = Buffer.concat(chunks).toString();
      const body: unknown = text === '' ? undefined : JSON.parse(text);
      const id = request.headers['mcp-session-id'];
      let transport = typeof id === 'string' ? transports.get(id) : undefined;
      if (transport === undefined && isInitializeRequest(body)) {
        const made = new StreamableHTTPServerTransport({
          sessionIdGenerator: randomUUID,
          onsessioninitialized: (sid) => void transports.set(sid, made),
        });
        await make().connect(made as Parameters<McpServer['connect']>[0]);
        transport = made;
      }
      if (transport === undefined)
        return void response
          .writeHead(400, { 'content-type': 'application/json' })
          .end('{"jsonrpc":"2.0","error":{"code":-32000,"message":"no session"},"id":null}');
      await transport.handleRequest(request, response, body);
    })();
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`;
  return Object.assign(self, { url });
}
