/** An MCP server that answers at once, in a process of its own: what a call costs besides the gateway. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const tool = {
  name: 'search',
  description: 'Finds things.',
  inputSchema: { type: 'object', properties: { q: { type: 'string', maxLength: 200 } }, required: ['q'] },
};
const text = JSON.stringify({ rows: Array.from({ length: 5 }, (_, id) => ({ id, name: `name ${id}`, ssn: '123-45-6789' })) });

const RESULTS: Readonly<Record<string, object>> = {
  'server/discover': { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } },
  'tools/list': { tools: [tool], ttlMs: 0, cacheScope: 'private' },
  'tools/call': { content: [{ type: 'text', text }] },
};

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const { id, method } = JSON.parse(Buffer.concat(chunks).toString()) as { id: number; method: string };
    const body = Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...RESULTS[method] } }));
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
    response.end(body);
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
