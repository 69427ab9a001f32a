/** Bytes that two readers could take for two things, and what else never reaches a target (SECURITY §1.8), under a policy that allows everything. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect } from 'node:net';
import { HTTP_TOKEN, type HttpGateway, OK, type Recorder, startHttpGateway, startRecorder } from '#test/support/http-gateway';
import { type RawAnswer, sendRaw } from '#test/support/raw-http';

const AUTH = `Host: api.internal\r\nAuthorization: Bearer ${HTTP_TOKEN}\r\n`;
const HIDDEN = `GET /admin/users HTTP/1.1\r\n${AUTH}\r\n`;

let target: Recorder;
let gateway: HttpGateway;
beforeAll(async () => {
  target = await startRecorder();
  gateway = await startHttpGateway({ upstream: target });
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  target.reply = (_, socket) => void socket.write(OK);
});

const raw = (bytes: string | readonly string[]): Promise<RawAnswer> => sendRaw(gateway.port, bytes);
const get = (path: string, more = ''): Promise<RawAnswer> => raw(`GET ${path} HTTP/1.1\r\n${AUTH}${more}Connection: close\r\n\r\n`);
const last = (): string => target.received.slice(target.received.lastIndexOf(target.requests.at(-1) ?? ''));

describe('H1: one framing', () => {
  const post = (headers: string, body: string): string =>
    `POST /api/orders HTTP/1.1\r\n${AUTH}Content-Type: application/json\r\n${headers}\r\n${body}`;
  test.each([
    ['TE and CL', post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['two lengths', post(`Content-Length: 0\r\nContent-Length: ${HIDDEN.length}\r\n`, HIDDEN)],
    ['the same length twice', post('Content-Length: 2\r\nContent-Length: 2\r\n', '{}')],
    ['a list of lengths', post('Content-Length: 2, 2\r\n', '{}')],
    ['a plus', post(`Content-Length: +${HIDDEN.length}\r\n`, HIDDEN)],
    ['a minus', post('Content-Length: -1\r\n', HIDDEN)],
    ['hexadecimal', post('Content-Length: 0x2\r\n', '{}')],
    ['a tab before the length', post('Content-Length:\t0 \r\n', HIDDEN)],
    ['a blank behind the length', post('Content-Length: 0 \r\n', HIDDEN)],
    ['a space before the colon', post(`Content-Length : ${HIDDEN.length}\r\n`, HIDDEN)],
    ['xchunked', post('Transfer-Encoding: xchunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['chunked, identity', post('Transfer-Encoding: chunked, identity\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['identity and chunked', post('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['quoted', post('Transfer-Encoding: "chunked"\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['a vertical tab', post('Transfer-Encoding: \x0bchunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['folded', post('Transfer-Encoding:\r\n chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['a bare LF', post('X: y\nTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['a bare CR', post('X: y\rTransfer-Encoding: chunked\r\n', `0\r\n\r\n${HIDDEN}`)],
    ['CRLF CR X', post('X: y\r\n\rX\r\n', HIDDEN)],
    ['a NUL', post('X: y\0z\r\nContent-Length: 0\r\n', HIDDEN)],
    ['a chunk of 2^64', post('Transfer-Encoding: chunked\r\n', `10000000000000000\r\n${HIDDEN}`)],
    ['a chunk extension', post('Transfer-Encoding: chunked\r\n', `2;a=b\r\n{}\r\n0\r\n\r\n${HIDDEN}`)],
    ['a chunk extension with LF', post('Transfer-Encoding: chunked\r\n', `2;\n{}\r\n0\r\n\r\n${HIDDEN}`)],
    ['a last chunk with LF', post('Transfer-Encoding: chunked\r\n', `0\n\n${HIDDEN}`)],
    ['a chunk longer than it says', post('Transfer-Encoding: chunked\r\n', `1\r\n{}\r\n0\r\n\r\n${HIDDEN}`)],
    ['a trailer', post('Transfer-Encoding: chunked\r\n', `2\r\n{}\r\n0\r\nContent-Length: 100\r\n\r\n${HIDDEN}`)],
    ['GET with a body', `GET /api/orders HTTP/1.1\r\n${AUTH}Content-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`],
    ['GET with chunks', `GET /api/orders HTTP/1.1\r\n${AUTH}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
    ['no host', `GET /api HTTP/1.1\r\nAuthorization: Bearer ${HTTP_TOKEN}\r\n\r\n${HIDDEN}`],
    ['two hosts', `GET /api HTTP/1.1\r\n${AUTH}Host: evil.internal\r\n\r\n${HIDDEN}`],
    ['a host with a user', `GET /api HTTP/1.1\r\nHost: api.internal:80@evil.internal\r\nAuthorization: Bearer ${HTTP_TOKEN}\r\n\r\n${HIDDEN}`],
    ['two tokens', `GET /api HTTP/1.1\r\n${AUTH}Authorization: Bearer other\r\n\r\n${HIDDEN}`],
    ['LF alone', `GET /api HTTP/1.1\nHost: api.internal\nAuthorization: Bearer ${HTTP_TOKEN}\n\n${HIDDEN}`],
    ['HTTP/1.0', `GET /api HTTP/1.0\r\n${AUTH}\r\n${HIDDEN}`],
    ['HTTP/2.0 in clear', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${HIDDEN}`],
    ['a tab in the method', `DEL\tETE /api HTTP/1.1\r\n${AUTH}\r\n${HIDDEN}`],
    ['two spaces', `GET  /api HTTP/1.1\r\n${AUTH}\r\n${HIDDEN}`],
    ['an empty line in front', `\r\nGET /api HTTP/1.1\r\n${AUTH}\r\n${HIDDEN}`],
    ['an expectation of something else', post('Expect: 200-ok\r\nContent-Length: 2\r\n', '{}')],
  ])('%s: refused, the connection ends, nothing of it reaches the target', async (_, bytes) => {
    const before = target.requests.length;
    const answer = await raw(bytes);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(600);
    expect(answer.closed || answer.headers['connection'] === 'close').toBe(true);
    expect(target.requests.slice(before)).toEqual([]);
  });

  test('what is well-formed arrives, however it is split into packets', async () => {
    const body = '{"item":"book"}';
    for (const bytes of [
      post(`Content-Length: ${body.length}\r\nConnection: close\r\n`, body),
      post('Transfer-Encoding: chunked\r\nConnection: close\r\n', `5\r\n{"ite\r\na\r\nm":"book"}\r\n0\r\n\r\n`),
    ]) {
      for (const at of [1, 17, 40, bytes.indexOf('\r\n\r\n') + 2, bytes.length - 9, bytes.length - 1]) {
        const answer = await raw([bytes.slice(0, at), bytes.slice(at)]);
        expect(answer.status).toBe(200);
        expect(last()).toContain(`content-length: ${body.length}\r\n\r\n${body}`);
        expect(last()).not.toContain('transfer-encoding');
      }
    }
  });

  test('requests one behind the other are judged one by one, and answered in order', async () => {
    const before = target.requests.length;
    const answer = await raw(`GET /one HTTP/1.1\r\n${AUTH}\r\nGET /two HTTP/1.1\r\n${AUTH}Connection: close\r\n\r\n`);
    expect(answer.all.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    expect(target.requests.slice(before)).toEqual(['GET /one HTTP/1.1', 'GET /two HTTP/1.1']);
  });

  test('Expect: 100-continue: the body may come once the client is known', async () => {
    const answer = await raw([post('Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n', ''), '{}']);
    expect(answer.all).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200/);
  });

  test('a target that answers in two ways, or what nobody asked for, is not believed', async () => {
    for (const reply of [
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\nX: y\r\n\r\n',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n',
      'nonsense\r\n\r\n',
      'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n',
    ]) {
      target.reply = (_, socket) => void socket.write(reply);
      expect((await get('/odd')).status).toBe(502);
    }
    // what stands behind an answer is never given to the next request
    target.reply = (_, socket) => void socket.write(`${OK}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison`);
    expect((await get('/first')).body).toBe('{"ok":true}');
    target.reply = (_, socket) => void socket.write(OK);
    expect((await get('/second')).body).toBe('{"ok":true}');
  });
});

describe('H2, H3: paths and methods', () => {
  test.each(['/./admin', '/api/../admin', '/%61dmin', '/admin;x=1', '/a//b', '/admin%00', '/admin#x', '/..%2fadmin'])('%s is a 400', async (path) => {
    const before = target.requests.length;
    expect((await get(path)).status).toBe(400);
    expect(target.requests.length).toBe(before);
  });
  test('absolute-form is no forward proxy', async () => {
    expect((await get('http://api.internal/admin/users')).status).toBe(400);
  });
  test.each(['TRACE /', 'CONNECT 10.0.0.5:5432', 'PURGE /api/orders', 'PROPFIND /', 'get /api'])('%s is refused by name', async (start) => {
    const before = target.requests.length;
    const answer = await raw(`${start} HTTP/1.1\r\n${AUTH}Connection: close\r\n\r\n`);
    expect(answer.status).toBe(501);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'UNSUPPORTED' });
    expect(target.requests.length).toBe(before);
  });
  test('OPTIONS * is answered by the target', async () => {
    expect((await raw(`OPTIONS * HTTP/1.1\r\n${AUTH}Connection: close\r\n\r\n`)).status).toBe(200);
    expect(target.requests.at(-1)).toBe('OPTIONS * HTTP/1.1');
  });
});

describe('H4: headers that say who somebody is', () => {
  const SPOOFED = [
    'X-Forwarded-User: admin',
    'X_Forwarded_User: admin',
    'X-Forwarded-For: 127.0.0.9',
    'X-Forwarded-Prefix: /admin',
    'Forwarded: for=127.0.0.9',
    'X-Remote-User: admin',
    'Remote-User: admin',
    'X-Authenticated-User: admin',
    'X-Admin: spoofed-admin',
    'Impersonate-User: system:admin',
    'Proxy-Authorization: Basic admin',
    'X-Original-URL: /admin',
    'X-Rewrite-URL: /admin',
    'X-HTTP-Method-Override: DELETE-admin',
    'Cookie: session=admin',
    'X-Api-Key: admin',
    'X-Method: admin',
    'X-HTTP-Host-Override: admin',
    'X-HTTP-Path-Override: /admin',
    'X-Middleware-Subrequest: admin:admin',
    'X-Invoke-Path: /admin',
    'X-Matched-Path: /admin',
    'X-Forward-For: 127.0.0.9',
    'X-Originating-IP: 127.0.0.9',
    'X-Consumer-Custom-Id: admin',
    'X-Credential-Identifier: admin',
    'X-Hasura-Admin-Secret: admin',
    'X-Vault-Token: admin',
    'PRIVATE-TOKEN: admin',
    'X-Accel-Redirect: /admin',
    'L5d-Dst-Override: admin',
    'Metadata-Flavor: admin',
    'Connection: authorization, x-request-id',
    'Te: admin',
  ];
  test.each([
    ['a request', ''],
    ['an upgrade', 'Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'],
  ])('none of them is part of what is judged or sent, in %s', async (_, more) => {
    const judged = gateway.facts.length;
    const before = target.requests.length;
    await raw(`GET /plain HTTP/1.1\r\n${AUTH}${SPOOFED.map((line) => `${line}\r\n`).join('')}${more}X-Request-Id: kept\r\n\r\n`);
    expect(JSON.stringify(gateway.facts.slice(judged))).not.toMatch(/admin|127\.0\.0\.9/);
    if (more === '') {
      expect(last()).not.toMatch(/admin|127\.0\.0\.9|cookie/i);
      expect(last()).toContain('x-forwarded-for: 127.0.0.1\r\n');
      expect(last()).toContain('authorization: Bearer s3cret-canary\r\n');
      expect(last()).toContain('x-request-id: kept\r\n');
    } else expect(target.requests.length).toBe(before);
  });
  test('an upgrade that policy allows is refused by name, and recorded as not sent', async () => {
    const answer = await get('/socket', 'Upgrade: websocket\r\n');
    expect(answer.status).toBe(501);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'UNSUPPORTED' });
    expect((await gateway.events()).findLast(({ type }) => type === 'statement.finished')).toMatchObject({ outcome: 'aborted' });
  });
  test('I7: the credential is in no answer, no record and no error; cookies and challenges of the target stay with it', async () => {
    target.reply = (_, socket) =>
      void socket.write(
        'HTTP/1.1 401 Unauthorized\r\nset-cookie: s=1\r\nwww-authenticate: Basic realm=x\r\nalt-svc: h3=":443"\r\ncontent-length: 0\r\n\r\n',
      );
    const answer = await get('/who');
    expect(answer.status).toBe(401);
    expect(answer.all).not.toMatch(/set-cookie|www-authenticate|alt-svc|s3cret/i);
    expect(JSON.stringify(await gateway.events())).not.toContain('s3cret-canary');
    expect(
      [...gateway.journal.disk.payloads.values()].some(
        (bytes) => Buffer.from(bytes).includes('s3cret-canary') || Buffer.from(bytes).includes(HTTP_TOKEN),
      ),
    ).toBe(false);
  });
});

describe('H6, H7: bodies', () => {
  test('an encoded body is not decoded, and not passed on', async () => {
    const answer = await raw(
      `POST /a HTTP/1.1\r\n${AUTH}Content-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
    );
    expect(answer.status).toBe(415);
  });
  test('one byte over the limit is 413, said or found out, and never judged as empty', async () => {
    const small = await startHttpGateway({ upstream: target, target: { limits: { connections: 10, statementBytes: 64, idleMs: 900_000 } } });
    const before = target.requests.length;
    const body = JSON.stringify('x'.repeat(63));
    const head = `POST /a HTTP/1.1\r\n${AUTH}Content-Type: application/json\r\n`;
    expect((await sendRaw(small.port, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)).status).toBe(413);
    expect((await sendRaw(small.port, `${head}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)).status).toBe(
      413,
    );
    const fits = JSON.stringify('x'.repeat(62));
    expect((await sendRaw(small.port, `${head}Content-Length: ${fits.length}\r\n\r\n${fits}`)).status).toBe(200);
    expect(target.requests.length).toBe(before + 1);
    await small[Symbol.asyncDispose]();
  });
});

describe('H9: the target, and nothing else', () => {
  test.each([
    '169.254.169.254',
    '::ffff:169.254.169.254',
    '::ffff:a9fe:a9fe',
    'fe80::1',
    '0.0.0.0',
    '::',
    '100.100.100.200',
    'fd00:ec2::254',
    '64:ff9b::a9fe:a9fe',
    '224.0.0.1',
  ])('a name that leads to %s is not followed', async (address) => {
    const other = await startHttpGateway({ upstream: `http://rebind.test:${target.port}`, resolve: () => Promise.resolve(['127.0.0.1', address]) });
    const before = target.requests.length;
    const answer = await sendRaw(other.port, `GET /a HTTP/1.1\r\n${AUTH}\r\n`);
    expect(answer.status).toBe(502);
    expect(answer.body).not.toContain(address);
    expect(target.requests.length).toBe(before);
    await other[Symbol.asyncDispose]();
  });
  test('what was resolved is what is connected to; pinned addresses are the only ones', async () => {
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const other = await startHttpGateway({ upstream: `http://rebind.test:${target.port}`, resolve: () => Promise.resolve(answers.shift() ?? []) });
    for (let time = 0; time < 3; time++) expect((await sendRaw(other.port, `GET /a HTTP/1.1\r\n${AUTH}\r\n`)).status).toBe(200);
    expect(last()).toContain(`host: rebind.test:${target.port}\r\n`);
    expect(answers).toHaveLength(1);
    await other[Symbol.asyncDispose]();
    const pinned = await startHttpGateway({
      upstream: `http://rebind.test:${target.port}`,
      target: { upstream: { url: `http://rebind.test:${target.port}`, addresses: ['127.0.0.2'] } },
      resolve: () => Promise.resolve(['127.0.0.1']),
    });
    expect((await sendRaw(pinned.port, `GET /a HTTP/1.1\r\n${AUTH}\r\n`)).status).toBe(502);
    await pinned[Symbol.asyncDispose]();
  });
  test('redirects are not followed; one to another authority is not passed on, one within is', async () => {
    const redirect = (location: string): void => {
      target.reply = (_, socket) => void socket.write(`HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
    };
    for (const elsewhere of [
      'http://evil.test/x',
      '//evil.test/x',
      '/\\evil.test',
      'file:///etc/passwd',
      `http://u@127.0.0.1:${target.port}/x`,
      'javascript:alert(1)',
    ]) {
      redirect(elsewhere);
      const answer = await get('/moved');
      expect(answer.status).toBe(502);
      expect(answer.all).not.toContain('evil.test');
    }
    redirect(`http://127.0.0.1:${target.port}/new?x=1`);
    const within = await get('/moved');
    expect(within).toMatchObject({ status: 302, headers: { location: '/new?x=1' } });
  });
  test('a path in front of every request’s stands in front of what is judged, and not in redirects', async () => {
    const other = await startHttpGateway({ upstream: `http://127.0.0.1:${target.port}/v1` });
    target.reply = (_, socket) => void socket.write('HTTP/1.1 301 x\r\nlocation: /v1/there\r\ncontent-length: 0\r\n\r\n');
    const answer = await sendRaw(other.port, `GET /a HTTP/1.1\r\n${AUTH}\r\n`);
    expect(target.requests.at(-1)).toBe('GET /v1/a HTTP/1.1');
    expect(other.facts.at(-1)?.path).toBe('/v1/a');
    expect(answer.headers['location']).toBe('/there');
    await other[Symbol.asyncDispose]();
  });
});

describe('H12: budgets', () => {
  test('a head that is too long, or of too many headers, is 431 and never cut', async () => {
    expect((await get('/a', `X-A: ${'a'.repeat(20_000)}\r\n`)).status).toBe(431);
    expect((await get('/a', Array.from({ length: 150 }, (_, at) => `X-${at}: a\r\n`).join(''))).status).toBe(431);
  });
  test('more requests of a session than are taken at a time', async () => {
    const wait = Promise.withResolvers<void>();
    target.reply = (_, socket) => void wait.promise.then(() => socket.write(OK));
    const answers = Array.from({ length: 70 }, () => get('/slow'));
    const refused: number[] = [];
    for (const one of answers) void one.then(({ status }) => status === 429 && refused.push(status));
    // all of them, before a place is free
    await expect.poll(() => refused.length).toBe(6);
    wait.resolve();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(64);
    expect(statuses.filter((status) => status === 429)).toHaveLength(6);
  });

  test('more connections than the target takes are not even spoken to', async () => {
    const few = await startHttpGateway({ upstream: target, target: { limits: { connections: 2, statementBytes: 1024, idleMs: 900_000 } } });
    const held = [connect(few.port, '127.0.0.1'), connect(few.port, '127.0.0.1')];
    await Promise.all(held.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    expect((await sendRaw(few.port, `GET /a HTTP/1.1\r\n${AUTH}\r\n`)).status).toBe(0);
    for (const socket of held) socket.destroy();
    await few[Symbol.asyncDispose]();
  });
});

describe('answers', () => {
  test('pass chunk by chunk as they come, under back-pressure, with memory that stays where it is', async () => {
    const part = Buffer.alloc(65_536, 'x');
    const parts = 400;
    target.reply = (_, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${part.length * parts}\r\n\r\n`);
      let sent = 0;
      const more = (): void => {
        while (sent < parts) {
          sent++;
          if (!socket.write(part)) return void socket.once('drain', more);
        }
      };
      more();
    };
    const answer = await fetch(`${gateway.url}/large`, { headers: { authorization: `Bearer ${HTTP_TOKEN}` } });
    let bytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) bytes += chunk.length;
    expect(bytes).toBe(part.length * parts);
  });
  test('events arrive while the target goes on', async () => {
    let send: ((text: string) => void) | null = null;
    target.reply = (_, socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n');
      send = (text) => void socket.write(`${text.length.toString(16)}\r\n${text}\r\n`);
      send('data: 1\n\n');
    };
    const abort = new AbortController();
    const answer = await fetch(`${gateway.url}/events`, { headers: { authorization: `Bearer ${HTTP_TOKEN}` }, signal: abort.signal });
    const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('data: 1\n\n');
    (send as ((text: string) => void) | null)?.('data: 2\n\n');
    expect(Buffer.from((await reader.read()).value ?? []).toString()).toBe('data: 2\n\n');
    abort.abort();
    await expect
      .poll(async () => (await gateway.events()).findLast(({ type }) => type === 'statement.finished'))
      .toMatchObject({ outcome: 'cancelled', tag: '200' });
  });
  test('HEAD, 204, 304, an answer until the end of the connection, and one that breaks off', async () => {
    target.reply = (_, socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n');
    expect(await raw(`HEAD /a HTTP/1.1\r\n${AUTH}Connection: close\r\n\r\n`)).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': '11' },
    });
    target.reply = (_, socket) => void socket.write('HTTP/1.1 204 No Content\r\n\r\n');
    expect(await get('/a')).toMatchObject({ status: 204, body: '' });
    target.reply = (_, socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nuntil the end');
    expect(await fetch(`${gateway.url}/a`, { headers: { authorization: `Bearer ${HTTP_TOKEN}` } }).then((answer) => answer.text())).toBe(
      'until the end',
    );
    target.reply = (_, socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort');
    const broken = fetch(`${gateway.url}/a`, { headers: { authorization: `Bearer ${HTTP_TOKEN}` } }).then((answer) => answer.text());
    await expect(broken).rejects.toThrow();
    expect((await gateway.events()).findLast(({ type }) => type === 'statement.finished')).toMatchObject({ outcome: 'unknown' });
  });
  test('a connection that the target closed meanwhile: reading is tried once more, writing is not', async () => {
    const other = await startHttpGateway({ upstream: target });
    const ask = (method: string): Promise<RawAnswer> =>
      sendRaw(other.port, `${method} /x HTTP/1.1\r\n${AUTH}${method === 'POST' ? 'Content-Length: 0\r\n' : ''}Connection: close\r\n\r\n`);
    let closing = false;
    target.reply = (_, socket) => {
      if (!closing) return void socket.write(OK);
      closing = false;
      socket.destroy();
    };
    await ask('GET');
    closing = true;
    expect((await ask('GET')).status).toBe(200);
    closing = true;
    expect((await ask('POST')).status).toBe(502);
    await other[Symbol.asyncDispose]();
  });
});
