/** One request to an issuer: no redirect, no proxy, bounded in time and size, checked with the authority that is named for it. */
import { readFileSync } from 'node:fs';
import { request as requestPlain, type IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';
import { isSecure } from './issuer.ts';

export interface Sent {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface Received {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
}

const TIMEOUT_MS = 5_000;
const BYTES_MAX = 256 * 1024;

/** Rejects for anything but a complete answer. `caFile`: the only authority that is trusted; null: the system's. */
export async function exchange(url: string, sent: Sent, caFile: string | null): Promise<Received> {
  if (!isSecure(url)) throw new Error('an issuer is spoken to over https only (http on loopback)');
  const response = await respond(new URL(url), sent, caFile);
  const body = await collect(response);
  return { status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body };
}

function respond(url: URL, { method, headers, body }: Sent, caFile: string | null): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS), agent: false as const };
  const ca = caFile === null ? {} : { ca: readFileSync(caFile) };
  const request =
    url.protocol === 'https:' ? requestTls(url, { ...options, ...ca, minVersion: 'TLSv1.2' }, resolve) : requestPlain(url, options, resolve);
  request.on('error', reject).end(body ?? undefined);
  return promise;
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BYTES_MAX) throw new Error(`the answer is longer than ${BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error('the answer was cut off');
  return Buffer.concat(chunks);
}
