/** What a connection said before spares work only where it says the very same again, and only while it still holds (SECURITY H1, H4). */
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { HTTP_TOKEN, type HttpGateway, OK, type Recorder, startHttpGateway, startRecorder } from '#test/support/http-gateway';
import { principal } from '#test/support/postgres-gateway';

let target: Recorder;
let gateway: HttpGateway;
let client: Client;
beforeAll(async () => {
  target = await startRecorder((_, socket) => void socket.write(OK));
  gateway = await startHttpGateway({ upstream: target });
});
afterEach(() => client?.end());
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await target?.[Symbol.asyncDispose]();
});

/** One connection; each request is sent when the answer before it is whole. */
class Client {
  readonly #socket = connect(gateway.port, '127.0.0.1');
  #all = '';
  #wake: () => void = () => {};

  constructor() {
    this.#socket.on('data', (bytes) => {
      this.#all += bytes.toString('latin1');
      this.#wake();
    });
    this.#socket.on('error', () => {});
  }

  /** The status of its answer. */
  async ask(path: string, token: string, more = ''): Promise<number> {
    this.#all = '';
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: api.internal\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`);
    for (;;) {
      const [, length] = /content-length: (\d+)\r\n/.exec(this.#all) ?? [];
      const end = this.#all.indexOf('\r\n\r\n');
      if (end >= 0 && length !== undefined && this.#all.length >= end + 4 + Number(length)) return Number(this.#all.slice(9, 12));
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  end(): void {
    this.#socket.destroy();
  }
}

const principals = (): (string | undefined)[] => gateway.enforcer.sessions().map(({ subject }) => subject.properties.login);
const sentBy = (path: string): string => target.connections.find((bytes) => bytes.includes(`GET ${path} `)) ?? '';

test('headers of the same length with another byte are read anew: another token is another principal, another value another request', async () => {
  const other = `${HTTP_TOKEN.slice(0, -1)}3`;
  gateway.tokens.set(other, principal('bob'));
  client = new Client();
  expect(await client.ask('/as-alice', HTTP_TOKEN, 'X-Mark: a\r\n')).toBe(200);
  expect(await client.ask('/as-bob', other, 'X-Mark: a\r\n')).toBe(200);
  expect(await client.ask('/as-alice-again', HTTP_TOKEN, 'X-Mark: b\r\n')).toBe(200);
  expect(await client.ask('/as-alice-thrice', HTTP_TOKEN, 'X-Mark: b\r\n')).toBe(200);
  expect(new Set(principals())).toEqual(new Set(['alice', 'bob']));
  expect(sentBy('/as-bob')).not.toContain('/as-alice');
  expect(sentBy('/as-alice-again')).toMatch(/GET \/as-alice-again [^]*x-mark: b\r\n[^]*GET \/as-alice-thrice [^]*x-mark: b\r\n/);
  expect(gateway.facts.slice(-4).map(({ path, headers }) => [path, headers['x-mark']])).toEqual([
    ['/as-alice', ['a']],
    ['/as-bob', ['a']],
    ['/as-alice-again', ['b']],
    ['/as-alice-thrice', ['b']],
  ]);
});

test('the same headers with another method or path are another request, and are refused where they must be', async () => {
  client = new Client();
  expect(await client.ask('/fine', HTTP_TOKEN)).toBe(200);
  expect(await client.ask('//twice', HTTP_TOKEN)).toBe(400);
  expect(await client.ask('/fine', HTTP_TOKEN)).toBe(200);
  expect(target.received).not.toContain('//twice');
});

test('a session that ended is not used again: the next request opens one, or is refused with its token', async () => {
  gateway.tokens.set('leaves', principal('carol'));
  client = new Client();
  expect(await client.ask('/first', 'leaves')).toBe(200);
  const first = gateway.enforcer.sessions().find(({ subject }) => subject.properties.login === 'carol')?.session_id ?? '';
  gateway.enforcer.terminate(first);
  expect(await client.ask('/second', 'leaves')).toBe(200);
  const second = gateway.enforcer.sessions().find(({ subject }) => subject.properties.login === 'carol')?.session_id ?? '';
  expect(second).not.toBe(first);
  gateway.tokens.delete('leaves');
  gateway.enforcer.terminate(second);
  expect(await client.ask('/third', 'leaves')).toBe(401);
  expect(target.received).not.toContain('/third');
});

test('a token that ends while its connection is kept ends what it may', async () => {
  gateway.tokens.set('short', principal('dave', { expiresAtMs: Date.now() + 400 }));
  client = new Client();
  expect(await client.ask('/early', 'short')).toBe(200);
  let status = 200;
  while (status === 200) status = await client.ask('/early', 'short');
  expect(status).toBe(401);
});
