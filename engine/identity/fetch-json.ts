/** One small JSON document from the issuer: no redirect, no proxy, bounded in time and size. */
import { readFileSync } from 'node:fs';
import { request as requestPlain, type IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';
import { isSecure } from './issuer.ts';

const TIMEOUT_MS = 5_000;
const BYTES_MAX = 256 * 1024;

/** Rejects for anything but a complete 200 with JSON. `caFile`: the only authority that is trusted; null: the system's. */
export async function fetchJson(url: string, caFile: string | null): Promise<unknown> {
  if (!isSecure(url)) throw new Error('keys are fetched over https only (http on loopback)');
  const response = await respond(new URL(url), caFile);
  // A redirect could lead anywhere, also off TLS: what the issuer publishes stands where it says.
  if (response.statusCode !== 200) {
    response.destroy();
    throw new Error(`${url} answered ${response.statusCode}`);
  }
  return JSON.parse((await collect(response)).toString('utf8')) as unknown;
}

function respond(url: URL, caFile: string | null): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = { headers: { accept: 'application/json' }, signal: AbortSignal.timeout(TIMEOUT_MS), agent: false as const };
  const ca = caFile === null ? {} : { ca: readFileSync(caFile) };
  const request =
    url.protocol === 'https:' ? requestTls(url, { ...options, ...ca, minVersion: 'TLSv1.2' }, resolve) : requestPlain(url, options, resolve);
  request.on('error', reject).end();
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
