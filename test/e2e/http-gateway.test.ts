/** An HTTP target of a real gateway, in one process or apart: configuration, description, credential, the shipped policies, approvals, the record. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, startGateway } from '#test/support/gateway';
import { cli } from '#test/support/processes';
import { type Recorder, startRecorder } from '#test/support/http-gateway';

const SECRET = 'canary-of-the-billing-api';
let dir = '';
let target: Recorder;
let authority: Recorder;
let gateway: Gateway;
let token = '';

const answerOf = (body: string): string => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-http-'));
  target = await startRecorder(
    (request, socket) => void socket.write(answerOf(request.startsWith('GET /customers ') ? '[{"id":7},{"id":8}]' : '{"id":7,"ssn":"123-45-6789"}')),
  );
  authority = await startRecorder((_, socket) => void socket.end(answerOf(`{"access_token":"${SECRET}-token","expires_in":3600}`)));
  writeFileSync(join(dir, 'secret'), SECRET, { mode: 0o600 });
  writeFileSync(
    join(dir, 'openapi.yaml'),
    `
openapi: 3.1.0
paths:
  /customers: { get: { operationId: listCustomers, responses: {} } }
  /customers/{id}:
    get:
      operationId: getCustomer
      responses: { "200": { content: { application/json: { schema: { $ref: "#/components/schemas/Customer" } } } } }
  /refunds:
    post: { operationId: createRefund, requestBody: { content: { application/json: {} } }, responses: {} }
  /purge: { post: { operationId: purge, x-interlock-class: admin } }
components: { schemas: { Customer: { properties: { id: { type: integer }, ssn: { type: string } } } } }
`,
  );
  writeFileSync(
    join(dir, 'data.yaml'),
    'guardrails: { read_write: [developers], read_only: [analysts] }\nagents: { defaults: { rows_per_hour: 3 } }\n',
  );
  const http = (more: object): object => ({
    protocol: 'http',
    listen: '127.0.0.1:0',
    env: 'test',
    http: { url: `http://127.0.0.1:${target.port}`, openapi: join(dir, 'openapi.yaml'), ...more },
  });
  gateway = await startGateway({
    upstream: { host: '127.0.0.1', port: 1, user: 'x', password: SECRET, database: 'x' },
    policies: { dir: join(import.meta.dirname, '../../policies'), data: [join(dir, 'data.yaml')] },
    config: {
      targets: {
        shop: http({ credential: { header: { name: 'X-Service-Key', value: { file: join(dir, 'secret') } } } }),
        tokens: http({
          credential: {
            oauth_client: {
              token_url: `http://127.0.0.1:${authority.port}/token`,
              client_id: 'interlock',
              client_secret: { file: join(dir, 'secret') },
            },
          },
        }),
      },
    },
  });
  token = await gateway.token({ login: 'dana', groups: ['developers'] });
});
afterAll(async () => {
  await gateway?.stop();
  await target?.[Symbol.asyncDispose]();
  await authority?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const ask = (path: string, init: RequestInit = {}, of = 'shop', mine = token): Promise<Response> =>
  fetch(`http://${gateway.ready.targets[of]?.address ?? ''}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${mine}`, ...(init.headers as Record<string, string> | undefined) },
  });

describe('an API of the configuration', () => {
  test('is read through its description; the credential is added on the way', async () => {
    const answer = await ask('/customers/7');
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual({ id: 7, ssn: '123-45-6789' });
    expect(target.received).toContain(`x-service-key: ${SECRET}\r\n`);
    expect(target.received).not.toContain(token);
  });

  test('I3: what guardrails refuse does not reach it, with a hint', async () => {
    const before = target.requests.length;
    expect(await (await ask('/admin/users')).json()).toMatchObject({ status: 403, code: 'UNKNOWN_OPERATION', hint: expect.any(String) as string });
    expect(await (await ask('/purge', { method: 'POST' })).json()).toMatchObject({ code: 'ADMIN_OPERATION' });
    expect((await ask('/customers/7;x=1')).status).toBe(400);
    const analyst = await gateway.token({ login: 'ana', groups: ['analysts'] });
    const write = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } };
    expect(await (await ask('/refunds', write, 'shop', analyst)).json()).toMatchObject({ code: 'READ_ONLY' });
    const stranger = await gateway.token({ login: 'eve' });
    expect(await (await ask('/customers/7', {}, 'shop', stranger)).json()).toMatchObject({ code: 'NOT_A_MEMBER' });
    expect(target.requests.length).toBe(before);
  });

  test('issue 6: an agent is refused once it read its rows; who is none is not counted', async () => {
    const agent = await gateway.token({ login: 'bot', groups: ['developers'], type: 'agent', for: 'dana' });
    const statuses: number[] = [];
    for (const path of ['/customers', '/customers/7', '/customers/8', '/customers']) statuses.push((await ask(path, {}, 'shop', agent)).status);
    expect(statuses).toEqual([200, 200, 403, 403]); // two, and one: the third call finds three
    expect(await (await ask('/customers', {}, 'shop', agent)).json()).toMatchObject({ code: 'AGENT_ROWS', hint: expect.any(String) as string });
    expect((await ask('/customers')).status).toBe(200);
  });

  test('OAuth: a token of client credentials, once for many', async () => {
    for (let time = 0; time < 3; time++) expect((await ask('/customers/1', {}, 'tokens')).status).toBe(200);
    expect(authority.requests).toEqual(['POST /token HTTP/1.1']);
    expect(target.received).toContain(`authorization: Bearer ${SECRET}-token\r\n`);
  });

  test('OAuth: a write that meets the end of its token goes once more with another; the service’s own 401 passes as it is', async () => {
    const reply = target.reply;
    const unauthorized = (challenge: string): string => `HTTP/1.1 401 Unauthorized\r\nwww-authenticate: ${challenge}\r\ncontent-length: 2\r\n\r\n{}`;
    const write = { method: 'POST', body: '{"amount":5}', headers: { 'content-type': 'application/json' } };
    const refunds = async (challenges: readonly string[]): Promise<{ status: number; sent: number; fetched: number }> => {
      const left = [...challenges];
      const [sent, fetched] = [target.requests.length, authority.requests.length];
      target.reply = (request, socket): void => {
        const challenge = left.shift();
        if (challenge === undefined) reply(request, socket);
        else socket.write(unauthorized(challenge));
      };
      const answer = await ask('/refunds', write, 'tokens');
      expect(answer.headers.get('www-authenticate')).toBeNull();
      await answer.text();
      return { status: answer.status, sent: target.requests.length - sent, fetched: authority.requests.length - fetched };
    };
    try {
      const ended = 'Bearer realm="x", error="invalid_token"';
      await refunds([]); // a token is known
      expect(await refunds([ended])).toEqual({ status: 200, sent: 2, fetched: 1 });
      expect(await refunds([ended, ended])).toEqual({ status: 401, sent: 2, fetched: 1 });
      expect(await refunds(['Basic realm="x"'])).toEqual({ status: 401, sent: 1, fetched: 1 });
    } finally {
      target.reply = reply;
    }
  });

  test('I7: neither secret nor token stands in the log or in the journal', async () => {
    await (await ask('/customers/7')).text();
    // segments are large: what they hold is looked for, and never printed
    const segments = readdirSync(gateway.dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.seg'))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
    const hold = (text: string): boolean => segments.some((bytes) => bytes.includes(text));
    expect([hold('/customers/7'), hold(SECRET), hold(token)]).toEqual([true, false, false]);
    expect(gateway.log()).not.toContain(SECRET);
    expect(gateway.log()).not.toContain(token);
  });
});

test('mistakes in the section of an API are told in one sentence each', async () => {
  const bad = mkdtempSync(join(tmpdir(), 'interlock-http-bad-'));
  const file = join(bad, 'interlock.yaml');
  writeFileSync(
    file,
    `contract: 1
policies: { source: { dir: . } }
targets:
  api:
    protocol: http
    listen: 127.0.0.1:0
    http: { url: "https://user:pw@api.test/?x=1", openapi: a.yaml, routes: b.yaml, credential: { env: { name: X, value: { env: Y } } }, headers: { set: { Host: x } } }
`,
  );
  const { status, stderr } = spawnSync(process.execPath, [cli, 'up', '-c', file], { encoding: 'utf8', timeout: 30_000 });
  expect(status).not.toBe(0);
  const said = stderr;
  for (const part of ['holds a credential', 'has a query', 'stands beside `openapi`', 'is for programs', 'is set by the gateway itself'])
    expect(said).toContain(part);
  rmSync(bad, { recursive: true, force: true });
});
