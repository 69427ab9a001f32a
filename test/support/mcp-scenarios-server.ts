/** What the public conformance suite looks for in a server, made with the reference SDK: its names are the suite's. */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { McpServer, ResourceTemplate } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import {
  CreateMessageResultSchema,
  ElicitResultSchema,
  isInitializeRequest,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const SOUND = Buffer.from('RIFF$\0\0\0WAVEfmt ', 'latin1').toString('base64');
const text = (value: string) => ({ type: 'text', text: value }) as const;
const image = { type: 'image', data: PIXEL, mimeType: 'image/png' } as const;
const resource = (uri: string, value: string) => ({ type: 'resource', resource: { uri, mimeType: 'text/plain', text: value } }) as const;

function make(): McpServer {
  const server = new McpServer(
    { name: 'scenarios', version: '1.0.0' },
    { capabilities: { logging: {}, resources: { subscribe: true }, completions: {} } },
  );
  const tool = (name: string, content: readonly object[]): void => {
    server.registerTool(name, { description: name, inputSchema: {} }, () => ({ content: content as never }));
  };
  tool('test_simple_text', [text('This is a simple text response for testing.')]);
  tool('test_image_content', [image]);
  tool('test_audio_content', [{ type: 'audio', data: SOUND, mimeType: 'audio/wav' }]);
  tool('test_embedded_resource', [resource('test://embedded-resource', 'This is an embedded resource content.')]);
  tool('test_multiple_content_types', [
    text('Multiple content types test:'),
    image,
    resource('test://mixed-content-resource', '{"test":"data","value":123}'),
  ]);
  server.registerTool('test_error_handling', { description: 'fails', inputSchema: {} }, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  server.registerTool('test_tool_with_logging', { description: 'logs', inputSchema: {} }, async (_args, extra) => {
    for (const data of ['Tool execution started', 'Tool processing data', 'Tool execution completed'])
      await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } });
    return { content: [text('done')] };
  });
  server.registerTool('test_tool_with_progress', { description: 'progresses', inputSchema: {} }, async (_args, extra) => {
    const progressToken = extra._meta?.progressToken;
    if (progressToken !== undefined)
      for (const progress of [0, 50, 100])
        await extra.sendNotification({ method: 'notifications/progress', params: { progressToken, progress, total: 100 } });
    return { content: [text('done')] };
  });
  server.registerTool('test_sampling', { description: 'samples', inputSchema: { prompt: z.string() } }, async ({ prompt }, extra) => {
    const params = { messages: [{ role: 'user' as const, content: text(prompt) }], maxTokens: 100 };
    const answer = await extra.sendRequest({ method: 'sampling/createMessage', params }, CreateMessageResultSchema);
    return { content: [text(`LLM response: ${JSON.stringify(answer.content)}`)] };
  });
  server.registerTool('test_elicitation', { description: 'asks', inputSchema: { message: z.string() } }, async ({ message }, extra) => {
    const requestedSchema = {
      type: 'object' as const,
      properties: { username: { type: 'string' as const }, email: { type: 'string' as const } },
      required: ['username', 'email'],
    };
    const answer = await extra.sendRequest({ method: 'elicitation/create', params: { message, requestedSchema } }, ElicitResultSchema);
    return { content: [text(`User response: ${answer.action}, content: ${JSON.stringify(answer.content)}`)] };
  });
  server.registerResource('text', 'test://static-text', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }],
  }));
  server.registerResource('binary', 'test://static-binary', { mimeType: 'image/png' }, (uri) => ({
    contents: [{ uri: uri.href, mimeType: 'image/png', blob: PIXEL }],
  }));
  server.registerResource('watched', 'test://watched-resource', { mimeType: 'text/plain' }, (uri) => ({
    contents: [{ uri: uri.href, text: 'watched' }],
  }));
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { mimeType: 'application/json' },
    (uri, { id }) => ({
      contents: [
        { uri: uri.href, mimeType: 'application/json', text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }) },
      ],
    }),
  );
  const say = (content: object): { messages: never[] } => ({ messages: [{ role: 'user', content }] as never[] });
  server.registerPrompt('test_simple_prompt', { description: 'simple' }, () => say(text('This is a simple prompt for testing.')));
  server.registerPrompt(
    'test_prompt_with_arguments',
    { description: 'with arguments', argsSchema: { arg1: z.string(), arg2: z.string() } },
    ({ arg1, arg2 }) => say(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'with a resource', argsSchema: { resourceUri: z.string() } },
    ({ resourceUri }) => say(resource(resourceUri, 'Embedded resource content for testing.')),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'with an image' }, () => say(image));
  server.server.setRequestHandler(SubscribeRequestSchema, () => ({}));
  server.server.setRequestHandler(UnsubscribeRequestSchema, () => ({}));
  return server;
}

export async function startScenariosServer(): Promise<AsyncDisposable & { readonly url: string }> {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const http = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const body: unknown = chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString());
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
      if (transport === undefined) return void response.writeHead(typeof id === 'string' ? 404 : 400).end();
      await transport.handleRequest(request, response, body);
    })().catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const close = async (): Promise<void> => {
    for (const transport of transports.values()) await transport.close();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  };
  return { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/mcp`, [Symbol.asyncDispose]: close };
}
