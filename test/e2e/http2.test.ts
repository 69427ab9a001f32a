/** HTTP/2 and TLS of clients (SECURITY §1.8 H1, H12), with node's client, curl, and frames of our own. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Authority, makeAuthority } from '#test/support/certificates';
import { HTTP_TOKEN, type HttpGateway, OK, type Recorder, startHttpGateway, startRecorder } from '#test/support/http-gateway';

const run = promisify(execFile);
let dir = '';
let authority: Authority;
let target: Recorder;
let gateway: HttpGateway;
let ca = '';

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-http2-'));
  authority = await makeAuthority(dir);
  ca = readFileSync(authority.caFile, 'utf8');
  target = await startRecorder();
  const { certFile, keyFile } = await authority.issue('gateway');
  const tls = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  gateway = await startHttpGateway({ upstream: target, target: { tls } });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function session(): ClientHttp2Session {
  const opened = connectHttp2(gateway.url, { ca });
  opened.on('error', () => {});
  return opened;
}

function ask(client: ClientHttp2Session, headers: Record<string, string>, body = ''): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const stream = client.request({ ':path': '/a', authorization: `Bearer ${HTTP_TOKEN}`, ...headers }, { endStream: body === '' });
  let status = 0;
  let text = '';
  stream.on('response', (head) => (status = Number(head[':status'])));
  stream.on('data', (part: Buffer) => (text += part.toString()));
  stream.on('end', () => resolve({ status, body: text }));
  stream.on('error', reject);
  if (body !== '') stream.end(body);
  return promise;
}

/** RFC 9113 §4.1 */
function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

describe('HTTP/2 by ALPN', () => {
  test('curl speaks it, and HTTP/1.1 where it is asked to', async () => {
    const of = async (version: string): Promise<string> =>
      (
        await run('curl', [
          '-sS',
          version,
          '--cacert',
          authority.caFile,
          '-H',
          `Authorization: Bearer ${HTTP_TOKEN}`,
          '-w',
          ' %{http_version}',
          `${gateway.url.replace('127.0.0.1', 'localhost')}/x`,
        ])
      ).stdout;
    expect(await of('--http2')).toBe('{"ok":true} 2');
    expect(await of('--http1.1')).toBe('{"ok":true} 1.1');
  });

  test('many requests on one connection are judged one by one; the target sees HTTP/1.1 with one framing', async () => {
    const client = session();
    const before = target.requests.length;
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, at) =>
        ask(client, { ':method': 'POST', ':path': `/n/${at}`, 'content-type': 'application/json' }, `{"n":${at}}`),
      ),
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(target.requests.slice(before).toSorted()).toEqual(Array.from({ length: 20 }, (_, at) => `POST /n/${at} HTTP/1.1`).toSorted());
    expect(target.received).not.toMatch(/transfer-encoding|:path/);
    client.close();
  });

  test.each([
    ['a path without its slash', { ':path': 'admin/users' }],
    ['a path with a dot segment', { ':path': '/api/../admin' }],
    ['a host that is not the authority', { ':authority': 'api.internal', host: 'evil.internal' }],
    ['an unknown method', { ':method': 'PURGE' }],
  ])('%s is refused', async (_, headers) => {
    const client = session();
    const before = target.requests.length;
    const answer = await ask(client, headers as Record<string, string>).catch(() => ({ status: 400, body: '' }));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(target.requests.length).toBe(before);
    client.destroy();
  });

  test('413, 401 and problems as over HTTP/1.1', async () => {
    const client = session();
    expect((await ask(client, { ':method': 'POST', 'content-type': 'application/json' }, JSON.stringify('x'.repeat(1_100_000)))).status).toBe(413);
    expect((await ask(client, { authorization: 'Bearer nobody' })).status).toBe(401);
    client.destroy();
  });

  /** A connection of frames of our own; `closed` once the gateway ends it. */
  async function framed(): Promise<{ readonly write: (frame: Buffer) => boolean; readonly closed: Promise<void>; readonly open: () => boolean }> {
    const socket = connectTls({ host: '127.0.0.1', port: gateway.port, ca, servername: 'localhost', ALPNProtocols: ['h2'] });
    socket.on('error', () => {});
    await new Promise<void>((resolve) => socket.once('secureConnect', resolve));
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    socket.resume();
    socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))]));
    return { write: (bytes) => socket.write(bytes), closed, open: () => !socket.destroyed };
  }

  test('H12: rapid resets end the connection, and what they asked for is not sent', async () => {
    const before = target.requests.length;
    const client = await framed();
    let streams = 0;
    for (; streams < 10_000 && client.open(); streams++) {
      const id = streams * 2 + 1;
      // GET https /, by the static table, and an authority
      client.write(Buffer.concat([frame(1, 5, id, Buffer.from([0x82, 0x87, 0x84, 0x41, 1, 0x78])), frame(3, 0, id, Buffer.from([0, 0, 0, 8]))]));
      if (streams % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await client.closed;
    expect(streams).toBeLessThan(10_000);
    expect(target.requests.length).toBe(before);
    const other = session();
    expect((await ask(other, {})).status).toBe(200);
    other.destroy();
  });

  test('H12: pings and settings without end end the connection', async () => {
    const client = await framed();
    for (let at = 0; at < 2_000 && client.open(); at++)
      client.write(at % 2 === 0 ? frame(4, 0, 0, Buffer.alloc(0)) : frame(6, 0, 0, Buffer.alloc(8)));
    await client.closed;
    const other = session();
    expect((await ask(other, {})).status).toBe(200);
    other.destroy();
  });

  test('a certificate that is exchanged counts for whoever connects from then on', async () => {
    const { certFile, keyFile } = await authority.issue('renewed');
    gateway.enforcer.renew({
      limits: { connections: 500, statementBytes: 1_048_576, idleMs: 900_000 },
      tls: { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') },
    });
    const client = session();
    expect((await ask(client, {})).status).toBe(200);
    client.destroy();
    target.reply = (_, socket) => void socket.write(OK);
  });
});

test('a target over TLS: its certificate is checked for its name, and SNI and Host say it', async () => {
  const upstream = await authority.issue('target');
  const { createServer } = await import('node:https');
  const seen: unknown[] = [];
  const server = createServer({ cert: readFileSync(upstream.certFile), key: readFileSync(upstream.keyFile) }, (request, response) => {
    seen.push([request.headers.host, (request.socket as { servername?: string }).servername]);
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const through = async (url: string, trusted?: string): Promise<number> => {
    const other = await startHttpGateway({
      upstream: url,
      target: { upstream: { url, ...(trusted !== undefined && { ca: trusted }) } },
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    const { status } = await fetch(`${other.url}/a`, { headers: { authorization: `Bearer ${HTTP_TOKEN}` } });
    await other[Symbol.asyncDispose]();
    return status;
  };
  expect(await through(`https://localhost:${port}`, ca)).toBe(200);
  expect(seen).toEqual([[`localhost:${port}`, 'localhost']]);
  expect(await through(`https://localhost:${port}`)).toBe(502);
  expect(await through(`https://elsewhere.test:${port}`, ca)).toBe(502);
  server.closeAllConnections();
  server.close();
});
