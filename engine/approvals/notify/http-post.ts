/** One POST: https unless it stays on this machine, no redirects, bounded in time; of the answer only its status is looked at. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { DeliveryFailed } from './delivery-failed.ts';
import { retryAfterMs } from './backoff.ts';
import type { Attempt } from './parts.ts';

export interface Post {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** PEM; without it the system's roots. */
  readonly ca?: string;
}

/** Of an answer that nobody reads. */
const ANSWER_BYTES_MAX = 64 * 1024;
/** The receiver may take it later: too early, too many, a time-out of its own. */
const LATER: ReadonlySet<number> = new Set([408, 425, 429]);

/** @throws DeliveryFailed */
export async function post({ url, headers, body, ca }: Post, { signal, now }: Attempt): Promise<void> {
  const address = addressOf(url);
  const send = address.protocol === 'https:' ? httpsRequest : httpRequest;
  const tls = ca === undefined ? {} : { ca };
  const length = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), 'user-agent': 'interlock' };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = send(address, { method: 'POST', headers: { ...headers, ...length }, agent: false, signal, ...tls });
    request.once('response', resolve);
    request.once('error', (error) => reject(failed(error, signal)));
    request.end(body);
  });
  await ended(response);
  const { statusCode: status = 0 } = response;
  if (status >= 200 && status < 300) return;
  const refused = status < 500 && !LATER.has(status);
  const words = status >= 300 && status < 400 ? `status ${status}: redirects are not followed` : `status ${status}`;
  throw new DeliveryFailed(words, { refused, retryAfterMs: retryAfterMs(response.headers['retry-after'], now.getTime()) });
}

function addressOf(url: string): URL {
  if (!URL.canParse(url)) throw new DeliveryFailed('the address is none', { refused: true });
  const address = new URL(url);
  const safe = address.protocol === 'https:' || (address.protocol === 'http:' && isLoopback(address.hostname));
  if (!safe) throw new DeliveryFailed('the address is not https', { refused: true });
  return address;
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

/** The status is what counts: whatever becomes of the body, the receiver has answered. */
async function ended(response: IncomingMessage): Promise<void> {
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) if ((bytes += chunk.length) > ANSWER_BYTES_MAX) break;
  } catch {
    // cut off, or too slow: see above
  }
  response.destroy();
}

function failed(error: Error, signal: AbortSignal): DeliveryFailed {
  if (signal.aborted) return new DeliveryFailed('no answer in time');
  return new DeliveryFailed(`cannot be reached (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
}
