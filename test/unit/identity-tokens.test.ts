/** SECURITY §1.11: the same attacks on the built-in issuer and on one outside, in another process. */
import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { CompactEncrypt, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Identity } from '#client/identity';
import { type IssuerConfig, openIdentity } from '#engine/identity/identity';
import { type LocalIssuer, openLocalIssuer } from '#engine/identity/local-issuer';
import { codeOf } from '#test/support/approvals';
import { makeAuthority } from '#test/support/certificates';
import { FakeClock } from '#test/support/fake-clock';
import { type OutsideIssuer, startOutsideIssuer } from '#test/support/outside-issuer';

const AUDIENCE = 'interlock';
const LOCAL_URL = 'http://127.0.0.1:8400/local';
const DIR = mkdtempSync(join(tmpdir(), 'interlock-identity-'));
const connect = { scope: 'connect' } as const;
const approve = { scope: 'approve' } as const;

/** What an attack needs of an issuer: sign anything with its true key, and what everybody may know of that key. */
interface Bench {
  readonly url: string;
  readonly alg: string;
  readonly config: IssuerConfig;
  identity(clock: FakeClock, lines?: string[]): Promise<Identity>;
  sign(claims: object, header?: object): Promise<string>;
  publicKey(): Promise<JWK>;
}

let outside: OutsideIssuer;
let local: LocalIssuer;
let clock: FakeClock;

beforeAll(async () => {
  outside = await startOutsideIssuer();
  local = await openLocalIssuer({ dir: join(DIR, 'keys'), url: LOCAL_URL, audience: AUDIENCE, clock: new FakeClock() });
});
afterAll(async () => {
  await outside[Symbol.asyncDispose]();
  rmSync(DIR, { recursive: true, force: true });
});
beforeEach(async () => {
  clock = new FakeClock();
  await outside.behave('well');
});

function outsideConfig(more: Partial<IssuerConfig> = {}): IssuerConfig {
  return {
    url: outside.url,
    audience: AUDIENCE,
    jwksUrl: null,
    caFile: null,
    algorithms: ['RS256', 'ES256'],
    tokenTypes: ['at+jwt'],
    maxAgeMs: 8 * 3_600_000,
    claims: { login: 'preferred_username', groups: 'groups' },
    ...more,
  };
}

function logTo(lines: string[]) {
  const write = (fields: object, message: string): void =>
    void lines.push(`${message} ${JSON.stringify(fields)} ${String((fields as { err?: unknown }).err)}`);
  return { debug: write, info: write, warn: write, error: write };
}

const outsideBench: () => Bench = () => ({
  url: outside.url,
  alg: 'ES256',
  config: outsideConfig(),
  identity: (at, lines = []) => openIdentity({ issuers: [outsideConfig()], clock: at, log: logTo(lines) }),
  sign: (claims, header = {}) => outside.sign({ claims: { ...claims }, header: { alg: 'ES256', typ: 'at+jwt', ...header } }),
  publicKey: async () => (await outside.publicKeys())[0] as JWK,
});

const localBench: () => Bench = () => {
  const secret = JSON.parse(readFileSync(join(DIR, 'keys', 'issuer.jwk'), 'utf8')) as JWK;
  const { d: _, ...open } = secret;
  return {
    url: LOCAL_URL,
    alg: 'EdDSA',
    config: local.config,
    identity: async (at, lines = []) => openIdentity({ issuers: [], local, clock: at, log: logTo(lines) }),
    sign: async (claims, header = {}) =>
      new SignJWT({ ...claims }).setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', ...header }).sign(await importJWK(secret, 'EdDSA')),
    publicKey: () => Promise.resolve(open),
  };
};

function claims(bench: Bench, more: object = {}): Record<string, unknown> {
  const now = Math.floor(clock.wallUs() / 1e6);
  const times = { iat: now, exp: now + 600 };
  return { iss: bench.url, aud: AUDIENCE, sub: 'u-17', preferred_username: 'alice', groups: ['support'], scope: 'connect', ...times, ...more };
}
const nowS = (): number => Math.floor(clock.wallUs() / 1e6);

describe.each([
  ['the outside issuer', () => outsideBench()],
  ['the local issuer', () => localBench()],
])('%s', (_, benchOf) => {
  let bench: Bench;
  let identity: Identity;
  beforeEach(async () => {
    bench = benchOf();
    identity = await bench.identity(clock);
  });
  const answer = async (token: string, need: typeof connect | typeof approve = connect) => codeOf(identity.authenticate(token, need));

  test('a good token is its principal: iss|sub, login, groups, times', async () => {
    const extra = { acr: 'mfa', auth_time: nowS() - 60, email: 'alice@example.com' };
    const principal = await identity.authenticate(await bench.sign(claims(bench, extra)), connect);
    expect(principal).toEqual({
      subject: {
        type: 'user',
        id: `${bench.url}|u-17`,
        properties: { login: 'alice', groups: ['support'], acr: 'mfa', auth_time: '2026-11-23T09:59:00.000000Z' },
      },
      scopes: ['connect'],
      issuedAtMs: nowS() * 1000,
      expiresAtMs: (nowS() + 600) * 1000,
    });
  });

  test.each<[string, object]>([
    ['another audience', { aud: 'other' }],
    ['no audience', { aud: undefined }],
    ['several audiences, made for another party', { aud: [AUDIENCE, 'other'], azp: 'other' }],
    ['several audiences, made for nobody', { aud: [AUDIENCE, 'other'] }],
    ['another issuer', { iss: 'https://evil.example.com' }],
    ['an issuer that only begins alike', { iss: 'http://127.0.0.1:84000/local' }],
    ['no issuer', { iss: undefined }],
    ['a list of issuers', { iss: [LOCAL_URL] }],
    ['no subject', { sub: undefined }],
    ['an empty subject', { sub: '' }],
    ['a subject that is no text', { sub: 17 }],
    ['no end', { exp: undefined }],
    ['an end that is no number', { exp: '9999999999' }],
    ['no begin', { iat: undefined }],
    ['no login', { preferred_username: undefined }],
    ['a login that is no text', { preferred_username: ['alice'] }],
    ['a login with a bidirectional mark', { preferred_username: 'ali\u202ece' }],
    ['a login with a zero-width character', { preferred_username: 'ali\u200bce' }],
    ['a login that can be spelt in two ways', { preferred_username: 'zoe\u0308' }],
    ['a login with NUL', { preferred_username: 'alice\0bob' }],
    ['groups that are no list', { groups: 'owners' }],
    ['groups that are no texts', { groups: [{ name: 'owners' }] }],
    ['more groups than anybody has', { groups: Array.from({ length: 1001 }, () => 'g') }],
    ['a scope that is no text', { scope: ['connect'] }],
    ['a nonce: an ID token', { nonce: 'n' }],
    ['at_hash: an ID token', { at_hash: 'h' }],
    ['typ ID: an ID token', { typ: 'ID' }],
    ['an unknown kind of principal', { interlock: { type: 'admin' } }],
    ['a user on behalf of somebody', { interlock: { type: 'user', on_behalf_of: { sub: 'b', login: 'bob' } } }],
    ['two ways of saying who acts', { interlock: { type: 'agent' }, act: { sub: 'robot' } }],
    ['an actor behind an actor', { act: { sub: 'robot', act: { sub: 'other' } } }],
    ['an actor of another issuer', { act: { sub: 'robot', iss: 'https://evil.example.com' } }],
    ['an auth_time that is no number', { auth_time: 'yesterday' }],
  ])('refuses %s', async (__, more) => {
    expect(await answer(await bench.sign(claims(bench, more)))).toBe('AUTH_FAILED');
  });

  test.each<[string, () => object]>([
    ['expired', () => ({ iat: nowS() - 600, exp: nowS() - 31 })],
    ['not valid yet', () => ({ nbf: nowS() + 61 })],
    ['issued in the future', () => ({ iat: nowS() + 61, exp: nowS() + 600 })],
    ['older than allowed, though its end is far', () => ({ iat: nowS() - 24 * 3600 - 61, exp: nowS() + 600 })],
  ])('refuses one that is %s', async (__, more) => {
    expect(await answer(await bench.sign(claims(bench, more())))).toBe('AUTH_FAILED');
  });

  test('tolerates clocks that are seconds apart', async () => {
    expect(await answer(await bench.sign(claims(bench, { iat: nowS() - 60, exp: nowS() - 5 })))).toBe('none');
    expect(await answer(await bench.sign(claims(bench, { nbf: nowS() + 5 })))).toBe('none');
  });

  test('a session ends with its token, or at the highest age if that is sooner', async () => {
    const { expiresAtMs } = await identity.authenticate(await bench.sign(claims(bench, { exp: nowS() + 1e6 })), connect);
    expect(expiresAtMs).toBe(nowS() * 1000 + bench.config.maxAgeMs);
  });

  test.each([['JWT'], ['application/jwt'], [undefined], ['logout+jwt'], ['at+jwt+jwt']])('refuses typ %s', async (typ) => {
    expect(await answer(await bench.sign(claims(bench), { typ }))).toBe('AUTH_FAILED');
  });

  test('accepts typ without regard to case and with application/', async () => {
    expect(await answer(await bench.sign(claims(bench), { typ: 'application/AT+JWT' }))).toBe('none');
  });

  test('refuses alg none, with and without a signature', async () => {
    const unsecured = new UnsecuredJWT(claims(bench)).encode();
    expect(await answer(unsecured)).toBe('AUTH_FAILED');
    const [, body] = unsecured.split('.');
    for (const alg of ['none', 'None', 'NONE', '']) {
      const header = Buffer.from(JSON.stringify({ alg, typ: 'at+jwt' })).toString('base64url');
      expect(await answer(`${header}.${body}.`)).toBe('AUTH_FAILED');
      expect(await answer(`${header}.${body}.AAAA`)).toBe('AUTH_FAILED');
    }
  });

  test('refuses HS256 keyed with the public key in any spelling', async () => {
    const jwk = await bench.publicKey();
    const key = await importJWK(jwk, bench.alg);
    const spki = Buffer.from(await crypto.subtle.exportKey('spki', key as never));
    const pem = `-----BEGIN PUBLIC KEY-----\n${spki.toString('base64').replace(/(.{64})/g, '$1\n')}\n-----END PUBLIC KEY-----\n`;
    for (const secret of [spki, pem, JSON.stringify(jwk), Buffer.from(jwk.x ?? '', 'base64url')]) {
      const head = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid: jwk.kid })).toString('base64url');
      const signed = `${head}.${Buffer.from(JSON.stringify(claims(bench))).toString('base64url')}`;
      expect(await answer(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`)).toBe('AUTH_FAILED');
    }
  });

  test('refuses a key that the token brings or points to, even where the signature is the issuer’s own', async () => {
    const own = await generateKeyPair('ES256', { extractable: true });
    const jwk = await exportJWK(own.publicKey);
    const forged = await new SignJWT(claims(bench)).setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', jwk }).sign(own.privateKey);
    expect(await answer(forged)).toBe('AUTH_FAILED');
    for (const header of [{ jwk }, { jku: 'http://127.0.0.1:1/' }, { x5u: 'http://127.0.0.1:1/' }, { x5c: ['AAAA'] }]) {
      expect(await answer(await bench.sign(claims(bench), header))).toBe('AUTH_FAILED');
    }
  });

  test('refuses critical headers and unencoded payloads', async () => {
    const [, body, signature] = (await bench.sign(claims(bench))).split('.');
    for (const header of [{ crit: ['exp'], exp: 1 }, { crit: ['b64'], b64: false }, { b64: false }, { zip: 'DEF' }]) {
      const head = Buffer.from(JSON.stringify({ alg: bench.alg, typ: 'at+jwt', ...header })).toString('base64url');
      expect(await answer(`${head}.${body}.${signature}`)).toBe('AUTH_FAILED');
    }
  });

  test('refuses another key, an edited claim, an edited signature, and what is no token', async () => {
    const stranger = await generateKeyPair(bench.alg as 'ES256');
    const kid = (await bench.publicKey()).kid;
    const header = { alg: bench.alg, typ: 'at+jwt', ...(kid !== undefined && { kid }) };
    expect(await answer(await new SignJWT(claims(bench)).setProtectedHeader(header).sign(stranger.privateKey))).toBe('AUTH_FAILED');
    const good = await bench.sign(claims(bench));
    const [head, , signature = ''] = good.split('.');
    const edited = Buffer.from(JSON.stringify(claims(bench, { groups: ['owners'] }))).toString('base64url');
    expect(await answer(`${head}.${edited}.${signature}`)).toBe('AUTH_FAILED');
    expect(await answer(`${good.slice(0, -8)}AAAAAAAA`)).toBe('AUTH_FAILED');
    for (const odd of ['', '.', '..', 'a.b.c', `${good}.`, `${good}.x`, ` ${good}`, 'x'.repeat(20_000), `${good}${'A'.repeat(20_000)}`, '\0']) {
      expect(await answer(odd)).toBe('AUTH_FAILED');
    }
  });

  test('refuses an encrypted token', async () => {
    const key = await generateKeyPair('ECDH-ES+A256KW');
    const jwe = await new CompactEncrypt(Buffer.from(await bench.sign(claims(bench))))
      .setProtectedHeader({ alg: 'ECDH-ES+A256KW', enc: 'A256GCM', cty: 'JWT' })
      .encrypt(key.publicKey);
    expect(await answer(jwe)).toBe('AUTH_FAILED');
  });

  test('an e-mail is never the subject, and one that nobody verified is not even a login', async () => {
    const own = await bench.sign(claims(bench, { sub: 'attacker', email: 'alice@example.com', preferred_username: 'alice@example.com' }));
    expect((await identity.authenticate(own, connect)).subject.id).toBe(`${bench.url}|attacker`);
  });

  test('A4: scopes: connect cannot decide, approve cannot connect, both together cannot decide', async () => {
    expect(await answer(await bench.sign(claims(bench)), approve)).toBe('AUTH_SCOPE');
    expect(await answer(await bench.sign(claims(bench, { scope: undefined })), connect)).toBe('AUTH_SCOPE');
    expect(await answer(await bench.sign(claims(bench, { scope: 'approved connecting' })), connect)).toBe('AUTH_SCOPE');
    const both = await bench.sign(claims(bench, { scope: 'openid approve connect' }));
    expect([await answer(both, connect), await answer(both, approve)]).toEqual(['none', 'AUTH_SCOPE']);
    const one = await bench.sign(claims(bench, { scope: 'openid approve' }));
    expect([await answer(one, connect), await answer(one, approve)]).toEqual(['AUTH_SCOPE', 'none']);
  });

  test('A4: a token for verdicts is at most an hour old, and a human’s own', async () => {
    const aged = (seconds: number) => bench.sign(claims(bench, { scope: 'approve', iat: nowS() - seconds }));
    expect(await answer(await aged(3_600), approve)).toBe('none');
    expect(await answer(await aged(3_640), approve)).toBe('AUTH_FAILED');
    for (const who of [
      { interlock: { type: 'service' } },
      { interlock: { type: 'agent' } },
      { act: { sub: 'robot' } },
      { azp: 'u-17' },
      { gty: 'client-credentials' },
    ]) {
      expect(await answer(await bench.sign(claims(bench, { scope: 'approve', ...who })), approve)).toBe('AUTH_SCOPE');
    }
  });

  test('an agent is itself, with the human behind it', async () => {
    const behalf = { sub: 'u-9', login: 'bob', groups: ['support'] };
    const custom = await identity.authenticate(await bench.sign(claims(bench, { interlock: { type: 'agent', on_behalf_of: behalf } })), connect);
    expect(custom.subject).toEqual({
      type: 'agent',
      id: `${bench.url}|u-17`,
      properties: { login: 'alice', groups: ['support'], on_behalf_of: { id: `${bench.url}|u-9`, login: 'bob', groups: ['support'] } },
    });
    const exchanged = await identity.authenticate(await bench.sign(claims(bench, { act: { sub: 'robot-1', groups: ['robots'] } })), connect);
    expect(exchanged.subject).toEqual({
      type: 'agent',
      id: `${bench.url}|robot-1`,
      properties: { login: 'robot-1', groups: ['robots'], on_behalf_of: { id: `${bench.url}|u-17`, login: 'alice', groups: ['support'] } },
    });
  });

  test('I7: what a client is told, and what is logged, holds nothing of the token', async () => {
    const canary = `canary-${randomUUID()}`;
    const lines: string[] = [];
    const watched = await bench.identity(clock, lines);
    const bad = [
      await bench.sign(claims(bench, { aud: canary })),
      await bench.sign(claims(bench, { preferred_username: `${canary}\n` })),
      await bench.sign(claims(bench, { iss: `https://${canary}` })),
      await bench.sign(claims(bench, { exp: 1, note: canary })),
      canary,
      `${await bench.sign(claims(bench, { jti: canary }))}x`,
    ];
    for (const token of bad) {
      const error = (await watched.authenticate(token, connect).catch((caught: unknown) => caught)) as Error;
      expect(error).toMatchObject({ code: 'AUTH_FAILED', message: 'the token was not accepted' });
      for (const text of [error.stack ?? '', inspect(error, { depth: 9, showHidden: true }), ...lines]) {
        expect(text).not.toContain(canary);
        expect(text).not.toContain(token.slice(0, 40));
      }
    }
    expect(lines).toHaveLength(bad.length);
  });
});

describe('keys of an outside issuer', () => {
  const tokenBy = (key: 'current' | 'retired' | 'never-published' = 'current', alg = 'ES256') =>
    outside.sign({ claims: claims(outsideBench()), header: { alg, typ: 'at+jwt' } }, key);

  test('rotation during the run: old and new count while both are published, the old no more once it is gone', async () => {
    const identity = await outsideBench().identity(clock);
    const answer = async (token: string) => codeOf(identity.authenticate(token, connect));
    const before = await tokenBy();
    expect(await answer(before)).toBe('none');
    await outside.rotate(true);
    expect(await answer(await tokenBy())).toBe('none');
    expect(await answer(before)).toBe('none');
    expect(await answer(await tokenBy('current', 'RS256'))).toBe('none');
    await outside.rotate(false);
    clock.pass(11_000);
    expect(await answer(await tokenBy())).toBe('none');
    expect(await answer(await tokenBy('retired'))).toBe('AUTH_FAILED');
  });

  test('a storm of unknown keys is one fetch', async () => {
    const identity = await outsideBench().identity(clock);
    await identity.authenticate(await tokenBy(), connect);
    const before = await outside.fetches();
    const unknown = await tokenBy('never-published');
    const codes = await Promise.all(Array.from({ length: 200 }, () => codeOf(identity.authenticate(unknown, connect))));
    for (let i = 0; i < 20; i++) codes.push(await codeOf(identity.authenticate(unknown, connect)));
    expect(new Set(codes)).toEqual(new Set(['AUTH_FAILED']));
    expect((await outside.fetches()) - before).toBe(1);
    clock.pass(11_000);
    expect(await codeOf(identity.authenticate(unknown, connect))).toBe('AUTH_FAILED');
    expect((await outside.fetches()) - before).toBe(2);
  });

  test('an issuer that is away: what is cached counts until its age, then nothing does', async () => {
    const identity = await outsideBench().identity(clock);
    const answer = async () => codeOf(identity.authenticate(await tokenBy(), connect));
    expect(await answer()).toBe('none');
    await outside.behave('down');
    clock.pass(600_000);
    expect(await answer()).toBe('none');
    clock.pass(301_000);
    expect(await answer()).toBe('AUTH_FAILED');
    await outside.behave('well');
    expect(await answer()).toBe('AUTH_FAILED');
    clock.pass(11_000);
    expect(await answer()).toBe('none');
  });

  test.each(['down', 'redirect', 'huge', 'other-issuer', 'other-host', 'garbage'] as const)(
    'fails closed when the issuer is %s at first',
    async (as) => {
      await outside.behave(as);
      const lines: string[] = [];
      const identity = await outsideBench().identity(clock, lines);
      expect(await codeOf(identity.authenticate(await tokenBy(), connect))).toBe('AUTH_FAILED');
      expect(lines.join()).toContain('could not be fetched');
    },
  );

  test('a named key set needs no discovery', async () => {
    await outside.behave('other-host');
    const issuers = [outsideConfig({ jwksUrl: `${outside.url}/jwks` })];
    const identity = await openIdentity({ issuers, clock, log: logTo([]) });
    expect(await codeOf(identity.authenticate(await tokenBy(), connect))).toBe('none');
  });

  test('terms of its own: claims by path, e-mail as login only when verified, algorithms', async () => {
    const bench = outsideBench();
    const open = (more: Partial<IssuerConfig>) => openIdentity({ issuers: [outsideConfig(more)], clock, log: logTo([]) });
    const path = await open({ claims: { login: 'email', groups: 'realm_access.roles' } });
    const mail = { email: 'alice@example.com', realm_access: { roles: ['dba'] } };
    const verified = await path.authenticate(await bench.sign(claims(bench, { ...mail, email_verified: true })), connect);
    expect(verified.subject).toMatchObject({ id: `${outside.url}|u-17`, properties: { login: 'alice@example.com', groups: ['dba'] } });
    for (const email_verified of [false, undefined, 'true']) {
      expect(await codeOf(path.authenticate(await bench.sign(claims(bench, { ...mail, email_verified })), connect))).toBe('AUTH_FAILED');
    }
    const narrow = await open({ algorithms: ['RS256'] });
    expect(await codeOf(narrow.authenticate(await tokenBy(), connect))).toBe('AUTH_FAILED');
    expect(await codeOf(narrow.authenticate(await tokenBy('current', 'RS256'), connect))).toBe('none');
  });

  test('keys over TLS: only under the authority that is named, and only for the name that is asked', async () => {
    const authority = await makeAuthority(join(DIR, 'tls'));
    const { certFile, keyFile } = await authority.issue('issuer');
    const key = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(key.publicKey)), kid: 'k', alg: 'ES256', use: 'sig' };
    const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (request, response) => {
      const own = `https://${request.headers.host}`;
      response.end(JSON.stringify(request.url === '/jwks' ? { keys: [jwk] } : { issuer: own, jwks_uri: `${own}/jwks` }));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const token = await new SignJWT({ ...claims(outsideBench()), iss: url })
        .setProtectedHeader({ alg: 'ES256', typ: 'at+jwt', kid: 'k' })
        .sign(key.privateKey);
      const other = await makeAuthority(join(DIR, 'other-tls'));
      for (const [caFile, code] of [
        [authority.caFile, 'none'],
        [other.caFile, 'AUTH_FAILED'],
        [null, 'AUTH_FAILED'],
        [join(DIR, 'missing.crt'), 'AUTH_FAILED'],
      ] as const) {
        const identity = await openIdentity({ issuers: [outsideConfig({ url, caFile })], clock, log: logTo([]) });
        expect(await codeOf(identity.authenticate(token, connect))).toBe(code);
      }
    } finally {
      server.close();
    }
  });

  test.each<[string, Partial<IssuerConfig>]>([
    ['http beyond loopback', { url: 'http://login.example.com' }],
    ['a credential in the address', { url: 'https://a:b@login.example.com' }],
    ['keys over http', { jwksUrl: 'http://login.example.com/keys' }],
    ['HS256', { algorithms: ['HS256'] }],
    ['none', { algorithms: ['none'] }],
    ['no algorithm', { algorithms: [] }],
    ['no token type', { tokenTypes: [] }],
    ['no audience', { audience: '' }],
    ['no age', { maxAgeMs: 0 }],
    ['a bar in the address', { url: 'https://login.example.com/a|b' }],
  ])('terms with %s refuse the start', async (_, more) => {
    expect(await codeOf(openIdentity({ issuers: [outsideConfig(more)], clock, log: logTo([]) }))).toBe('CONFIG_INVALID');
  });

  test('two issuers are two: the key of one says nothing for the other', async () => {
    const identity = await openIdentity({ issuers: [outsideConfig()], local, clock, log: logTo([]) });
    expect(await codeOf(identity.authenticate(await localBench().sign(claims(outsideBench())), connect))).toBe('AUTH_FAILED');
    expect(await codeOf(identity.authenticate(await outsideBench().sign(claims(localBench())), connect))).toBe('AUTH_FAILED');
    const minted = await local.mint({ login: 'alice', groups: [], type: 'user', scope: 'connect', ttlMs: 60_000 });
    expect((await identity.authenticate(minted.token, connect)).subject.id).toBe(minted.subject);
  });
});

describe('the local issuer', () => {
  const open = (dir: string) => openLocalIssuer({ dir, url: LOCAL_URL, audience: AUDIENCE, clock });

  test('mints what it will accept, from any process that holds the key', async () => {
    const dir = join(DIR, 'shared');
    const issuers = await Promise.all([open(dir), open(dir), open(dir)]);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, 'issuer.jwk')).mode & 0o777).toBe(0o600);
    const identity = await openIdentity({ issuers: [], local: issuers[0] as LocalIssuer, clock, log: logTo([]) });
    for (const issuer of issuers) {
      const minted = await issuer.mint({ login: 'robot', groups: ['robots'], type: 'agent', onBehalfOf: 'bob', scope: 'connect', ttlMs: 60_000 });
      expect(minted).toMatchObject({ subject: `${LOCAL_URL}|robot`, expires_at: '2026-11-23T10:01:00.000000Z' });
      const { subject } = await identity.authenticate(minted.token, connect);
      expect(subject).toMatchObject({ type: 'agent', properties: { on_behalf_of: { id: `${LOCAL_URL}|bob`, login: 'bob' } } });
    }
    const bob = await issuers[1]?.mint({ login: 'bob', groups: ['owners'], type: 'user', scope: 'approve', ttlMs: 60_000 });
    expect((await identity.authenticate(bob?.token ?? '', approve)).subject.id).toBe(`${LOCAL_URL}|bob`);
  });

  test('refuses a directory or key that others can read (STATE_MODE)', async () => {
    const dir = join(DIR, 'lax');
    await open(dir);
    for (const mode of [0o750, 0o701, 0o777]) {
      chmodSync(dir, mode);
      expect(await codeOf(open(dir))).toBe('STATE_MODE');
    }
    chmodSync(dir, 0o700);
    for (const mode of [0o640, 0o604, 0o644]) {
      chmodSync(join(dir, 'issuer.jwk'), mode);
      expect(await codeOf(open(dir))).toBe('STATE_MODE');
    }
    chmodSync(join(dir, 'issuer.jwk'), 0o600);
    expect(await codeOf(open(dir))).toBe('none');
  });

  test('does not mint what nobody may have', async () => {
    const base = { login: 'alice', groups: [], type: 'user', scope: 'connect', ttlMs: 60_000 } as const;
    for (const more of [
      { type: 'agent', scope: 'approve' },
      { type: 'service', scope: 'approve' },
      { onBehalfOf: 'bob' },
      { scope: 'approve', ttlMs: 3_600_001 },
      { ttlMs: 25 * 3_600_000 },
      { ttlMs: 0 },
      { ttlMs: Number.NaN },
      { login: '' },
      { login: 'a b' },
      { login: 'ali\u202ece' },
    ] as const) {
      expect(await codeOf(local.mint({ ...base, ...more }))).toBe('USAGE');
    }
  });

  test('a key of another kind in its place is not used', async () => {
    const dir = join(DIR, 'odd');
    await open(dir);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(dir, 'issuer.jwk'), JSON.stringify(privateKey.export({ format: 'jwk' })));
    expect(await codeOf(open(dir))).not.toBe('none');
  });
});
