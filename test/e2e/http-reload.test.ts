/** The description of an API is followed while the gateway runs (issue 5, Operations): the file itself, and which file it is. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Gateway, startGateway } from '#test/support/gateway';
import { type Recorder, startRecorder } from '#test/support/http-gateway';

const POLICY = `package policies.test.described

allow contains {"code": "TEST", "reason": "What is described is allowed."}

deny contains {"code": "UNKNOWN_OPERATION", "reason": "Nobody described it."} if {
	input.stage == "request"
	not input.http.operation.id
}
`;

let dir = '';
let target: Recorder;
let gateway: Gateway;
let token = '';

const described = (...routes: string[]): string => JSON.stringify({ routes: routes.map((route) => ({ route })) });
const routesFile = (): string => join(dir, 'routes.yaml');

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-http-reload-'));
  target = await startRecorder();
  mkdirSync(join(dir, 'policies'));
  writeFileSync(join(dir, 'policies/described.rego'), POLICY);
  writeFileSync(routesFile(), described('GET /orders'));
  gateway = await startGateway({
    dir,
    upstream: { host: '127.0.0.1', port: 1, user: 'x', password: 'x', database: 'x' },
    policies: { dir: join(dir, 'policies') },
    config: {
      targets: {
        shop: {
          protocol: 'http',
          listen: '127.0.0.1:0',
          env: 'test',
          http: { url: `http://127.0.0.1:${target.port}`, routes: routesFile(), credential: { bearer: { file: join(dir, 'upstream-password') } } },
        },
      },
    },
  });
  token = await gateway.token({ login: 'dana', groups: ['developers'] });
});
afterAll(async () => {
  await gateway?.stop();
  await target?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

const status = async (path: string): Promise<number> =>
  (await fetch(`http://${gateway.ready.targets['shop']?.address ?? ''}${path}`, { headers: { authorization: `Bearer ${token}` } })).status;
const soon = { timeout: 15_000, interval: 100 } as const;
/** Of `status`: what needs a restart. */
const waiting = async (): Promise<unknown> => {
  writeFileSync(join(dir, 'dana.token'), token, { mode: 0o600 });
  const { stdout } = await gateway.interlock('status', '--token-file', join(dir, 'dana.token'), '--json');
  return (JSON.parse(stdout) as { restart: unknown }).restart;
};

test('an operation that is added to the file is allowed, and one that is taken out is not, in the open session', async () => {
  expect([await status('/orders'), await status('/refunds')]).toEqual([200, 403]);
  writeFileSync(routesFile(), described('GET /refunds'));
  await expect.poll(() => status('/refunds'), soon).toBe(200);
  expect(await status('/orders')).toBe(403);
});

test('a file with a mistake changes nothing, and says so', async () => {
  writeFileSync(routesFile(), JSON.stringify({ routes: [{ route: 'FETCH /orders' }] }));
  await expect.poll(() => gateway.log(), soon).toContain('routes[0].route');
  expect(await status('/refunds')).toBe(200);
});

test('another file, by SIGHUP; nothing of it needs a restart', async () => {
  writeFileSync(join(dir, 'other.yaml'), described('GET /orders', 'GET /health'));
  const config = readFileSync(gateway.configFile, 'utf8');
  writeFileSync(gateway.configFile, config.replace(JSON.stringify(routesFile()), JSON.stringify(join(dir, 'other.yaml'))));
  gateway.process.kill('SIGHUP');
  await expect.poll(() => status('/health'), soon).toBe(200);
  expect(await waiting()).toEqual([]);
  // which is followed from now on
  writeFileSync(join(dir, 'other.yaml'), described('GET /orders', 'GET /ready'));
  await expect.poll(() => status('/ready'), soon).toBe(200);
});

test('where it is enforced elsewhere, that needs a restart', async () => {
  const config = readFileSync(gateway.configFile, 'utf8');
  writeFileSync(gateway.configFile, config.replace(`127.0.0.1:${target.port}`, '127.0.0.1:9'));
  await expect.poll(waiting, soon).toEqual(['targets.shop.http.url']);
});
