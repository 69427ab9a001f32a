/** Every ordinary client sees through the gateway, under allow-all, the bytes that it sees directly; each exception stands with its reason in differences.yaml. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { startGateway, type Gateway } from '#test/support/gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startRelay } from '#test/support/relay';
import { CLIENTS, type ClientScript, type Endpoint } from './clients.ts';
import { render, serverMessages } from './messages.ts';

interface Difference {
  readonly client: string;
  readonly direct: string;
  readonly gated: string;
  readonly reason: string;
}

const here = dirname(fileURLToPath(import.meta.url));
const differences = (parse(readFileSync(join(here, 'differences.yaml'), 'utf8')) as { differences: readonly Difference[] }).differences;
const used = new Set<Difference>();
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0;

const SCHEMA = `
  CREATE TABLE orders (id int PRIMARY KEY, customer_id int, item text, qty int DEFAULT 1);
  INSERT INTO orders VALUES (1, 1, 'book', 2), (2, 2, 'pen', 5), (3, 3, 'lamp', 1);
  CREATE TABLE notes (id serial PRIMARY KEY, body text);
  CREATE SEQUENCE ticks;`;

let server: PostgresServer;
let gateway: Gateway;
let token: string;

beforeAll(async () => {
  server = await startPostgres({ major: 15 });
  await server.query('CREATE DATABASE pristine');
  await server.query(SCHEMA, 'pristine');
  if (has('pgbench')) spawnSync('pgbench', ['-i', '-q', server.url('pristine')]);
  await reset();
  gateway = await startGateway({
    upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'conformance' },
    policies: { dir: join(here, '..', 'policies', 'allow-all') },
  });
  token = await gateway.token({ login: 'alice', groups: ['app'] });
});
afterAll(async () => {
  await gateway?.stop();
  await server?.stop();
});

describe('transparency under allow-all', () => {
  for (const script of CLIENTS) {
    test.skipIf(script.needs !== null && !has(script.needs))(`${script.name}: gated bytes equal direct bytes`, async () => {
      const direct = await record(script, {
        host: server.host,
        port: server.port,
        user: server.user,
        password: server.password,
        database: 'conformance',
      });
      const gated = await record(script, { host: gateway.host, port: gateway.port, user: 'alice', password: token, database: 'conformance' });
      expect(unexplained(script.name, direct, gated)).toEqual([]);
      expect(direct.flat().length).toBeGreaterThan(3);
    });
  }

  test('every difference that is listed still occurs', () => {
    expect(differences.filter((difference) => !used.has(difference))).toEqual([]);
  });
});

/** One line a message, for each connection; the client runs on a database as it was. */
async function record(script: ClientScript, endpoint: Endpoint): Promise<readonly (readonly string[])[]> {
  await reset();
  await using relay = await startRelay(endpoint);
  await script.run({ ...endpoint, host: relay.host, port: relay.port });
  return relay.connections.map((connection) => serverMessages(connection.answered()).map(render));
}

async function reset(): Promise<void> {
  await server.query('DROP DATABASE IF EXISTS conformance WITH (FORCE)');
  await server.query('CREATE DATABASE conformance TEMPLATE pristine');
}

/** Lines that differ and that no entry explains. Start-up parameters come in any order. */
function unexplained(client: string, direct: readonly (readonly string[])[], gated: readonly (readonly string[])[]): readonly string[] {
  const found: string[] = [];
  for (let index = 0; index < Math.max(direct.length, gated.length); index++) {
    const [left, right] = [ordered(direct[index] ?? []), ordered(gated[index] ?? [])];
    for (let line = 0; line < Math.max(left.length, right.length); line++) {
      const [was, is] = [left[line] ?? '(nothing)', right[line] ?? '(nothing)'];
      if (was === is) continue;
      const entry = differences.find(
        (each) => new RegExp(each.client).test(client) && new RegExp(each.direct).test(was) && new RegExp(each.gated).test(is),
      );
      if (entry) used.add(entry);
      else found.push(`direct: ${was}\n gated: ${is}`);
    }
  }
  return found;
}

function ordered(lines: readonly string[]): readonly string[] {
  const ready = lines.findIndex((line) => line.startsWith('Z'));
  const greeting = lines.slice(0, ready).filter((line) => !/^[RK]/.test(line));
  return [...greeting.sort(), ...lines.slice(Math.max(0, ready))];
}
