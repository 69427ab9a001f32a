/** One small text from a file or an address: no redirect, no proxy, bounded in time and size. */
import { readFile, stat } from 'node:fs/promises';
import { request as requestPlain, type IncomingMessage } from 'node:http';
import { request as requestTls } from 'node:https';

export interface TextBounds {
  readonly bytesMax: number;
  readonly timeoutMs: number;
}

/** Rejects for what is longer, slower or unreadable. */
export async function readTextFile(path: string, { bytesMax, timeoutMs }: TextBounds): Promise<string> {
  // to open a fifo is to wait for whoever writes
  const found = await stat(path);
  if (!found.isFile()) throw new Error('it is no ordinary file');
  if (found.size > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
  const text = await readFile(path, { encoding: 'utf8', signal: AbortSignal.timeout(timeoutMs) });
  if (text.length > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
  return text;
}

/** Rejects for anything but a complete 200. `caFile`: the only authority that is trusted; null: the system's. The address may be a secret: it is in no message. */
export async function fetchText(address: string, caFile: string | null, { bytesMax, timeoutMs }: TextBounds): Promise<string> {
  const url = new URL(address);
  if (url.protocol !== 'https:' && !isLoopback(url)) throw new Error('it is fetched over https only (http on loopback)');
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const ca = caFile === null ? {} : { ca: await readFile(caFile) };
    const response = await respond(url, ca, signal);
    // a redirect could lead anywhere, also off TLS
    if (response.statusCode !== 200) {
      response.destroy();
      throw new Error(`its address answered ${response.statusCode ?? 'nothing'}`);
    }
    return await collect(response, bytesMax);
  } catch (error) {
    throw signal.aborted ? new Error(`its address did not answer within ${timeoutMs} ms`) : error;
  }
}

function isLoopback({ protocol, hostname }: URL): boolean {
  return protocol === 'http:' && (hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname));
}

function respond(url: URL, ca: { readonly ca?: Buffer }, signal: AbortSignal): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = { headers: { accept: 'text/calendar' }, signal, agent: false as const };
  const request =
    url.protocol === 'https:' ? requestTls(url, { ...options, ...ca, minVersion: 'TLSv1.2' }, resolve) : requestPlain(url, options, resolve);
  request.on('error', reject).end();
  return promise;
}

async function collect(response: IncomingMessage, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw new Error(`it is longer than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  if (!response.complete) throw new Error('it was cut off');
  return Buffer.concat(chunks).toString('utf8');
}
