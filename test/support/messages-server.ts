/**
 * The Messages API as clients see it, with a script in the model's place: requests are checked as strictly as the real one does where that is about the
 * conversation's form, and answered whole or as a stream. https://docs.anthropic.com/en/api/messages
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown }
  | { readonly type: 'tool_result'; readonly tool_use_id: string; readonly content: unknown; readonly is_error?: boolean };

export interface Asked {
  readonly model: string;
  readonly max_tokens: number;
  readonly system?: unknown;
  readonly stream?: boolean;
  readonly tools?: readonly { readonly name: string; readonly input_schema: { readonly type?: string } }[];
  readonly messages: readonly { readonly role: string; readonly content: string | readonly Block[] }[];
}

/** What the model says, or the status with which the API refuses. */
export type Script = (asked: Asked) => readonly Block[] | number | Promise<readonly Block[] | number>;

export interface MessagesServer extends AsyncDisposable {
  readonly url: string;
  /** Conversations, as they were asked. */
  readonly asked: Asked[];
  /** What the real one would not have taken. */
  readonly problems: string[];
}

export const MODELS = ['claude-scripted-1', 'claude-sonnet-scripted'];

export async function startMessagesServer(key: string, script: Script): Promise<MessagesServer> {
  const asked: Asked[] = [];
  const problems: string[] = [];
  const refuse = (response: ServerResponse, status: number, type: string, message: string): void => {
    if (status === 400) problems.push(message);
    send(response, status, { type: 'error', error: { type, message } });
  };
  const http = createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => refuse(response, 400, 'invalid_request_error', String(error)));
  });
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const { pathname } = new URL(request.url ?? '/', 'http://any');
    const presented = request.headers['x-api-key'] ?? request.headers.authorization?.replace(/^Bearer /, '');
    if (presented !== key) return refuse(response, 401, 'authentication_error', 'invalid x-api-key');
    if (pathname === '/v1/models') return send(response, 200, { data: MODELS.map((id) => ({ type: 'model', id })), has_more: false });
    if (pathname === '/v1/messages/count_tokens') return send(response, 200, { input_tokens: 1 });
    if (pathname !== '/v1/messages') return refuse(response, 404, 'not_found_error', `${request.method} ${pathname}`);
    const body = JSON.parse(Buffer.concat(chunks).toString()) as Asked;
    if (request.headers['anthropic-version'] !== '2023-06-01') return refuse(response, 400, 'invalid_request_error', 'anthropic-version');
    const problem = problemOf(body);
    if (problem !== null) return refuse(response, 400, 'invalid_request_error', problem);
    asked.push(body);
    const said = await script(body);
    if (typeof said === 'number') return refuse(response, said, 'overloaded_error', 'Overloaded');
    if (body.stream === true) stream(response, body.model, said);
    else send(response, 200, message(body.model, said));
  }
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    asked,
    problems,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** What the tools said last, as texts. */
export function lastResults({ messages }: Asked): readonly string[] {
  return blocksOf(messages.at(-1)?.content).flatMap((block) => (block.type === 'tool_result' ? [textOf(block.content)] : []));
}

function textOf(content: unknown): string {
  return typeof content === 'string' ? content : ((content ?? []) as { readonly text?: string }[]).map(({ text = '' }) => text).join('');
}

function blocksOf(content: string | readonly Block[] | undefined): readonly Block[] {
  return typeof content === 'string' || content === undefined ? [] : content;
}

/** null: it would be taken. */
function problemOf({ model, max_tokens: tokens, tools = [], messages }: Asked): string | null {
  if (typeof model !== 'string' || !Number.isInteger(tokens) || tokens < 1) return 'model, max_tokens';
  for (const { name, input_schema: schema } of tools) if (!/^[a-zA-Z0-9_-]{1,128}$/.test(name) || schema.type !== 'object') return `tools: ${name}`;
  if (messages[0]?.role !== 'user') return 'messages: the first is not of the user';
  for (const [index, { content }] of messages.entries()) {
    const wanted = blocksOf(messages[index - 1]?.content).flatMap((block) => (block.type === 'tool_use' ? [block.id] : []));
    const given = blocksOf(content).flatMap((block) => (block.type === 'tool_result' ? [block.tool_use_id] : []));
    if (wanted.toSorted().join() !== given.toSorted().join())
      return `messages.${index}: tool_use ids ${wanted.join()} and tool_result ids ${given.join()}`;
  }
  return null;
}

let messages = 0;

/** Clients put together what has one id. */
function message(model: string, content: readonly Block[]): object {
  const reason = content.some(({ type }) => type === 'tool_use') ? 'tool_use' : 'end_turn';
  const usage = { input_tokens: 10, output_tokens: 10 };
  return { id: `msg_${++messages}`, type: 'message', role: 'assistant', model, content, stop_reason: reason, stop_sequence: null, usage };
}

function stream(response: ServerResponse, model: string, content: readonly Block[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const event = (type: string, data: object): void => void response.write(`event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`);
  const whole = message(model, content) as { readonly stop_reason: string; readonly usage: { readonly output_tokens: number } };
  event('message_start', { message: { ...whole, content: [], stop_reason: null } });
  for (const [index, block] of content.entries()) {
    const [empty, delta] =
      block.type === 'text'
        ? [
            { type: 'text', text: '' },
            { type: 'text_delta', text: block.text },
          ]
        : block.type === 'tool_use'
          ? [
              { ...block, input: {} },
              { type: 'input_json_delta', partial_json: JSON.stringify(block.input) },
            ]
          : [block, {}];
    event('content_block_start', { index, content_block: empty });
    event('content_block_delta', { index, delta });
    event('content_block_stop', { index });
  }
  event('message_delta', { delta: { stop_reason: whole.stop_reason, stop_sequence: null }, usage: { output_tokens: whole.usage.output_tokens } });
  event('message_stop', {});
  response.end();
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', ...(status === 529 && { 'retry-after': '0' }) }).end(JSON.stringify(body));
}
