/** Requests as clients generated from OpenAPI documents make them: they run unchanged, by the rules of the shipped guardrails. */
import { readdirSync, readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readDescription } from '#engine/facts/http/description';
import { ALLOW_HTTP, HTTP_TOKEN, type HttpRule, type Recorder, startHttpGateway, startRecorder } from '#test/support/http-gateway';
import { type MadeRequest, requestsOf } from '#test/support/openapi-requests';
import { Random } from '#test/support/random';

/** Other people's documents: a folder of their files, in the place of ours. */
const FOLDER = process.env['INTERLOCK_OPENAPI_DIR'] ?? join(import.meta.dirname, '../cases/http');
const FILES = readdirSync(FOLDER).filter((name) => /\.(ya?ml|json)$/.test(name));
const EACH = Math.ceil(500 / FILES.length);

/** As `policies/http/guardrails` decides for somebody who may read and write. */
const guardrails: HttpRule = ({ facts }) => {
  if (facts.opaque.length > 0) return { effect: 'deny', code: 'NOT_UNDERSTOOD', reason: facts.opaque[0]?.detail ?? '' };
  return facts.operation === null ? { effect: 'deny', code: 'UNKNOWN_OPERATION', reason: `${facts.method} ${facts.path}` } : ALLOW_HTTP;
};

let target: Recorder;
beforeAll(async () => {
  target = await startRecorder(
    (request, socket) =>
      void socket.write(
        request.startsWith('HEAD') ? 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n' : 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}',
      ),
  );
});
afterAll(() => target?.[Symbol.asyncDispose]());

function send(port: number, { method, target: path, type, body }: MadeRequest): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const headers = {
    authorization: `Bearer ${HTTP_TOKEN}`,
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

test(`at least 97 % of ${EACH * FILES.length} requests of ${FILES.join(', ')} arrive byte by byte`, async () => {
  expect(FILES.length).toBeGreaterThanOrEqual(3);
  const failed: string[] = [];
  let all = 0;
  for (const [index, file] of FILES.entries()) {
    const text = readFileSync(join(FOLDER, file), 'utf8');
    const catalog = readDescription({ openapi: { file, text }, routes: null, graphql: null });
    const gateway = await startHttpGateway({ upstream: target, target: { catalog }, rule: guardrails });
    for (const made of await requestsOf(text, EACH, nextOf(index + 1))) {
      all++;
      const before = target.received.length;
      const { status, text: said } = await send(gateway.port, made);
      const arrived = target.received.slice(before - 200 < 0 ? 0 : before - 200);
      const unchanged =
        target.requests.at(-1) === `${made.method} ${made.target} HTTP/1.1` && arrived.includes(Buffer.from(made.body).toString('latin1'));
      if (status !== 200 || !unchanged) failed.push(`${file} ${made.method} ${made.target} ${made.type ?? ''}: ${status} ${said.slice(0, 300)}`);
    }
    await gateway[Symbol.asyncDispose]();
  }
  expect(all).toBeGreaterThanOrEqual(500);
  expect(failed.length / all, failed.slice(0, 20).join('\n')).toBeLessThanOrEqual(0.03);
});

function nextOf(seed: number): () => number {
  const random = new Random(seed);
  return () => random.next();
}
