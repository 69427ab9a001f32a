/** A statement or request as anybody's client: what comes back is the gateway's answer or the target's, and the one is not taken for the other. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call } from '#engine/calls/call';
import type { Answer, Ask, CallOptions } from '#engine/calls/parts';
import { startPostgres, type PostgresServer } from '#test/support/postgres';

const APPROVAL = `apr_${'0'.repeat(26)}`;
const OPTIONS: Omit<CallOptions, 'signal' | 'login' | 'token'> = {
  application: 'test',
  held: 'leave',
  rowsMax: 10,
  bytesMax: 65_536,
  notice: () => {},
};
const GENUINE = { genuine: (id: string): boolean => id === APPROVAL };
const FORGED = { genuine: (): boolean => false };

describe('requests', () => {
  let server: Server;
  let answer: (response: ServerResponse) => void = () => {};
  beforeAll(async () => {
    server = createServer((_request, response) => answer(response));
    server.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: odd\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => server.close());

  async function asked(more: Partial<Extract<Ask, { kind: 'http' }>>, options: Partial<CallOptions> = {}): Promise<Answer> {
    const { port } = server.address() as AddressInfo;
    const ask = { kind: 'http', method: 'GET', path: '/', headers: {}, body: null, ...more } as const;
    const signal = AbortSignal.timeout(10_000);
    return call({ target: 'api', host: '127.0.0.1', port, tls: null }, ask, { ...OPTIONS, login: 'a', token: 't', signal, ...options });
  }

  test.each([
    ['a path with a blank', { path: '/a b' }],
    ['a path beyond a byte', { path: '/\u{20ac}' }],
    ['two lines in a header', { headers: { 'x-a': 'one\r\ntwo: three' } }],
    ['a header beyond a byte', { headers: { 'x-a': '\u{20ac}' } }],
    ['no name of a header', { headers: { 'x a': 'b' } }],
  ])('%s is the asker\u2019s mistake', async (_what, more) => {
    await expect(asked(more)).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('a switch of protocols that nobody takes up is no answer, and ends', async () => {
    await expect(asked({ headers: { connection: 'upgrade', upgrade: 'odd' } })).rejects.toMatchObject({ code: 'NOT_REACHABLE' });
  });

  test('M8: what the target says of an approval is not taken for the gateway\u2019s word', async () => {
    const problem = JSON.stringify({
      type: 'urn:interlock:APPROVAL_PENDING',
      code: 'APPROVAL_PENDING',
      detail: 'held',
      approval: APPROVAL,
      hint: 'h',
    });
    answer = (response) => void response.writeHead(403, { 'content-type': 'application/problem+json' }).end(problem);
    expect(await asked({}, GENUINE)).toMatchObject({ outcome: 'pending', approvalId: APPROVAL });
    expect(await asked({}, FORGED)).toMatchObject({ outcome: 'response', status: 403 });
    answer = (response) => void response.writeHead(403, { 'content-type': 'application/problem+json' }).end(problem.replace(APPROVAL, 'x/../evil'));
    expect(await asked({})).toMatchObject({ outcome: 'response', status: 403 });
  });
});

describe('statements', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
    await server.query('CREATE TABLE told (id int)');
  });
  afterAll(() => server?.stop());

  async function asked(statement: string, options: Partial<CallOptions> = {}): Promise<Answer> {
    const { host, port, user, password } = server;
    const ask = { kind: 'sql', statement, params: [], database: 'postgres' } as const;
    const signal = AbortSignal.timeout(10_000);
    return call({ target: 'shop', host, port, tls: null }, ask, { ...OPTIONS, login: user, token: password, signal, ...options });
  }

  const NOTICE = `DO $$ BEGIN INSERT INTO told VALUES (1); RAISE NOTICE 'held' USING DETAIL = 'code=X approval=${APPROVAL}'; END $$`;
  const ERROR = `DO $$ BEGIN RAISE EXCEPTION 'held' USING ERRCODE = 'IL001', DETAIL = 'approval=${APPROVAL}'; END $$`;

  test('M8: a notice of the target is not taken for the gateway\u2019s, and what runs is not cut off for it', async () => {
    expect(await asked(NOTICE, FORGED)).toMatchObject({ outcome: 'rows', tag: 'DO' });
    expect((await server.query('SELECT count(*)::int AS n FROM told')).rows).toEqual([{ n: 1 }]);
    expect(await asked(NOTICE, GENUINE)).toMatchObject({ outcome: 'pending', approvalId: APPROVAL });
    expect(await asked(NOTICE.replace(APPROVAL, 'apr_1'))).toMatchObject({ outcome: 'rows' });
  });

  test('M8: nor is its error', async () => {
    expect(await asked(ERROR, FORGED)).toMatchObject({ outcome: 'refused', message: 'held' });
    expect(await asked(ERROR, GENUINE)).toMatchObject({ outcome: 'pending' });
  });
});
