/** Clients that ask for one path again and again, each on a connection of its own with one request under way. */
import { createConnection } from 'node:net';
import { once } from 'node:events';

export interface Load {
  readonly port: number;
  readonly path: string;
  readonly token: string;
  readonly clients: number;
  readonly seconds: number;
  /** What must stand in every answer, and what must not. */
  readonly holds: string;
  readonly lacks: string | null;
  /** Each request has a query and an id of its own, as those of real clients have. */
  readonly varied: boolean;
}

export interface LoadResult {
  readonly requests: number;
  readonly rps: number;
  /** Of each request, sorted; microseconds. */
  readonly latencies: Float64Array;
}

export async function load(options: Load): Promise<LoadResult> {
  const requests = requestsOf(options);
  const times: number[] = [];
  const started = performance.now();
  const until = started + options.seconds * 1000;
  await Promise.all(Array.from({ length: options.clients }, () => client(options, requests, until, times)));
  const seconds = (performance.now() - started) / 1000;
  return { requests: times.length, rps: times.length / seconds, latencies: Float64Array.from(times).sort() };
}

async function client({ port, path, holds, lacks }: Load, next: () => Buffer, until: number, times: number[]): Promise<void> {
  const socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let chunks: Buffer[] = [];
  let bytes = 0;
  let wanted = 0;
  let asked = performance.now();
  let checked = false;
  const answered = (): void => {
    const now = performance.now();
    times.push((now - asked) * 1000);
    if (!checked) check(Buffer.concat(chunks));
    checked = true;
    chunks = [];
    bytes = wanted = 0;
    if (now >= until) return void socket.end(() => resolve());
    asked = now;
    socket.write(next());
  };
  const check = (answer: Buffer): void => {
    const fits = answer.subarray(0, 12).toString() === 'HTTP/1.1 200' && answer.includes(holds) && (lacks === null || !answer.includes(lacks));
    if (!fits) reject(new Error(`not measured: ${path} answers ${answer.toString('utf8').slice(0, 600)}`));
  };
  socket.on('error', reject);
  socket.on('close', () => reject(new Error(`not measured: ${path}: the connection ended`)));
  socket.on('data', (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (wanted === 0) wanted = lengthOf(chunks.length === 1 ? chunk : Buffer.concat(chunks));
    if (wanted > 0 ? bytes >= wanted : wanted === CHUNKED && chunk.subarray(-5).toString('latin1') === '0\r\n\r\n') answered();
  });
  socket.write(next());
  await promise;
}

/** What is sent next: always the same, or never the same twice. */
function requestsOf({ path, token, varied }: Load): () => Buffer {
  const text = (query: string, id: string): Buffer =>
    Buffer.from(`GET ${path}${query} HTTP/1.1\r\nhost: api.internal\r\nauthorization: Bearer ${token}\r\n${id}\r\n`);
  const same = text('', '');
  let sent = 0;
  return () => (varied ? text(`?n=${++sent}`, `x-request-id: ${sent}\r\n`) : same);
}

const CHUNKED = -1;

/** Of head and body; 0: the head is not there yet. */
function lengthOf(answer: Buffer): number {
  const end = answer.indexOf('\r\n\r\n');
  if (end < 0) return 0;
  const length = /\r\ncontent-length: (\d+)/i.exec(answer.toString('latin1', 0, end))?.[1];
  return length === undefined ? CHUNKED : end + 4 + Number(length);
}
