/** The public conformance suite of MCP: whatever passes at the server passes through the gateway (issue 6). */
import { execFile } from 'node:child_process';
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { MCP_TOKEN, startMcpGateway } from '#test/support/mcp-gateway';
import { startModernServer } from '#test/support/mcp-modern-server';
import { startScenariosServer } from '#test/support/mcp-scenarios-server';

const suite = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist', 'index.js');

/** By scenario: whether all of its checks passed. */
function run(url: string, version: string): Promise<Map<string, boolean>> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [suite, 'server', '--url', url, '--suite', 'active', '--spec-version', version],
      { maxBuffer: 16 << 20 },
      (_error, stdout) => {
        resolve(new Map([...stdout.matchAll(/^([✓✗]) ([a-z0-9-]+): \d+ passed/gm)].map(([, mark, name = '']) => [name, mark === '✓'])));
      },
    );
  });
}

/** Of one scenario of the newest protocol: each check, in order, with its status. */
function checks(url: string, scenario: string): Promise<readonly string[]> {
  const asked = ['server', '--url', url, '--scenario', scenario, '--spec-version', '2026-07-28', '--verbose'];
  return new Promise((resolve) => {
    execFile(process.execPath, [suite, ...asked], { maxBuffer: 16 << 20 }, (_error, stdout) => {
      const found = stdout.matchAll(/^ {4}"id": "([^"]+)",[\s\S]*?^ {4}"status": "([A-Z]+)"/gm);
      resolve([...found].map(([, id, status]) => `${id ?? ''} ${status ?? ''}`));
    });
  });
}

/** The suite has no token: what stands between adds one, and speaks to the gateway by its own name. */
async function withToken(url: string): Promise<AsyncDisposable & { readonly url: string }> {
  const { hostname, port, pathname, host } = new URL(url);
  const relay = createServer((asked, answer) => {
    const own = `127.0.0.1:${(relay.address() as AddressInfo).port}`;
    const named = (value: string): string =>
      value.replace(/(127\.0\.0\.1|localhost):\d+/, (found) => (found.endsWith(own.split(':')[1] ?? '') ? host : found));
    const origin = asked.headers.origin === undefined ? {} : { origin: named(asked.headers.origin) };
    const headers = { ...asked.headers, host: named(asked.headers.host ?? ''), ...origin, authorization: `Bearer ${MCP_TOKEN}` };
    const sent = request({ host: hostname, port, path: pathname, method: asked.method ?? 'GET', headers }, (response) => {
      answer.writeHead(response.statusCode ?? 500, response.headers);
      response.pipe(answer);
    });
    sent.on('error', () => answer.destroy());
    answer.on('close', () => sent.destroy());
    asked.pipe(sent);
  });
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      relay.close(() => resolve());
      relay.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}/mcp`, [Symbol.asyncDispose]: close };
}

test.each(['2025-11-25'])(
  'whatever passes at a server passes through the gateway too (%s)',
  async (version) => {
    await using server = await startScenariosServer();
    await using gateway = await startMcpGateway({
      upstream: { kind: 'http', url: server.url },
      target: { fromServer: { sampling: true, elicitation: true, roots: true, logging: true } },
    });
    await using relay = await withToken(gateway.url);
    const direct = await run(server.url, version);
    const through = await run(relay.url, version);
    const passing = [...direct].flatMap(([name, passed]) => (passed ? [name] : []));
    expect(passing.length).toBeGreaterThanOrEqual(20);
    expect(passing.filter((name) => through.get(name) !== true)).toEqual([]);
  },
  120_000,
);

test('a server without sessions is one through the gateway too, check by check (2026-07-28)', async () => {
  await using server = await startModernServer();
  await using gateway = await startMcpGateway({ upstream: { kind: 'http', url: server.url } });
  await using relay = await withToken(gateway.url);
  const direct = await checks(server.url, 'server-stateless');
  expect(direct.filter((check) => check.endsWith('SUCCESS')).length).toBeGreaterThanOrEqual(20);
  expect(await checks(relay.url, 'server-stateless')).toEqual(direct);
}, 60_000);
