/** A real MCP server over stdio: a program of its own. */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { z } from 'zod';

const server = new McpServer({ name: 'stdio-server', version: '1.0.0' });
server.registerTool('environment', { description: 'Names of its environment.', inputSchema: {} }, () => ({
  content: [{ type: 'text', text: JSON.stringify(Object.keys(process.env).toSorted()) }],
}));
server.registerTool('refund', { description: 'Pays money back.', inputSchema: { order: z.number().int() } }, ({ order }) => ({
  content: [{ type: 'text', text: `refunded ${order}` }],
}));
server.registerTool('read_file', { description: 'Reads a file.', inputSchema: { path: z.string() } }, ({ path }) => ({
  content: [{ type: 'text', text: `read ${path}` }],
}));
server.registerTool('die', { description: 'Ends.', inputSchema: {} }, () => process.exit(7));
await server.connect(new StdioServerTransport());
