/** A running gateway's API, as the commands see it. */
import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createInterface } from 'node:readline';
import { ERRORS, InterlockError, type ErrorCode } from '#schemas/errors';
import type { LoadedConfig } from '../config/config.ts';
import { announced } from './running.ts';
import { readTokenFile } from './token-file.ts';

const ANSWER_MS_MAX = 30_000;
const DOCUMENT_BYTES_MAX = 64 * 1024 * 1024;

export interface Gateway {
  get(path: string): Promise<unknown>;
  post(path: string, body: unknown): Promise<unknown>;
  delete(path: string): Promise<unknown>;
  /** NDJSON, line by line, as it comes. */
  lines(path: string): AsyncIterable<unknown>;
  /** Server-sent events, as they come, until the signal. */
  live(path: string, signal: AbortSignal): AsyncIterable<LiveMessage>;
}

export interface LiveMessage {
  readonly event: string;
  readonly data: unknown;
}

/** Speaks with the token in `tokenFile`. Nothing is sent yet. */
export async function openGateway(config: LoadedConfig, tokenFile: string | undefined): Promise<Gateway> {
  if (tokenFile === undefined)
    throw new InterlockError('USAGE', 'a token is needed: --token-file FILE', { hint: '`interlock token` makes one where the local issuer is on.' });
  return await gatewayWith(config, await readTokenFile(tokenFile));
}

/** The same with a token at hand. */
export async function gatewayWith(config: LoadedConfig, token: string): Promise<Gateway> {
  const where = await address(config);
  const call = async (method: string, path: string, body?: unknown): Promise<IncomingMessage> => await send(where, token, method, path, body);
  return {
    get: async (path) => await document(await call('GET', path)),
    post: async (path, body) => await document(await call('POST', path, body)),
    delete: async (path) => await document(await call('DELETE', path)),
    lines: (path) => stream(call('GET', path)),
    live: (path, signal) => messages(call('GET', path), signal),
  };
}

interface Where {
  readonly base: URL;
  readonly ca: Buffer | undefined;
  /** The name on the certificate, where it is not the address. */
  readonly servername: string | undefined;
}

async function address(config: LoadedConfig): Promise<Where> {
  const { listen, tls, publicUrl } = config.api;
  const scheme = tls === null ? 'http' : 'https';
  const host = listen.host === '0.0.0.0' ? '127.0.0.1' : listen.host === '::' ? '::1' : listen.host;
  const base =
    listen.port === 0 ? new URL((await announced(config)).api) : new URL(`${scheme}://${host.includes(':') ? `[${host}]` : host}:${listen.port}`);
  return {
    base,
    ca: tls === null ? undefined : await readFile(tls.caFile ?? tls.certFile),
    servername: tls !== null && publicUrl !== null ? new URL(publicUrl).hostname : undefined,
  };
}

async function send({ base, ca, servername }: Where, token: string, method: string, path: string, body: unknown): Promise<IncomingMessage> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
  };
  const secure = base.protocol === 'https:' ? { ...(ca === undefined ? {} : { ca }), ...(servername === undefined ? {} : { servername }) } : {};
  const request = (base.protocol === 'https:' ? httpsRequest : httpRequest)(new URL(path, base), { method, headers, ...secure });
  return await new Promise((resolve, reject) => {
    request.setTimeout(ANSWER_MS_MAX, () => request.destroy(new Error(`no answer for ${ANSWER_MS_MAX / 1000} s`)));
    request.once('error', (error) =>
      reject(new InterlockError('NOT_REACHABLE', `${base.origin}: ${error.message || 'does not answer'}`, { cause: error })),
    );
    request.once('response', (response) => {
      request.setTimeout(0); // a followed stream may be silent for long
      resolve(response);
    });
    request.end(text);
  });
}

async function document(response: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > DOCUMENT_BYTES_MAX) throw new InterlockError('NOT_REACHABLE', 'the answer is longer than 64 MiB');
    chunks.push(chunk);
  }
  const value = parse(Buffer.concat(chunks).toString('utf8'));
  if (response.statusCode !== 200) throw refusal(value, response.statusCode ?? 0);
  return value;
}

async function* stream(answer: Promise<IncomingMessage>): AsyncGenerator<unknown> {
  const response = await answer;
  if (response.statusCode !== 200) await document(response);
  try {
    for await (const line of createInterface({ input: response, crlfDelay: Infinity })) if (line !== '') yield parse(line);
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    throw new InterlockError('NOT_REACHABLE', 'the gateway ended the stream', { cause: error });
  } finally {
    response.destroy();
  }
  if (!response.complete) throw new InterlockError('NOT_REACHABLE', 'the gateway ended the stream');
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as the gateway speaks it: one line of data. */
async function* messages(answer: Promise<IncomingMessage>, signal: AbortSignal): AsyncGenerator<LiveMessage> {
  const response = await answer;
  if (response.statusCode !== 200) await document(response);
  const lines = createInterface({ input: response, crlfDelay: Infinity });
  const end = (): void => {
    // a destroyed response alone would leave whoever waits for a line waiting
    lines.close();
    response.destroy();
  };
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  let event = 'message';
  try {
    for await (const line of lines) {
      if (line === '') event = 'message';
      else if (line.startsWith('event: ')) event = line.slice('event: '.length);
      else if (line.startsWith('data: ')) yield { event, data: parse(line.slice('data: '.length)) };
    }
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    throw new InterlockError('NOT_REACHABLE', 'the gateway ended the stream', { cause: error });
  } finally {
    signal.removeEventListener('abort', end);
    response.destroy();
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InterlockError('NOT_REACHABLE', 'the answer is not JSON: is this the API of Interlock?', { cause: error });
  }
}

/** The gateway's own error, as if it had happened here. */
function refusal(body: unknown, status: number): InterlockError {
  const {
    code = '',
    message = `status ${status}`,
    hint,
  } = (body as { error?: { code?: string; message?: string; hint?: string } } | null)?.error ?? {};
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'INTERNAL';
  return new InterlockError(known, message, hint === undefined ? {} : { hint });
}
