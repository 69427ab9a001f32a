/** Requests as clients generated from OpenAPI documents make them: they run unchanged, by the rules of the shipped guardrails. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '#test/support/gateway';
import { type Recorder, startRecorder } from '#test/support/http-gateway';
import { type MadeRequest, requestsOf } from '#test/support/openapi-requests';
import { Random } from '#test/support/random';

const OURS = join(import.meta.dirname, '../cases/http');
/** Other people's documents: a folder of their files, in the place of ours. */
const FOLDER = process.env['INTERLOCK_OPENAPI_DIR'] ?? OURS;
const FILES = readdirSync(FOLDER).filter((name) => /\.(ya?ml|json)$/.test(name));
const EACH = Math.ceil(500 / FILES.length);
/** Of other people's: what a generator makes up need not be what their clients send. */
const FAILED_MAX = FOLDER === OURS ? 0 : 0.03;

const CREDENTIAL = 'credential-of-the-api';
let dir = '';
let target: Recorder;
let gateway: Gateway;
let token = '';
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-benign-'));
  target = await startRecorder(
    (request, socket) =>
      void socket.write(
        request.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}',
      ),
  );
  writeFileSync(join(dir, 'secret'), CREDENTIAL, { mode: 0o600 });
  writeFileSync(join(dir, 'data.yaml'), 'guardrails: { read_write: [developers] }\n');
  const http = (file: string): object => ({
    protocol: 'http',
    listen: '127.0.0.1:0',
    env: 'test',
    http: { url: `http://127.0.0.1:${target.port}`, openapi: join(FOLDER, file), credential: { bearer: { file: join(dir, 'secret') } } },
  });
  gateway = await startGateway({
    upstream: { host: '127.0.0.1', port: 1, user: 'x', password: 'x', database: 'x' },
    policies: { dir: join(import.meta.dirname, '../../policies'), data: [join(dir, 'data.yaml')] },
    config: { targets: Object.fromEntries(FILES.map((file, index) => [`api-${index}`, http(file)])) },
  });
  token = await gateway.token({ login: 'dana', groups: ['developers'] });
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  await target?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

function send(port: number, { method, target: path, type, body }: MadeRequest): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const headers = {
    authorization: `Bearer ${token}`,
    ...(type !== null && { 'content-type': type }),
    ...(body.length > 0 && { 'content-length': String(body.length) }),
  };
  const sent = httpRequest({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
    let text = '';
    answer.on('data', (part: Buffer) => (text += part.toString()));
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
  });
  sent.on('error', reject);
  sent.end(body);
  return promise;
}

test(`${EACH * FILES.length} requests of ${FILES.join(', ')} arrive byte by byte`, { timeout: 120_000 }, async () => {
  expect(FILES.length).toBeGreaterThanOrEqual(3);
  const failed: string[] = [];
  let all = 0;
  for (const [index, file] of FILES.entries()) {
    const port = Number(gateway.ready.targets[`api-${index}`]?.address.split(':').at(-1));
    for (const made of await requestsOf(readFileSync(join(FOLDER, file), 'utf8'), EACH, nextOf(index + 1))) {
      all++;
      const before = target.received.length;
      const { status, text: said } = await send(port, made);
      const arrived = target.received.slice(before - 200 < 0 ? 0 : before - 200);
      const unchanged =
        target.requests.at(-1) === `${made.method} ${made.target} HTTP/1.1` && arrived.includes(Buffer.from(made.body).toString('latin1'));
      if (status !== 200 || !unchanged) failed.push(`${file} ${made.method} ${made.target} ${made.type ?? ''}: ${status} ${said.slice(0, 300)}`);
    }
  }
  expect(all).toBeGreaterThanOrEqual(500);
  if (failed.length > 0) console.log(`${failed.length} of ${all} failed`);
  expect(failed.length / all, failed.slice(0, 20).join('\n')).toBeLessThanOrEqual(FAILED_MAX);
});

function nextOf(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}
