/**
 * I7: a credential of its own for each kind of source is looked for, in every spelling, in all that leaves or stays: what clients are sent, what goes
 * to NATS and lies there, journals and state, log and output, the API, arguments of processes. While it works, and while it fails.
 */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Gateway, gatewayConfig, startGateway } from '#test/support/gateway';
import { somebody, STREAMS, TestNats, until } from '#test/support/nats';
import { openBaoProgram, type BaoServer, HOW_TO_GET_IT, startOpenBao } from '#test/support/openbao';
import { type PostgresServer, startPostgres } from '#test/support/postgres';
import { type Relay, startRelay } from '#test/support/relay';
import type { Shape } from '#test/support/shapes';

const program = await openBaoProgram();
const KINDS = ['file', 'env', 'exec', 'vault'] as const;
type Kind = (typeof KINDS)[number];

interface Canary {
  readonly kind: Kind;
  readonly password: string;
  /** Where it may stand: nothing else of the folder holds it. */
  readonly file: string;
}

/** Every spelling in which somebody might let it out. */
function spellings({ password }: Canary): readonly string[] {
  const bytes = Buffer.from(password);
  const inBase64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );
  const uuid = password.slice(-36);
  return [password, uuid, JSON.stringify(password).slice(1, -1), encodeURIComponent(password), bytes.toString('hex'), ...inBase64];
}

describe.skipIf(program === null)(`canaries (${HOW_TO_GET_IT})`, () => {
  let server: PostgresServer;
  let bao: BaoServer;
  let dir: string;
  const canaries: Canary[] = [];
  const sent: { readonly where: string; readonly bytes: Buffer }[] = [];
  const argv = new Set<string>();
  const clients: Relay[] = [];

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'interlock-canary-'));
    [bao, server] = await Promise.all([startOpenBao(program ?? ''), startPostgres({ major: 15 })]);
    mkdirSync(join(dir, 'secrets'));
    for (const kind of KINDS) {
      const canary = { kind, password: `c"n\\ry%${kind}-${randomUUID()}`, file: join(dir, 'secrets', kind) };
      writeFileSync(canary.file, kind === 'exec' ? `#!/bin/sh\ncat <<'END'\n${canary.password}\nEND\n` : canary.password, { mode: 0o600 });
      await server.query(`CREATE ROLE role_${kind} LOGIN PASSWORD '${canary.password}'`);
      canaries.push(canary);
    }
    chmodSync(join(dir, 'secrets', 'exec'), 0o700);
    await bao.ask('POST', 'secret/data/shop', { data: { password: passwordOf('vault') } });
    writeFileSync(join(dir, 'secrets', 'token'), bao.rootToken, { mode: 0o600 });
  });
  afterAll(async () => {
    await bao?.stop();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const passwordOf = (kind: Kind): string => canaries.find((canary) => canary.kind === kind)?.password ?? '';

  function credentialOf(kind: Kind): object {
    const file = join(dir, 'secrets', kind);
    const password = {
      file: { file },
      env: { env: 'CANARY_PASSWORD' },
      exec: { exec: [file] },
      vault: { vault: { path: 'shop', field: 'password' } },
    }[kind];
    return { user: `role_${kind}`, password };
  }

  /** Where it stands, by canary; nothing: it is kept. */
  function found(bytes: Buffer, where: string, ours: readonly Canary[] = canaries): string[] {
    return ours.flatMap((canary) =>
      spellings(canary)
        .filter((spelling) => bytes.includes(spelling))
        .map((spelling) => `${canary.kind} as ${spelling} in ${where}`),
    );
  }

  function foundInFolder(folder: string): string[] {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return foundInFolder(path);
      return entry.isFile() && statSync(path).size < 256 << 20 ? found(readFileSync(path), path) : [];
    });
  }

  function watchArguments(): () => void {
    const timer = setInterval(() => {
      for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
          argv.add(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
        } catch {
          // it ended meanwhile
        }
      }
    }, 20);
    return () => clearInterval(timer);
  }

  async function clientOf(gateway: Gateway, token: string, target: string): Promise<pg.Client> {
    const [host = '', port = ''] = (gateway.ready.targets[target]?.address ?? '').split(':');
    const relay = await startRelay(
      { host, port: Number(port) },
      (from, bytes) => void sent.push({ where: `client of ${target}, from ${from}`, bytes }),
    );
    clients.push(relay);
    return new pg.Client({ host: relay.host, port: relay.port, user: 'alice', password: token, database: 'postgres' });
  }

  async function says(client: pg.Client, sql: string): Promise<string> {
    return await client.query(sql).then(
      ({ rows }) => JSON.stringify(rows),
      (error: Error) => `${error.message} ${JSON.stringify(error)}`,
    );
  }

  test('the search finds each in the one place where it is', () => {
    for (const canary of canaries) {
      expect(found(readFileSync(canary.file), canary.file).length, canary.kind).toBeGreaterThan(0);
      for (const spelling of spellings(canary)) expect(found(Buffer.from(`…${spelling}…`), 'x').length).toBeGreaterThan(0);
      const base64 = Buffer.from(`user\0${canary.password}\0more`).toString('base64');
      expect(found(Buffer.from(base64), 'x')).not.toEqual([]);
    }
  });

  test.each([
    ['up', KINDS],
    ['apart-local', ['file', 'vault']],
  ] as const)('%s: kept, whatever happens', { timeout: 120_000 }, async (shape: Shape, kinds: readonly Kind[]) => {
    const home = mkdtempSync(join(dir, 'gateway-'));
    const [forwarder, setup] = [somebody('engine', 'one'), somebody('setup', 'setup')];
    await using nats = await TestNats.start({ grants: [forwarder, setup] });
    await nats.setUp(setup);
    await using wire = await startRelay(
      { host: '127.0.0.1', port: nats.port },
      (from, bytes) => void sent.push({ where: `NATS, from ${from}`, bytes }),
    );
    writeFileSync(join(home, 'seed'), forwarder.seed, { mode: 0o600 });
    const upstream = { host: server.host, port: server.port, user: 'unused', password: 'unused-by-all', database: 'postgres' };
    const targetOf = (kind: Kind): object =>
      (gatewayConfig({ upstream, target: { credential: credentialOf(kind) } }, home) as { targets: { shop: object } }).targets.shop;
    const stop = watchArguments();
    const gateway = await startGateway({
      shape,
      upstream,
      dir: home,
      policies: { dir: join(import.meta.dirname, '..', 'policies', 'allow-all') },
      env: { CANARY_PASSWORD: passwordOf('env') },
      config: {
        log: { level: 'debug' },
        nats: { servers: [`nats://127.0.0.1:${wire.port}`], credentials: { file: join(home, 'seed') }, streams: STREAMS },
        vault: { address: bao.address, ca: bao.caFile, auth: { token: { file: join(dir, 'secrets', 'token') } } },
        targets: Object.fromEntries(kinds.map((kind) => [kind, targetOf(kind)])),
      },
    });
    const open: pg.Client[] = [];
    const token = await gateway.token({ login: 'alice', groups: ['support'] });
    try {
      for (const kind of kinds) {
        const client = await clientOf(gateway, token, kind);
        await client.connect();
        open.push(client);
        expect(await says(client, 'SELECT current_user AS me')).toContain(`role_${kind}`);
        for (const sql of [
          'SELEKT',
          'SELECT * FROM pg_authid',
          "SELECT current_setting('is_superuser')",
          'SELECT 1/0',
          'SHOW ALL',
          'SELECT usename, passwd FROM pg_shadow',
        ])
          await says(client, sql);
      }
      // the target no longer takes it
      for (const kind of kinds) {
        await server.query(`ALTER ROLE role_${kind} PASSWORD 'another'`);
        const client = await clientOf(gateway, token, kind);
        await expect(client.connect(), kind).rejects.toThrow();
        await server.query(`ALTER ROLE role_${kind} PASSWORD '${passwordOf(kind)}'`);
      }
      // the source fails, and says it while it does
      if (kinds.includes('exec')) {
        writeFileSync(join(dir, 'secrets', 'exec'), `#!/bin/sh\necho 'wrong: ${passwordOf('exec')}' >&2\necho '${passwordOf('exec')}'\nexit 3\n`);
        await expect((await clientOf(gateway, token, 'exec')).connect()).rejects.toThrow('The target’s credential could not be had.');
      }
      const reader = join(home, 'reader.token');
      writeFileSync(reader, await gateway.token({ login: 'bob', groups: ['owners'], scope: 'approve' }), { mode: 0o600 });
      const asked = [
        await gateway.interlock('events', '--token-file', reader, '--json'),
        await gateway.interlock('status', '--token-file', reader, '--json'),
        await gateway.interlock('doctor', kinds[0] as string, '--json'),
      ];
      for (const { stdout, stderr } of asked) sent.push({ where: 'a command', bytes: Buffer.from(stdout + stderr) });
      await until(
        () => sent.some(({ where, bytes }) => where === 'NATS, from client' && bytes.includes('audit.')),
        20_000,
        'a record on its way to NATS',
      );
    } finally {
      await Promise.all(open.map((client) => client.end()));
      await Promise.all(clients.splice(0).map((relay) => relay.stop()));
      await gateway.stop(); // keeps the folder
      stop();
    }
    sent.push({ where: 'log', bytes: Buffer.from(gateway.log()) });
    const leaks = [
      ...sent.flatMap(({ where, bytes }) => found(bytes, where)),
      ...foundInFolder(home),
      ...foundInFolder(nats.dir),
      ...[...argv].flatMap((line) => found(Buffer.from(line), 'arguments')),
    ];
    expect(leaks).toEqual([]);
    expect(sent.some(({ where }) => where.startsWith('client of'))).toBe(true);
    expect([...argv].some((line) => line.includes('interlock.yaml'))).toBe(true);
  });
});
