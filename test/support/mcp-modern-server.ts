/** A real MCP server of 2026-07-28 alone, made with the reference SDK. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { acceptedContent, createMcpHandler, inputRequired, McpServer } from '@modelcontextprotocol/server';
import { z } from 'zod';

export interface ModernMcpServer extends AsyncDisposable {
  readonly url: string;
  /** Tools that ran to their end. */
  readonly ran: unknown[];
}

const SCHEMA = { type: 'object' as const, properties: { confirm: { type: 'boolean' as const } }, required: ['confirm'] };

export async function startModernServer(): Promise<ModernMcpServer> {
  const ran: unknown[] = [];
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'modern-server', version: '1.0.0' }, { capabilities: { tools: { listChanged: true } } });
      server.registerTool('echo', { description: 'Says it again.', inputSchema: z.object({ text: z.string() }) }, ({ text }) => {
        ran.push(text);
        return { content: [{ type: 'text', text }] };
      });
      server.registerTool('deploy', { description: 'Deploys.', inputSchema: z.object({ env: z.string() }) }, ({ env }, context) => {
        const confirmed = acceptedContent<{ confirm: boolean }>(context.mcpReq.inputResponses, 'confirm');
        if (confirmed?.confirm !== true) {
          const ask = inputRequired.elicit({ message: `Deploy to ${env}?`, requestedSchema: SCHEMA });
          return inputRequired({ inputRequests: { confirm: ask }, requestState: `state-of-${env}` });
        }
        ran.push(env);
        return { content: [{ type: 'text', text: `deployed to ${env}` }] };
      });
      return server;
    },
    { legacy: 'reject' },
  );
  const http = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const headers = Object.fromEntries(
        Object.entries(request.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
      );
      const body = chunks.length === 0 ? {} : { body: Buffer.concat(chunks) };
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const answer = await handler.fetch(
        new Request(`http://127.0.0.1${request.url ?? ''}`, { method: request.method ?? 'GET', headers, signal: gone.signal, ...body }),
      );
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      for await (const chunk of answer.body ?? []) response.write(chunk);
      response.end();
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      http.close(() => resolve());
      http.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`, ran, [Symbol.asyncDispose]: close };
}
