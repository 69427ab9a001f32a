/** Issue 6: an agent has each ceiling once over the enforcers of one engine, within two seconds. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startGateway, type Gateway } from '#test/support/gateway';
import { type Recorder, startRecorder } from '#test/support/http-gateway';
import { root } from '#test/support/processes';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 });

let dir: string;
let api: Recorder;
let gateway: Gateway;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-agent-apart-'));
  api = await startRecorder((request, socket) => {
    const body = request.startsWith('GET /none ') ? '[]' : '[{"id":1},{"id":2},{"id":3}]';
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  });
  writeFileSync(join(dir, 'routes.yaml'), 'routes: [{ route: "GET /things", id: listThings }, { route: "GET /none", id: listNone }]\n');
  writeFileSync(join(dir, 'data.yaml'), 'guardrails: { read_write: [developers] }\nagents: { defaults: { rows_per_hour: 3 } }\n');
  const target = {
    protocol: 'http',
    listen: '127.0.0.1:0',
    env: 'test',
    http: { url: `http://127.0.0.1:${api.port}`, routes: join(dir, 'routes.yaml') },
  };
  gateway = await startGateway({
    upstream: { host: '127.0.0.1', port: 1, user: 'x', password: 'x', database: 'x' },
    policies: { dir: join(root, 'policies'), data: [join(dir, 'data.yaml')] },
    config: { targets: { one: target, two: target } },
    shape: 'apart-local',
  });
});
afterAll(async () => {
  await gateway?.stop();
  await api?.[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

test('what it read at one enforcer it may not read at the other', async () => {
  const token = await gateway.token({ login: 'bot', groups: ['developers'], type: 'agent', for: 'dana' });
  const ask = (target: string, path: string): Promise<Response> =>
    fetch(`http://${gateway.ready.targets[target]?.address ?? ''}${path}`, { headers: { authorization: `Bearer ${token}` } });
  expect((await ask('two', '/none')).status).toBe(200);
  expect((await ask('one', '/things')).status).toBe(200);
  // there it reads nothing at all: what stands in the way was read at the other
  const code = async (): Promise<unknown> => {
    const answer = await ask('two', '/none');
    return answer.status === 403 ? ((await answer.json()) as { code: string }).code : answer.status;
  };
  await expect.poll(code, { timeout: 20_000, interval: 250 }).toBe('AGENT_ROWS');
});
