/**
 * Nothing is reached that the configuration does not name (issue 5, Operations). The gateway runs in a network namespace of its own, does all that
 * a gateway does, and every address that it asks the kernel for is written down: also what would fail there, and what a child of it tries.
 */
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { canWatch, reached, startWatched, type Watched } from '#test/support/connections';
import { gatewayConfig } from '#test/support/gateway';
import { type PostgresServer, startPostgres } from '#test/support/postgres';
import { root } from '#test/support/processes';
import { execFileSync } from 'node:child_process';

/** Reserved for documentation (RFC 5737): nobody is there. */
const NOBODY = '192.0.2.7';

describe.skipIf(!canWatch())('in a network namespace (needs root, strace, iproute2)', () => {
  let dir: string;
  let server: PostgresServer;
  let socket: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'interlock-namespace-'));
    server = await startPostgres({ major: 15 });
    await server.query('CREATE DATABASE shop');
    appendFileSync(join(server.dataDir, 'pg_hba.conf'), 'local all all scram-sha-256\n');
    await server.query('SELECT pg_reload_conf()');
    socket = join(server.dataDir, `.s.PGSQL.${server.port}`);
  });
  afterAll(async () => {
    await server.stop();
    rmSync(dir, { recursive: true });
  });

  async function started(name: string, config: object): Promise<Watched> {
    const own = join(dir, name);
    mkdirSync(own);
    const data = join(own, 'data.yaml');
    writeFileSync(data, 'guardrails: { read_write: [support] }\n');
    const { port, user, password } = server;
    const whole = gatewayConfig(
      {
        upstream: { host: '127.0.0.1', port, user, password, database: 'shop' },
        policies: { dir: join(root, 'policies'), data: [data], watch: true },
        target: { upstream: { host: server.dataDir, port, databases: ['shop'], tls: { mode: 'off' } } },
        config,
      },
      own,
    );
    const file = join(own, 'interlock.yaml');
    writeFileSync(file, JSON.stringify(whole, null, 2));
    return await startWatched(file, join(own, 'strace'));
  }

  /** A session, statements that are allowed and refused, the API, the console, metrics, and a reload. */
  async function worked({ inside, ready }: Watched, name: string, looksMs: number): Promise<void> {
    const token = execFileSync(process.execPath, [
      join(root, 'engine/cli/main.ts'),
      'token',
      '--login',
      'alice',
      '--group',
      'support',
      '-c',
      join(dir, name, 'interlock.yaml'),
    ]);
    const [host, port] = (ready.targets['shop']?.address ?? '').split(':');
    const done = await inside(
      `import pg from 'pg';
       const token = process.env.TOKEN;
       const client = new pg.Client({ host: '${host}', port: ${port}, user: 'alice', password: token, database: 'shop' });
       await client.connect();
       await client.query('SELECT 1');
       await client.query('DROP TABLE nothing').catch(() => {});
       await client.end();
       for (const path of ['/healthz', '/readyz', '/metrics', '/', '/v1/status'])
         await (await fetch('${ready.api}' + path, { headers: { authorization: 'Bearer ' + token } })).text();
       process.kill(${ready.pid}, 'SIGHUP');
       for (;;) {
         const metrics = await (await fetch('${ready.api}/metrics')).text();
         const age = Number(/^interlock_policy_age_seconds (.*)$/m.exec(metrics)[1]);
         if (performance.now() > ${looksMs} && age < 2.5) break; // policies were looked at again
         await new Promise((resolve) => setTimeout(resolve, 100));
       }
       console.log('done');`,
      { TOKEN: token.toString().trim() },
    );
    expect(done).toBe('done\n');
  }

  test('by default: the target, and nobody else', async () => {
    const watched = await started('default', {});
    await worked(watched, 'default', 3_000);
    expect(await watched.end()).toEqual([socket]);
  }, 120_000);

  test('positive control: where the configuration names a receiver of traces, it is reached, and that is seen', async () => {
    const watched = await started('traces', { operations: { traces: { url: `https://${NOBODY}:4318/v1/traces` } } });
    await worked(watched, 'traces', 0);
    expect((await watched.end()).toSorted()).toEqual([socket, `${NOBODY}:4318`].toSorted());
  }, 120_000);
});

test('what is looked for is found: TCP, UDP, IPv6, sockets by path', () => {
  expect(
    reached(`10 connect(3, {sa_family=AF_INET, sin_port=htons(443), sin_addr=inet_addr("203.0.113.9")}, 16) = -1 ENETUNREACH
11 sendto(4, "..", 2, 0, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.53")}, 16) = 2
12 connect(5, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 0
13 connect(6, {sa_family=AF_UNIX, sun_path="/run/x"}, 110) = 0
14 connect(7, {sa_family=AF_UNIX, sun_path=@"abstract"}, 110) = 0`),
  ).toEqual(['203.0.113.9:443', '10.0.0.53:53', '[2001:db8::1]:443', '/run/x', '@abstract']);
});
