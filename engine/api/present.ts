/** An answer, as HTTP. */
import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Answer } from './call.ts';
import type { ConsoleFile } from './console-files.ts';
import { DATA_HEADERS, PAGE_HEADERS, TLS_HEADERS } from './headers.ts';
import type { House } from './house.ts';

export async function present(response: ServerResponse, answer: Answer, signal: AbortSignal, house: House): Promise<void> {
  if ('document' in answer) return send(response, 200, answer.document, house, cookies(answer.cookies));
  if ('redirect' in answer)
    return void response.writeHead(302, { ...dataHeaders(house), ...cookies(answer.cookies), location: answer.redirect, 'content-length': 0 }).end();
  if ('live' in answer) return await stream(response, answer.live, house);
  response.writeHead(200, { ...dataHeaders(house), 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  for await (const line of answer.lines) {
    if (signal.aborted) break;
    if (!response.write(`${JSON.stringify(line)}\n`)) await once(response, 'drain', { signal });
  }
  response.end();
}

export function send(response: ServerResponse, status: number, document: unknown, house: House, more: OutgoingHttpHeaders = {}): void {
  response.writeHead(status, { ...dataHeaders(house), ...more, 'content-type': 'application/json' }).end(`${JSON.stringify(document)}\n`);
}

/** What is no JSON of ours: metrics. */
export function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  { status, type, text }: { readonly status: number; readonly type: string; readonly text: string },
  house: House,
): void {
  response.writeHead(status, { ...dataHeaders(house), 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(request.method === 'HEAD' ? undefined : text);
}

export function sendFile(request: IncomingMessage, response: ServerResponse, file: ConsoleFile, house: House): void {
  const zipped = file.gzip !== null && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  const body = zipped ? (file.gzip as Buffer) : file.bytes;
  response.writeHead(200, {
    ...PAGE_HEADERS,
    ...tls(house),
    'content-type': file.type,
    'content-length': body.length,
    'cache-control': file.immutable ? 'public, max-age=31536000, immutable' : 'no-store',
    vary: 'accept-encoding',
    ...(zipped ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Ends when its signal aborts; what goes wrong before the first byte is an error like any other. */
async function stream(
  response: ServerResponse,
  live: (outlet: { readonly waiting: number; write(text: string): void }) => Promise<void>,
  house: House,
): Promise<void> {
  const begin = (): void => {
    if (response.headersSent) return;
    response.writeHead(200, { ...dataHeaders(house), 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    response.flushHeaders();
  };
  await live({
    get waiting() {
      return response.writableLength;
    },
    write: (text) => {
      if (response.destroyed) return;
      begin();
      response.write(text);
    },
  });
  response.end();
}

export function dataHeaders(house: House): Readonly<Record<string, string>> {
  return { ...DATA_HEADERS, ...tls(house) };
}

function tls(house: House): Readonly<Record<string, string>> {
  return house.publicUrl.protocol === 'https:' ? TLS_HEADERS : {};
}

function cookies(given: readonly string[] | undefined): { readonly 'set-cookie'?: string[] } {
  return given === undefined ? {} : { 'set-cookie': [...given] };
}
