/** Credentials of a real OpenBao, which speaks Vault's interface: key-value secrets, users made for one session, logins, TLS, and what is said when it fails (I7). */
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { type CredentialDesk, openCredentials } from '#engine/credentials/credentials';
import type { CredentialSource } from '#engine/credentials/source';
import type { VaultAuth } from '#engine/credentials/vault/login';
import { Vault, type VaultOptions } from '#engine/credentials/vault/vault';
import { startGateway } from '#test/support/gateway';
import { type BaoServer, HOW_TO_GET_IT, openBaoProgram, startOpenBao } from '#test/support/openbao';
import { type PostgresServer, startPostgres } from '#test/support/postgres';
import { PRODUCTION_DATA } from '#test/support/production';
import { stopwatch } from '#test/support/stopwatch';

const program = await openBaoProgram();
const POLICY = `path "database/creds/*" { capabilities = ["read"] }
path "database/static-creds/*" { capabilities = ["read"] }
path "secret/data/shop/*" { capabilities = ["read"] }
path "kv1/*" { capabilities = ["read"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/revoke" { capabilities = ["update"] }`;

describe.skipIf(program === null)(`Vault (${HOW_TO_GET_IT})`, () => {
  let bao: BaoServer;
  let server: PostgresServer;
  let dir: string;
  const canary = `pw-${randomUUID()}`;
  const approle = { roleId: '', secretId: '' };

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'interlock-vault-'));
    [bao, server] = await Promise.all([startOpenBao(program ?? ''), startPostgres({ major: 15 })]);
    await bao.ask('PUT', 'sys/policies/acl/interlock', { policy: POLICY });
    await bao.ask('POST', 'secret/data/shop/db', { data: { password: canary, number: 7, empty: '' } });
    await bao.ask('POST', 'secret/data/other', { data: { password: canary } });
    await bao.ask('POST', 'sys/mounts/kv1', { type: 'kv', options: { version: '1' } });
    await bao.ask('POST', 'kv1/shop', { password: canary });
    await bao.ask('POST', 'sys/auth/approle', { type: 'approle' });
    await bao.ask('POST', 'auth/approle/role/interlock', { token_policies: 'interlock', token_ttl: '3s', token_max_ttl: '1h' });
    approle.roleId = String((await bao.ask('GET', 'auth/approle/role/interlock/role-id'))['data']?.['role_id' as never]);
    approle.secretId = String((await bao.ask('POST', 'auth/approle/role/interlock/secret-id'))['data']?.['secret_id' as never]);
    await server.query('CREATE ROLE shop_rw; CREATE TABLE orders (id int PRIMARY KEY, note text); GRANT SELECT, UPDATE ON orders TO shop_rw');
    await server.query(`INSERT INTO orders VALUES (1, '')`);
    await server.query(`CREATE ROLE clerk LOGIN PASSWORD 'first' IN ROLE shop_rw`);
    await bao.ask('POST', 'sys/mounts/database', { type: 'database' });
    await bao.ask('POST', 'database/config/shop', {
      plugin_name: 'postgresql-database-plugin',
      allowed_roles: '*',
      connection_url: `postgresql://{{username}}:{{password}}@${server.host}:${server.port}/postgres?sslmode=disable`,
      username: server.user,
      password: server.password,
    });
    const creation = [`CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE shop_rw`];
    await bao.ask('POST', 'database/roles/shop-rw', { db_name: 'shop', creation_statements: creation, default_ttl: '3s', max_ttl: '1h' });
    await bao.ask('POST', 'database/roles/writer', { db_name: 'shop', creation_statements: creation, default_ttl: '30s', max_ttl: '1h' });
    await bao.ask('POST', 'database/roles/short', { db_name: 'shop', creation_statements: creation, default_ttl: '2s', max_ttl: '3s' });
    await bao.ask('POST', 'database/static-roles/clerk', { db_name: 'shop', username: 'clerk', rotation_period: '24h' });
  });
  afterAll(async () => {
    await bao?.stop();
    await server?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  const users = async (): Promise<string[]> =>
    (await server.query<{ rolname: string }>("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")).rows.map(({ rolname }) => rolname);
  const rootAuth = (): VaultAuth => ({ kind: 'token', token: () => Promise.resolve(bao.rootToken) });
  const roleAuth = (): VaultAuth => ({
    kind: 'approle',
    mount: 'approle',
    roleId: () => Promise.resolve(approle.roleId),
    secretId: () => Promise.resolve(approle.secretId),
  });

  /** By Vault's clock, milliseconds. */
  const expiryOf = async (path: string, about: object): Promise<number> => {
    const { data } = (await bao.ask('PUT', path, about)) as { data: { expire_time: string } };
    return Date.parse(data.expire_time);
  };

  /** It was renewed until it ends more than a whole life of three seconds later than it would have. */
  const livesOn = async (handle = ''): Promise<void> => {
    const first = await expiryOf('sys/leases/lookup', { lease_id: handle });
    await expect.poll(() => expiryOf('sys/leases/lookup', { lease_id: handle }), { timeout: 15_000 }).toBeGreaterThan(first + 3_000);
  };

  /** With everything that it says, and everything that it hides. */
  function open(over: Partial<VaultOptions> = {}): {
    vault: Vault;
    said: string[];
    hidden: Set<string>;
    log: VaultOptions['log'] & { forget(secret: string): void };
  } {
    const said: string[] = [];
    const hidden = new Set<string>();
    const write = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`);
    const log = {
      debug: write,
      info: write,
      warn: write,
      error: write,
      hide: (secret: string) => void hidden.add(secret),
      forget: (secret: string) => void hidden.delete(secret),
    };
    const vault = new Vault({
      address: bao.address,
      namespace: null,
      caFile: bao.caFile,
      timeoutMs: 5_000,
      auth: rootAuth(),
      clock: systemClock,
      log,
      ...over,
    });
    return { vault, said, hidden, log };
  }

  function deskOf(source: CredentialSource, log: Parameters<typeof openCredentials>[0]['log']): CredentialDesk {
    return openCredentials({ sourceOf: (target) => (target === 'shop' ? source : null), clock: systemClock, ids: new Ids(systemClock), log });
  }

  async function signsIn(user: string, password: string): Promise<boolean> {
    const client = new pg.Client({ host: server.host, port: server.port, user, password, database: 'postgres' });
    return await client.connect().then(
      async () => {
        await client.end();
        return true;
      },
      () => false,
    );
  }

  describe('a key-value secret', () => {
    test('of version 2 and of version 1', async () => {
      const { vault } = open();
      expect(await vault.secret({ mount: 'secret', path: 'shop/db', field: 'password', kv: 2 })).toBe(canary);
      expect(await vault.secret({ mount: 'kv1', path: 'shop', field: 'password', kv: 1 })).toBe(canary);
      vault.close();
    });

    test('is read anew each time', async () => {
      const { vault } = open();
      const secret = { mount: 'secret', path: 'shop/changing', field: 'password', kv: 2 } as const;
      for (const value of ['first', 'second']) {
        await bao.ask('POST', 'secret/data/shop/changing', { data: { password: value } });
        expect(await vault.secret(secret)).toBe(value);
      }
      vault.close();
    });

    test('that cannot be had: the error names the reference and what is wrong, never a value', async () => {
      const { vault, said, hidden } = open({ auth: roleAuth() });
      for (const [secret, message] of [
        [{ mount: 'secret', path: 'shop/db', field: 'missing', kv: 2 }, 'vault secret/shop/db#missing: it has no such field'],
        [{ mount: 'secret', path: 'shop/db', field: 'number', kv: 2 }, 'vault secret/shop/db#number: that field is no text, or empty'],
        [{ mount: 'secret', path: 'shop/db', field: 'empty', kv: 2 }, 'vault secret/shop/db#empty: that field is no text, or empty'],
        [{ mount: 'secret', path: 'shop/db', field: 'constructor', kv: 2 }, 'vault secret/shop/db#constructor: it has no such field'],
        [
          { mount: 'secret', path: 'shop/nothing', field: 'password', kv: 2 },
          'vault secret/shop/nothing#password: there is no such thing, or it may not be seen (404)',
        ],
        [{ mount: 'secret', path: 'other', field: 'password', kv: 2 }, 'vault secret/other#password: permission denied (403)'],
      ] as const) {
        const error = (await vault.secret(secret).catch((thrown: unknown) => thrown)) as Error & { code?: string };
        expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', message });
        expect(`${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`).not.toContain(canary);
      }
      for (const secret of [canary, approle.secretId, ...hidden]) expect(said.join('\n')).not.toContain(secret);
      vault.close();
    });

    test('of a namespace', async () => {
      await bao.ask('POST', 'sys/namespaces/team', {});
      await bao.ask('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } }, 'team');
      await bao.ask('POST', 'secret/data/shop', { data: { password: 'of the team' } }, 'team');
      const { vault } = open({ namespace: 'team' });
      expect(await vault.secret({ mount: 'secret', path: 'shop', field: 'password', kv: 2 })).toBe('of the team');
      vault.close();
    });
  });

  describe('the way to it', () => {
    const secret = { mount: 'secret', path: 'shop/db', field: 'password', kv: 2 } as const;

    test('is refused when its certificate is not of the authority that is named', async () => {
      const { vault } = open({ caFile: null });
      await expect(vault.secret(secret)).rejects.toMatchObject({
        code: 'CREDENTIAL_UNAVAILABLE',
        message: expect.stringMatching(/^vault secret\/shop\/db#password: it cannot be reached \([A-Z_]+\)$/),
      });
      vault.close();
    });

    test('ends in time when nobody answers', async () => {
      const { vault } = open({ address: 'http://127.0.0.1:1', timeoutMs: 300 });
      await expect(vault.secret(secret)).rejects.toMatchObject({ message: 'vault secret/shop/db#password: it cannot be reached (ECONNREFUSED)' });
      const { createServer } = await import('node:net');
      const silent = createServer(() => {}).listen(0, '127.0.0.1');
      await new Promise((resolve) => silent.once('listening', resolve));
      const { vault: waiting } = open({ address: `http://127.0.0.1:${(silent.address() as { port: number }).port}`, timeoutMs: 300 });
      using before = stopwatch();
      await expect(waiting.secret(secret)).rejects.toMatchObject({ message: 'vault secret/shop/db#password: it did not answer in time' });
      expect(before.ms()).toBeLessThan(2_000);
      silent.close();
      waiting.close();
      vault.close();
    });

    test('an AppRole logs in, and its token of three seconds is renewed as long as it is needed', async () => {
      const { vault, hidden } = open({ auth: roleAuth() });
      expect(await vault.secret(secret)).toBe(canary);
      const [token] = [...hidden];
      const born = await expiryOf('auth/token/lookup', { token });
      await expect.poll(() => expiryOf('auth/token/lookup', { token }), { timeout: 10_000 }).toBeGreaterThan(born + 3_000); // more than a life later
      expect(await vault.secret(secret)).toBe(canary);
      expect([...hidden]).toEqual([token]);
      vault.close();
    });

    test('a service account logs in with its JWT, read anew for each login', async () => {
      const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      await bao.ask('POST', 'sys/auth/pods', { type: 'jwt' });
      await bao.ask('POST', 'auth/pods/config', { jwt_validation_pubkeys: [publicKey.export({ type: 'spki', format: 'pem' })] });
      const role = { role_type: 'jwt', bound_audiences: ['vault'], user_claim: 'sub', token_policies: 'interlock', token_ttl: '1h' };
      await bao.ask('POST', 'auth/pods/role/interlock', role);
      const jwt = (audience: string): Promise<string> =>
        new SignJWT()
          .setProtectedHeader({ alg: 'ES256' })
          .setSubject('interlock')
          .setAudience(audience)
          .setIssuedAt()
          .setNotBefore('0s')
          .setExpirationTime('5m')
          .sign(privateKey);
      const jwts = [await jwt('elsewhere'), await jwt('vault')];
      const { vault, said } = open({
        auth: { kind: 'kubernetes', mount: 'pods', role: 'interlock', jwt: () => Promise.resolve(jwts.shift() ?? '') },
      });
      await expect(vault.secret(secret)).rejects.toMatchObject({ message: expect.stringMatching(/^vault login at auth\/pods: .* \(40[03]\)$/) });
      expect(await vault.secret(secret)).toBe(canary);
      expect(said.join()).not.toContain('ey');
      vault.close();
    });

    test('a token that is revoked is replaced by a new login at the next question', async () => {
      const { vault, hidden } = open({ auth: roleAuth() });
      await vault.secret(secret);
      await bao.ask('PUT', 'auth/token/revoke', { token: [...hidden][0] });
      expect(await vault.secret(secret)).toBe(canary);
      expect(hidden.size).toBe(2);
      vault.close();
    });

    test('a wrong secret id, and a wrong token: permission, or a bad question, and no value', async () => {
      const wrong = open({ auth: { ...roleAuth(), secretId: () => Promise.resolve('wrong-secret-id') } as VaultAuth });
      await expect(wrong.vault.secret(secret)).rejects.toMatchObject({
        message: expect.stringMatching(/^vault login at auth\/approle: .* \(40[03]\)$/),
      });
      const token = open({ auth: { kind: 'token', token: () => Promise.resolve('wrong-token') } });
      await expect(token.vault.secret(secret)).rejects.toMatchObject({ message: 'vault secret/shop/db#password: permission denied (403)' });
      wrong.vault.close();
      token.vault.close();
    });

    test('a token in a file that somebody else replaces is read again when it is refused', async () => {
      const file = join(dir, 'token');
      writeFileSync(file, 'ended');
      const { vault } = open({ auth: { kind: 'token', token: () => Promise.resolve(readFileSync(file, 'utf8')) } });
      await expect(vault.secret(secret)).rejects.toThrow('403');
      writeFileSync(file, bao.rootToken);
      expect(await vault.secret(secret)).toBe(canary);
      vault.close();
    });
  });

  describe('a user of the database engine', () => {
    test('is made for each lease, renewed beyond its own life, and gone with the lease', async () => {
      const { vault, hidden, log, said } = open({ auth: roleAuth() });
      const desk = deskOf(vault.database({ mount: 'database', role: 'shop-rw', kind: 'dynamic' }), log);
      const [one, two] = await Promise.all([desk.lease('shop'), desk.lease('shop')]);
      expect(one.user).not.toBe(two.user);
      expect(one).toMatchObject({ role: 'shop-rw', handle: expect.stringMatching(/^database\/creds\/shop-rw\/\S+$/) });
      expect(hidden.has(one.password)).toBe(true);
      expect(await users()).toEqual(expect.arrayContaining([one.user, two.user]));
      await livesOn(one.handle);
      expect(await signsIn(one.user, one.password)).toBe(true);
      desk.release(one);
      desk.release(one);
      await expect.poll(users, { timeout: 10_000 }).toEqual([two.user]);
      expect(await signsIn(one.user, one.password)).toBe(false);
      await desk.close();
      expect(await users()).toEqual([]);
      expect(desk.held).toBe(0);
      expect(said.join()).not.toContain(two.password);
      vault.close();
    });

    test('ends at its longest life, which is said; the lease is held no more', async () => {
      const { vault, log, said } = open();
      const desk = deskOf(vault.database({ mount: 'database', role: 'short', kind: 'dynamic' }), log);
      const lease = await desk.lease('shop');
      await expect.poll(() => said.join(), { timeout: 15_000 }).toContain('a lease has ended while its session goes on');
      expect(desk.held).toBe(0);
      await expect.poll(() => signsIn(lease.user, lease.password), { timeout: 10_000 }).toBe(false);
      await desk.close();
      vault.close();
    });

    test('of an enforcer elsewhere ends when nobody speaks of it, and goes on at another engine that hears of it', async () => {
      const first = open();
      const second = open();
      const source = first.vault.database({ mount: 'database', role: 'shop-rw', kind: 'dynamic' });
      const one = deskOf(source, first.log);
      const other = deskOf(second.vault.database({ mount: 'database', role: 'shop-rw', kind: 'dynamic' }), second.log);
      const lease = await one.lease('shop', 'enforcer-1');
      const held = { id: lease.id, handle: lease.handle ?? '' };
      expect(one.keep('enforcer-1', 'shop', [held])).toEqual([]);
      expect(one.keep('enforcer-2', 'shop', [held])).toEqual([lease.id]); // not its own
      await one.close(); // an engine that is upgraded leaves what others hold
      expect(await users()).toContain(lease.user);
      expect(other.keep('enforcer-1', 'shop', [{ id: 'lea_x', handle: 'database/creds/other/abc' }])).toEqual(['lea_x']);
      expect(other.keep('enforcer-1', 'shop', [{ id: 'lea_y', handle: 'sys/anything' }, { id: 'lea_z' }])).toEqual(['lea_y', 'lea_z']);
      expect(other.keep('enforcer-1', 'shop', [held])).toEqual([]);
      await livesOn(lease.handle);
      expect(await signsIn(lease.user, lease.password)).toBe(true);
      other.releaseAll('enforcer-1');
      await expect.poll(users, { timeout: 10_000 }).not.toContain(lease.user);
      await other.close();
      first.vault.close();
      second.vault.close();
    });

    test('that is static has the password of the moment, and nothing to revoke', async () => {
      const { vault, log } = open({ auth: roleAuth() });
      const desk = deskOf(vault.database({ mount: 'database', role: 'clerk', kind: 'static' }), log);
      const lease = await desk.lease('shop');
      expect(lease).toMatchObject({ user: 'clerk' });
      expect(lease.handle).toBeUndefined();
      expect(await signsIn(lease.user, lease.password)).toBe(true);
      await bao.ask('POST', 'database/rotate-role/clerk');
      expect((await desk.lease('shop')).password).not.toBe(lease.password);
      vault.close();
    });
  });

  test('a gateway: a user for each session, called by its role, revoked with it and at the end; nothing of it in log, journal or state', async () => {
    const policies = { dir: join(import.meta.dirname, '..', 'policies', 'allow-all') };
    const token = join(dir, 'root-token');
    writeFileSync(token, bao.rootToken, { mode: 0o600 });
    const gateway = await startGateway({
      upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' },
      policies,
      target: { credential: { vault: { role: 'shop-rw' } } },
      config: { vault: { address: bao.address, ca: bao.caFile, auth: { token: { file: token } } } },
    });
    const own = (await users()).length; // of the gateway's own connections
    const client = new pg.Client({ connectionString: await gateway.url({ login: 'alice', groups: ['support'] }) });
    await client.connect();
    const { rows } = await client.query<{ current_user: string }>('SELECT current_user');
    const user = rows[0]?.current_user ?? '';
    expect(user).toMatch(/^v-/);
    expect(await users()).toHaveLength(own + 1);
    await client.end();
    await expect.poll(users, { timeout: 15_000 }).not.toContain(user);
    const { stdout } = await gateway.interlock('events', '--dir', gateway.ready.journal, '--json', '--type', 'session.opened');
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}')).toMatchObject({
      resource: { properties: { role: 'shop-rw' } },
      lease: expect.stringMatching(/^lea_/),
    });
    expect(gateway.log()).not.toContain(bao.rootToken);
    await gateway.stop();
    expect(await users()).toEqual([]);
  });

  test('apart: an approval holds for the next session’s user, and leases live on with an engine that was killed', { timeout: 120_000 }, async () => {
    const home = mkdtempSync(join(dir, 'apart-'));
    writeFileSync(join(home, 'data.yaml'), PRODUCTION_DATA);
    writeFileSync(join(home, 'token'), bao.rootToken, { mode: 0o600 });
    const gateway = await startGateway({
      shape: 'apart-local',
      dir: home,
      upstream: { host: server.host, port: server.port, user: server.user, password: server.password, database: 'postgres' },
      policies: { dir: join(import.meta.dirname, '..', '..', 'policies'), data: [join(home, 'data.yaml')] },
      target: { env: 'production', credential: { vault: { role: 'writer' } } },
      config: {
        approvals: { wait: '1s' },
        vault: { address: bao.address, ca: bao.caFile, auth: { token: { file: join(home, 'token') } } },
      },
    });
    try {
      const me = async (client: pg.Client): Promise<string> => (await client.query<{ me: string }>('SELECT current_user AS me')).rows[0]?.me ?? '';
      const url = await gateway.url({ login: 'alice', groups: ['support'] });
      const text = 'UPDATE orders SET note = $1 WHERE id = 1';
      const first = new pg.Client({ connectionString: url });
      await first.connect();
      const asked = await me(first);
      const held = (await first.query(text, ['x']).catch((error: unknown) => error)) as { code: string; detail: string };
      expect(held).toMatchObject({ code: 'IL001' });
      await first.end();
      await expect.poll(users, { timeout: 15_000 }).not.toContain(asked);
      const approval = /approval=(apr_\w+)/.exec(held.detail)?.[1] ?? '';
      const bearer = await gateway.token({ login: 'bob', groups: ['owners'], scope: 'approve' });
      const answer = await fetch(new URL(`/v1/approvals/${approval}/verdict`, gateway.ready.api), {
        method: 'POST',
        headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
        body: JSON.stringify({ outcome: 'approve' }),
      });
      expect(answer.status).toBe(200);
      const second = new pg.Client({ connectionString: url });
      await second.connect();
      const user = await me(second);
      expect(user).not.toBe(asked);
      expect((await second.query(text, ['x'])).rowCount).toBe(1);

      const leases = async (): Promise<Map<string, number>> => {
        const { data } = (await bao.ask('LIST', 'sys/leases/lookup/database/creds/writer')) as { data: { keys: string[] } };
        const entries = data.keys.map(
          async (key) => [key, await expiryOf('sys/leases/lookup', { lease_id: `database/creds/writer/${key}` })] as const,
        );
        return new Map(await Promise.all(entries));
      };
      const before = await leases();
      await gateway.engine?.running.end('SIGKILL');
      await gateway.engine?.start();
      // the enforcer says what it holds, and the engine that was started anew renews all of it
      const renewed = async (): Promise<boolean> => [...(await leases())].every(([key, until]) => until > (before.get(key) ?? 0));
      await expect.poll(renewed, { timeout: 25_000 }).toBe(true);
      expect((await leases()).size).toBe(before.size);
      expect(await me(second)).toBe(user);
      await second.end();
      await expect.poll(users, { timeout: 15_000 }).not.toContain(user);
      expect(gateway.log()).not.toContain(bao.rootToken);
    } finally {
      await gateway.stop();
    }
    await expect.poll(users, { timeout: 15_000 }).toEqual([]);
  });
});
