/** How the gateway signs in at an MCP server (H9, I7): tokens of client credentials, signatures, and nothing of either for a client. */
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Lease, LeaseScheme } from '#client/credentials';
import { silentLog, type Log } from '#client/log';
import { signature } from '#enforcers/common/service/sigv4';
import { modern, type RawAnswer } from '#test/support/mcp-clients';
import { MCP_OTHER, MCP_TOKEN, startMcpGateway, type McpGateway } from '#test/support/mcp-gateway';
import { startMcpServer, type TestMcpServer } from '#test/support/mcp-server';

const SECRET = 'canary-of-the-tools';
let server: TestMcpServer;
let front: Server;
let authority: Server;
/** Whether what stands before the server lets a request pass. */
let admits: (request: IncomingMessage, body: Buffer) => boolean;
/** Forms that the authority was sent. */
const forms: { readonly authorization: string; readonly form: string }[] = [];
let issued = 0;
let valid = '';
let authorityUp = true;

beforeAll(async () => {
  server = await startMcpServer();
  front = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      if (!admits(request, body)) return void response.writeHead(401).end();
      const { pathname, port } = new URL(server.url);
      const passed = httpRequest({ port, path: pathname, method: request.method ?? 'GET', headers: request.headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      passed.end(body);
    });
  });
  authority = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      forms.push({ authorization: request.headers.authorization ?? '', form: Buffer.concat(parts).toString() });
      if (!authorityUp) return void response.writeHead(500).end(`${SECRET} is not known here`);
      valid = `${SECRET}-token-${++issued}`;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ access_token: valid, expires_in: 3_600 }));
    });
  });
  for (const one of [front, authority]) await new Promise<void>((resolve) => one.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  for (const one of [front, authority]) {
    one?.closeAllConnections();
    await new Promise((resolve) => one?.close(resolve));
  }
  await server?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  server.ran.length = 0;
  forms.length = 0;
  authorityUp = true;
});

const portOf = (one: Server): number => (one.address() as AddressInfo).port;
const search = (gateway: McpGateway, token = MCP_TOKEN): Promise<RawAnswer> =>
  modern(gateway.url, token, 'tools/call', { name: 'search', arguments: { q: 'x' } });

/** The tools are pinned while everybody may pass. */
async function before(lease: Partial<Lease>, lets: typeof admits): Promise<McpGateway> {
  admits = () => true;
  const gateway = await startMcpGateway({ upstream: { kind: 'http', url: `http://127.0.0.1:${portOf(front)}/mcp?tenant=a%20b` }, lease });
  admits = lets;
  return gateway;
}

test('OAuth: one token for many calls and sessions; calls that meet its end go once more, with one that is fetched anew', async () => {
  const scheme: LeaseScheme = {
    kind: 'oauth_client',
    tokenUrl: `http://127.0.0.1:${portOf(authority)}/token`,
    scope: 'tools',
    audience: 'https://tools',
  };
  const bearer = ({ headers }: IncomingMessage): boolean => headers.authorization === `Bearer ${valid}`;
  await using gateway = await before({ user: 'interlock', password: SECRET, scheme }, bearer);
  const seen: string[] = [];
  for (const token of [MCP_TOKEN, MCP_OTHER, MCP_TOKEN]) {
    const answer = await search(gateway, token);
    expect(answer.body.result, answer.text.slice(0, 200)).toBeDefined();
    seen.push(answer.text);
  }
  expect(forms).toHaveLength(1);
  expect(forms[0]?.form).toBe('grant_type=client_credentials&scope=tools&audience=https%3A%2F%2Ftools');
  expect(Buffer.from(forms[0]?.authorization.slice(6) ?? '', 'base64').toString()).toBe(`interlock:${SECRET}`);
  server.ran.length = 0;
  valid = 'another one, which nobody was given';
  const together = await Promise.all(Array.from({ length: 6 }, () => search(gateway)));
  for (const { body, text } of together) expect(body.result, text.slice(0, 200)).toBeDefined();
  expect(forms).toHaveLength(2);
  expect(server.ran).toHaveLength(6);
  for (const text of [...seen, ...together.map((answer) => answer.text), JSON.stringify(gateway.events())]) expect(text).not.toContain(SECRET);
});

test('OAuth: a call that no token opens is sent twice and no more, and the next begins anew', async () => {
  const scheme: LeaseScheme = { kind: 'oauth_client', tokenUrl: `http://127.0.0.1:${portOf(authority)}/token` };
  let takes = true;
  let calls = 0;
  const bearer = (_: IncomingMessage, body: Buffer): boolean => {
    if (body.includes('tools/call')) calls++;
    return takes;
  };
  await using gateway = await before({ user: 'interlock', password: SECRET, scheme }, bearer);
  expect((await search(gateway)).body.result).toBeDefined();
  [takes, calls] = [false, 0];
  const refused = await search(gateway);
  expect(refused.body.error?.data).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
  expect(refused.text).not.toContain(SECRET);
  expect(calls).toBe(2);
  takes = true;
  expect((await search(gateway)).body.result).toBeDefined();
  expect(server.ran).toHaveLength(2);
});

test('I6: without its token nothing is sent, and the client is not told what the authority said', async () => {
  const scheme: LeaseScheme = { kind: 'oauth_client', tokenUrl: `http://127.0.0.1:${portOf(authority)}/token` };
  await using gateway = await before({ user: 'interlock', password: SECRET, scheme }, () => true);
  valid = '';
  await using other = await before({ user: 'somebody', password: SECRET, scheme }, () => true);
  authorityUp = false;
  // a third credential: nothing of it was fetched before
  await using late = await startMcpGateway({
    upstream: { kind: 'http', url: `http://127.0.0.1:${portOf(front)}/mcp` },
    lease: { user: 'third', password: SECRET, scheme },
    pinned: true,
  });
  const answer = await search(late);
  expect(answer.body.error?.data).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
  expect(answer.text).not.toContain(SECRET);
  expect(server.ran).toEqual([]);
  expect((await search(gateway)).body.result).toBeDefined();
  expect((await search(other)).body.result).toBeDefined();
});

test('SigV4: every request is signed over its own bytes, path and query', async () => {
  const signed = ({ method = '', url = '', headers }: IncomingMessage, body: Buffer): boolean => {
    const { authorization = '' } = headers;
    const names = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(';') ?? [];
    const list = names.map((name) => [name, String(headers[name])] as const);
    const key = { accessKeyId: 'AKIDTEST', secret: SECRET, region: 'eu-west-1', service: 'bedrock-agentcore' };
    return names.includes('host') && names.includes('x-amz-date') && authorization === signature({ method, target: url, headers: list, body }, key);
  };
  const scheme: LeaseScheme = { kind: 'sigv4', region: 'eu-west-1', service: 'bedrock-agentcore' };
  await using gateway = await before({ user: 'AKIDTEST', password: SECRET, scheme }, signed);
  const answer = await search(gateway);
  expect(answer.body.result, answer.text.slice(0, 200)).toBeDefined();
  expect(server.ran).toHaveLength(1);
});

test('a process takes a variable, and no credential that is for HTTP', async () => {
  const command = [process.execPath, '-e', ''];
  const upstream = { kind: 'stdio', command, cwd: process.cwd(), env: {} } as const;
  await using gateway = await startMcpGateway({ upstream, pinned: false, lease: { password: SECRET, scheme: { kind: 'bearer' } } });
  const answer = await modern(gateway.url, MCP_TOKEN, 'tools/list', {});
  expect(answer.body.error?.data).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
});

test('H9: addresses of clouds’ metadata are no servers, whatever the configuration calls them', async () => {
  for (const host of ['169.254.169.254', '[::ffff:169.254.169.254]', '[fd00:ec2::254]', '0.0.0.0']) {
    const said: string[] = [];
    const warn = (fields: { readonly err?: { readonly cause?: unknown } }): void => void said.push(String(fields.err?.cause));
    const log = { ...silentLog, warn } as Log;
    await using gateway = await startMcpGateway({ upstream: { kind: 'http', url: `http://${host}/mcp` }, pinned: false, log });
    const answer = await modern(gateway.url, MCP_TOKEN, 'tools/list', {});
    expect(answer.body.error, host).toMatchObject({ message: 'the server cannot be reached', data: { code: 'TARGET_UNREACHABLE' } });
    expect(said.join(), host).toContain('which is refused');
  }
});
