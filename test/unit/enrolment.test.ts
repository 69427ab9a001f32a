/** Enrolment (E6, issue 5): who is an enforcer, and every way of becoming one that must not work. */
import { createPrivateKey, generateKeyPairSync, webcrypto, X509Certificate } from 'node:crypto';
import { chmodSync, readFileSync, statSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import type { Clock } from '#client/clock';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import type { Peer } from '#engine/channel/parts';
import { type Authority, openAuthority } from '#engine/enrolment/authority';
import { type Holder, urisOf } from '#engine/enrolment/certificate-names';
import { makeKey, makeRequest } from '#engine/enrolment/certificate-request';
import { identityFile, openIdentity } from '#engine/enrolment/identity';
import { join, type Joined } from '#engine/enrolment/join';
import { hashOf, readCode } from '#engine/enrolment/join-code';
import { JOIN_PROTOCOL, readFrame } from '#engine/enrolment/join-protocol';
import { LIMITS } from '#engine/enrolment/limits';
import type { EnforcerIdentity } from '#engine/enrolment/parts';
import type { Event } from '#schemas/event';
import { ALGORITHM, x509 } from '#engine/enrolment/x509';
import { type EnrolmentBed, enrolmentBed } from '#test/support/enrolment';
import { FakeClock } from '#test/support/fake-clock';

const MINUTE_MS = 60_000;

test('E6: an enforcer joins with a code and gets a certificate for its name and targets only', async () => {
  await using bed = await enrolmentBed({ trusted: () => [TRUSTED] });
  const { code, enforcer } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop', 'stock'], ttlMs: MINUTE_MS, by: 'root' });
  expect(enforcer).toMatchObject({ name: 'shop-1', state: 'invited', targets: ['shop', 'stock'], by: 'root' });
  const dir = bed.folder();
  expect(await joinAt(bed, code, dir)).toMatchObject({ name: 'shop-1', targets: ['shop', 'stock'] });
  const identity = await identityAt(dir);
  expect(admitted(bed, identity)).toMatchObject({ name: 'shop-1', kind: 'enforcer', targets: ['shop', 'stock'] });
  expect(identity.trusted).toEqual([TRUSTED]);
  expect(bed.enrolment.show('shop-1')).toMatchObject({ state: 'joined', invited_until: null });
  const certificate = new X509Certificate(identity.tls().cert);
  expect(certificate.ca).toBe(false);
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  expect(certificate.validToDate.getTime() - Date.now()).toBeLessThanOrEqual(LIMITS.certificateMs);
});

test('E6: keys are readable by their owner alone, or refused', async () => {
  await using bed = await enrolmentBed();
  const dir = await joined(bed, 'shop-1');
  const files = [joinPath(bed.keysDir, 'authority.key'), identityFile(dir)] as const;
  for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
  for (const file of files) chmodSync(file, 0o640);
  await expect(openAuthority(bed.keysDir, systemClock)).rejects.toMatchObject({ code: 'STATE_MODE' });
  await expect(identityAt(dir)).rejects.toMatchObject({ code: 'STATE_MODE' });
});

test('the record tells who invited, joined and removed whom, and never a code', async () => {
  await using bed = await enrolmentBed();
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  await joinAt(bed, code, bed.folder());
  await bed.enrolment.remove('shop-1', 'carol');
  const events = (await bed.events()).filter(({ type }) => type.startsWith('enforcer.'));
  expect(events.map(({ type }) => type)).toEqual(['enforcer.invited', 'enforcer.joined', 'enforcer.removed']);
  expect(events).toMatchObject([{ by: 'root', enforcer: 'shop-1', targets: ['shop'] }, { enforcer: 'shop-1' }, { by: 'carol' }]);
  const { secret } = readCode(code);
  const text = JSON.stringify(events);
  expect(text).toContain(hashOf(secret));
  for (const spelling of [secret.toString('base64url'), secret.toString('base64'), secret.toString('hex')]) expect(text).not.toContain(spelling);
});

test('E6: a code works once; for the key that used it, again while it is valid: the answer may have been lost', async () => {
  const clock = new FakeClock(new Date().toISOString());
  await using bed = await enrolmentBed({ clock });
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  const request = (await makeRequest('shop-1', await makeKey())).toString('base64');
  expect(await ask(bed, code, { request })).toHaveProperty('certificate');
  expect(await ask(bed, code, { request })).toHaveProperty('certificate');
  expect(await ask(bed, code)).toMatchObject({ error: { code: 'JOIN_REFUSED' } });
  clock.pass(MINUTE_MS + 1);
  expect(await ask(bed, code, { request })).toMatchObject({ error: { code: 'JOIN_REFUSED' } });
});

test('E6: of twenty that use one code at once, one joins', async () => {
  await using bed = await enrolmentBed();
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask(bed, code)));
  expect(answers.filter((answer) => 'certificate' in answer)).toHaveLength(1);
  expect(answers.filter((answer) => (answer['error'] as { code?: string } | undefined)?.code === 'JOIN_REFUSED')).toHaveLength(19);
});

test('E6: codes that are expired, unknown, replaced by a newer one, revoked, or another’s are refused alike', async () => {
  const clock = new FakeClock(new Date().toISOString());
  await using bed = await enrolmentBed({ clock });
  const add = async (name: string): Promise<string> => (await bed.enrolment.add({ name, targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' })).code;
  const replaced = await add('shop-1');
  const newest = await add('shop-1');
  const revoked = await add('shop-2');
  await bed.enrolment.remove('shop-2', 'root');
  const [prefix, , , authority] = newest.split('.');
  const unknown = [prefix, 'shop-1', Buffer.alloc(24, 7).toString('base64url'), authority].join('.');
  const others = newest.replace('shop-1', 'shop-3');
  const refusals = await Promise.all([replaced, revoked, unknown, others].map((code) => ask(bed, code)));
  clock.pass(MINUTE_MS + 1);
  refusals.push(await ask(bed, newest));
  expect(new Set(refusals.map((answer) => JSON.stringify(answer))).size).toBe(1);
  expect(refusals[0]).toMatchObject({ error: { code: 'JOIN_REFUSED' } });
});

test('E6: a name that has joined is not given away, but replaced when that is asked for: who was there is no longer let in', async () => {
  await using bed = await enrolmentBed();
  const first = await identityAt(await joined(bed, 'shop-1'));
  let changes = 0;
  bed.enrolment.onChange(() => changes++);
  const ask = { name: 'shop-1', targets: ['shop', 'stock'], ttlMs: MINUTE_MS, by: 'root' };
  await expect(bed.enrolment.add(ask)).rejects.toMatchObject({ code: 'ENFORCER_EXISTS' });
  const { code } = await bed.enrolment.add({ ...ask, replace: true });
  expect(admitted(bed, first)).not.toBeNull(); // until somebody uses it
  const second = await identityAt(await joinAt(bed, code, bed.folder()).then(() => bed.lastFolder));
  expect(changes).toBe(1);
  expect(admitted(bed, first)).toBeNull();
  expect(admitted(bed, second)).toMatchObject({ targets: ['shop', 'stock'] });
});

const REQUESTS: readonly (readonly [what: string, make: () => Promise<Buffer>])[] = [
  ['another name', async () => makeRequest('shop-2', await makeKey())],
  ['a name with more behind it', async () => signedRequest('CN=shop-1, O=admins')],
  ['a key of P-384', async () => signedRequest('CN=shop-1', { algorithm: { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } })],
  ['an RSA key', async () => signedRequest('CN=shop-1', { algorithm: RSA })],
  ['an Ed25519 key', async () => signedRequest('CN=shop-1', { algorithm: { name: 'Ed25519' } })],
  ['an authority’s certificate', async () => signedRequest('CN=shop-1', { extensions: [new x509.BasicConstraintsExtension(true, 1, true)] })],
  [
    'names of its own',
    async () =>
      signedRequest('CN=shop-1', { extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'url', value: 'interlock://target/bank' }])] }),
  ],
  ['a password among its attributes', async () => signedRequest('CN=shop-1', { attributes: [new x509.ChallengePasswordAttribute('x')] })],
  ['a signature of another key', async () => flipped(await makeRequest('shop-1', await makeKey()), -1)],
  ['bytes behind its end', async () => Buffer.concat([await makeRequest('shop-1', await makeKey()), Buffer.of(0)])],
  ['half of it', async () => (await makeRequest('shop-1', await makeKey())).subarray(0, 100)],
  ['more than there is room for', async () => Buffer.alloc(LIMITS.requestBytes + 1, 0x30)],
  ['nothing', async () => Buffer.alloc(0)],
];

test.for(REQUESTS)('E6: a request with %s is refused, and the code still stands', async ([, make]) => {
  await using bed = await enrolmentBed();
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  expect(await ask(bed, code, { request: (await make()).toString('base64') })).toMatchObject({ error: { code: 'CERTIFICATE_REFUSED' } });
  expect(await ask(bed, code)).toHaveProperty('certificate');
});

const QUESTIONS: readonly (readonly [what: string, bytes: Buffer])[] = [
  ['no JSON', framed('{')],
  ['JSON of another form', framed('{"name":"shop-1"}')],
  ['texts that are none', framed('{"name":1,"secret":[],"request":null}')],
  ['a longer frame than there may be', Buffer.from([0x7f, 0xff, 0xff, 0xff, 1, 2, 3])],
  ['an endless one', Buffer.alloc(LIMITS.frameBytes * 2, 0x20)],
  ['two questions', Buffer.concat([framed('{}'), framed('{}')])],
];

test.for(QUESTIONS)('E6: %s instead of a question gets no certificate, and the engine goes on', async ([, bytes]) => {
  await using bed = await enrolmentBed();
  const socket = await dial(bed.address);
  socket.write(bytes);
  const answer = await readFrame(socket).catch(() => null); // cut off
  expect(JSON.stringify(answer)).not.toContain('certificate');
  socket.destroy();
  await joined(bed, 'shop-1');
});

test('E6: only so many join at a time, and one that says nothing is cut off: the others come in', async () => {
  await using bed = await enrolmentBed();
  const idle = await Promise.all(Array.from({ length: LIMITS.joining }, () => dial(bed.address)));
  const over = await dial(bed.address);
  await expect(readFrame(over)).rejects.toThrow();
  for (const socket of idle) socket.destroy();
  await expect.poll(async () => await joined(bed, 'shop-1').catch(() => null)).not.toBeNull();
});

/** Certificates that the installation's own authority signed, so that only what they say is wrong; and some of another. */
const CERTIFICATES: readonly (readonly [what: string, make: (world: World) => Promise<X509Certificate>])[] = [
  ['of another installation', async ({ other, holder }) => issued(other, holder)],
  ['of an engine', async ({ authority }) => issued(authority, { kind: 'engine', name: 'shop-1' })],
  ['of an authority', async ({ bed }) => new X509Certificate(readFileSync(joinPath(bed.keysDir, 'authority.crt')))],
  ['that has ended', async ({ authority, holder }) => issued(authority, holder, -MINUTE_MS)],
  ['for more targets than were granted', async ({ authority, holder }) => issued(authority, { ...holder, targets: ['shop', 'bank'] })],
  ['for other targets', async ({ authority, holder }) => issued(authority, { ...holder, targets: ['bank'] })],
  ['for one target twice', async ({ authority, holder }) => issued(authority, { ...holder, targets: ['shop', 'shop'] })],
  ['of somebody who is not enrolled', async ({ authority, holder }) => issued(authority, { ...holder, name: 'shop-9' })],
  ['of another enrolment', async ({ authority, holder }) => issued(authority, { ...holder, enrolment: 'enr_01J00000000000000000000000' })],
  ['that hides names in a name', async ({ authority, holder }) => issued(authority, { ...holder, targets: ['shop, URI:interlock://target/bank'] })],
  ['with a slash in its target', async ({ authority, holder }) => issued(authority, { ...holder, targets: ['shop/../bank'] })],
];

test.for(CERTIFICATES)('E6: a certificate %s is not let in', async ([, make]) => {
  await using bed = await enrolmentBed();
  const identity = await identityAt(await joined(bed, 'shop-1'));
  const world: World = {
    bed,
    authority: await openAuthority(bed.keysDir, systemClock),
    other: await openAuthority(bed.folder(), systemClock),
    holder: holderIn(identity),
  };
  expect(bed.enrolment.authorise(await issued(world.authority, world.holder))).not.toBeNull(); // the frame of the test is right
  expect(bed.enrolment.authorise(await make(world))).toBeNull();
});

const URIS = ({ name, enrolment, targets }: World['holder']): x509.JsonGeneralName[] =>
  urisOf({ kind: 'enforcer', name, enrolment, targets }).map((value) => ({ type: 'url', value }));
const CLIENT = new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]);

/** What no engine of ours makes, though its authority could: somebody had the key. */
const MADE: readonly (readonly [what: string, extensions: (holder: World['holder']) => x509.Extension[], good?: true])[] = [
  ['as ours are', (holder) => [CLIENT, new x509.SubjectAlternativeNameExtension(URIS(holder))], true],
  [
    'for servers',
    (holder) => [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]), new x509.SubjectAlternativeNameExtension(URIS(holder))],
  ],
  [
    'for both',
    (holder) => [
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth, x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(URIS(holder)),
    ],
  ],
  ['for whatever', (holder) => [new x509.SubjectAlternativeNameExtension(URIS(holder))]],
  [
    'whose names are called hosts',
    (holder) => [CLIENT, new x509.SubjectAlternativeNameExtension(URIS(holder).map((uri) => ({ ...uri, type: 'dns' })))],
  ],
  [
    'with a host beside its names',
    (holder) => [CLIENT, new x509.SubjectAlternativeNameExtension([...URIS(holder), { type: 'dns', value: 'localhost' }])],
  ],
  [
    'that may sign others',
    (holder) => [new x509.BasicConstraintsExtension(true, 0, true), CLIENT, new x509.SubjectAlternativeNameExtension(URIS(holder))],
  ],
  ['without names', () => [CLIENT]],
];

test.for(MADE)('E6: a certificate of the authority %s', async ([, extensions, good = false]) => {
  await using bed = await enrolmentBed();
  const identity = await identityAt(await joined(bed, 'shop-1'));
  const certificate = await signed(bed, extensions(holderIn(identity)));
  expect(bed.enrolment.authorise(certificate) !== null).toBe(good);
});

test('E6: an enforcer takes no enforcer, not even itself, for an engine', async () => {
  await using bed = await enrolmentBed();
  const identity = await identityAt(await joined(bed, 'shop-1'));
  expect(identity.authorise(new X509Certificate(bed.enrolment.tls().cert))).toMatchObject({ kind: 'engine' });
  expect(identity.authorise(new X509Certificate(identity.tls().cert))).toBeNull();
});

test('E6: it is told within a second that a certificate has ended', async () => {
  const clock = new FakeClock(new Date().toISOString());
  await using bed = await enrolmentBed({ clock });
  const identity = await identityAt(await joined(bed, 'shop-1'));
  let changes = 0;
  bed.enrolment.onChange(() => changes++);
  clock.pass(LIMITS.certificateMs + 1_000);
  await expect.poll(() => changes, { timeout: 1_000 }).toBe(1);
  expect(admitted(bed, identity)).toBeNull();
});

test('E6: of two engines that let the same code in at once, the order of their events says which join counts', async () => {
  await using bed = await enrolmentBed();
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  await joinAt(bed, code, bed.folder());
  const [, join] = (await bed.events()).filter(({ type }) => type.startsWith('enforcer.'));
  const later = { ...join, seq: (join?.seq ?? 0) + 1, key: `sha256:${'e'.repeat(64)}`, not_after: '2036-01-01T00:00:00.000000Z' } as unknown as Event;
  const before = bed.enrolment.show('shop-1');
  bed.enrolment.follow(later);
  expect(bed.enrolment.show('shop-1')).toEqual(before);
});

test('E6: clocks of two machines may differ by minutes, not more', async () => {
  const now = Date.now();
  const at = (ms: number): Clock => ({ wallUs: () => (now + ms) * 1000, monotonicUs: () => 0 });
  await using bed = await enrolmentBed();
  const dir = await joined(bed, 'shop-1');
  const engine = new X509Certificate(bed.enrolment.tls().cert);
  const seenAt = async (ms: number): Promise<Peer | null> => (await openIdentity({ dir, clock: at(ms), log: silentLog })).authorise(engine);
  expect(await seenAt(-4 * MINUTE_MS)).toMatchObject({ kind: 'engine' });
  expect(await seenAt(-6 * MINUTE_MS)).toBeNull();
  await expect(seenAt(LIMITS.certificateMs + MINUTE_MS)).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED' });
});

test('E6: who is removed is not let in, may not use a code that was out, and stays removed after a restart', async () => {
  await using bed = await enrolmentBed();
  const identity = await identityAt(await joined(bed, 'shop-1'));
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root', replace: true });
  const removed: string[] = [];
  bed.enrolment.onRemoved((name) => removed.push(name));
  expect(await bed.enrolment.remove('shop-1', 'root')).toMatchObject({ state: 'removed', certificate_until: null });
  expect(removed).toEqual(['shop-1']);
  expect(admitted(bed, identity)).toBeNull();
  await bed.restart();
  expect(admitted(bed, identity)).toBeNull();
  expect(await ask(bed, code)).toMatchObject({ error: { code: 'JOIN_REFUSED' } });
  expect(bed.enrolment.list()).toMatchObject([{ name: 'shop-1', state: 'removed' }]);
});

test('E6: after a restart who joined is let in, and a code that is out can be used once', async () => {
  await using bed = await enrolmentBed();
  const identity = await identityAt(await joined(bed, 'shop-1'));
  const { code } = await bed.enrolment.add({ name: 'shop-2', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  await bed.restart();
  expect(admitted(bed, identity)).toMatchObject({ name: 'shop-1' });
  expect(await ask(bed, code)).toHaveProperty('certificate');
  expect(await ask(bed, code)).toMatchObject({ error: { code: 'JOIN_REFUSED' } });
});

test('another engine that follows the events knows the same enforcers', async () => {
  await using one = await enrolmentBed();
  await using other = await enrolmentBed();
  await joined(one, 'shop-1');
  await joined(one, 'shop-2');
  await one.enrolment.remove('shop-1', 'root');
  let changes = 0;
  other.enrolment.onChange(() => changes++);
  for await (const event of one.journal.events()) other.enrolment.follow(event);
  for await (const event of one.journal.events()) other.enrolment.follow(event); // seen twice is seen once
  // the microseconds between placing an event and reading it back are not the same
  const roughly = ({ enrolment }: EnrolmentBed): unknown => enrolment.list().map((each) => ({ ...each, joined_at: each.joined_at?.slice(0, 21) }));
  expect(roughly(other)).toEqual(roughly(one));
  expect(changes).toBe(3);
});

test('E6: whoever answers in the engine’s place is told nothing', async () => {
  await using bed = await enrolmentBed();
  await using other = await enrolmentBed();
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  const enforcer = await identityAt(await joined(bed, 'shop-2'));
  const authority = readFileSync(joinPath(bed.keysDir, 'authority.crt'), 'utf8');
  const foreign = other.enrolment.tls();
  const impostors = {
    'with an authority of its own': foreign,
    'that shows our authority behind its own certificate': { ...foreign, cert: `${foreign.cert}${authority}` },
    'with an enforcer’s certificate': { ...enforcer.tls(), cert: `${enforcer.tls().cert}${authority}` },
  };
  for (const [who, tls] of Object.entries(impostors)) {
    const heard: Buffer[] = [];
    const server = await bed.port({
      tls: () => tls,
      joining: { protocol: JOIN_PROTOCOL, serve: (socket) => socket.on('data', (data) => heard.push(data)).on('error', () => {}) },
    });
    await expect(join({ dir: bed.folder(), engines: [server.address], code, clock: systemClock }), who).rejects.toMatchObject({
      code: 'ENGINE_UNTRUSTED',
    });
    expect(heard, who).toEqual([]);
  }
  expect(await ask(bed, code)).toHaveProperty('certificate');
});

test('E6: a join that is cut off after the code was used goes through at the second try, with the same key', async () => {
  await using bed = await enrolmentBed();
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  const cutting = await bed.port({
    tls: () => bed.enrolment.tls(),
    joining: {
      protocol: JOIN_PROTOCOL,
      serve: (socket) => {
        socket.end = () => socket.destroy(); // the answer is lost
        bed.enrolment.joining.serve(socket);
      },
    },
  });
  const dir = bed.folder();
  await expect(join({ dir, engines: [cutting.address], code, clock: systemClock })).rejects.toMatchObject({ code: 'NOT_REACHABLE' });
  expect(bed.enrolment.show('shop-1')).toMatchObject({ state: 'joined' });
  await joinAt(bed, code, dir);
  expect(admitted(bed, await identityAt(dir))).toMatchObject({ name: 'shop-1' });
});

test('a code that is none, an address that is none, and a second join are said in words', async () => {
  await using bed = await enrolmentBed();
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' });
  const dir = bed.folder();
  const trying = async (change: object): Promise<Joined> => await join({ dir, engines: [bed.address], code, clock: systemClock, ...change });
  for (const wrong of ['', 'ilj1', code.slice(0, -1), `${code}x`, code.replace('ilj1', 'ilj2'), 'x'.repeat(1000)])
    await expect(trying({ code: wrong })).rejects.toMatchObject({ code: 'USAGE' });
  for (const engines of [[], ['localhost'], ['localhost:0'], ['localhost:x']])
    await expect(trying({ engines })).rejects.toMatchObject({ code: 'USAGE' });
  await expect(trying({ engines: ['127.0.0.1:1'] })).rejects.toMatchObject({ code: 'NOT_REACHABLE' });
  await trying({ engines: ['127.0.0.1:1', bed.address] });
  await expect(trying({})).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining('already') });
});

test('what is asked for wrongly is refused before a code is made', async () => {
  await using bed = await enrolmentBed();
  const good = { name: 'shop-1', targets: ['shop'], ttlMs: MINUTE_MS, by: 'root' };
  const wrong = [
    { name: 'Shop' },
    { name: '' },
    { name: 'a'.repeat(64) },
    { name: '../x' },
    { targets: [] },
    { targets: ['a b'] },
    { targets: Array.from({ length: LIMITS.targetsPerEnforcer + 1 }, (_, at) => `t${at}`) },
    { ttlMs: 0 },
    { ttlMs: Number.NaN },
    { ttlMs: LIMITS.codeTtlMsMax + 1 },
  ];
  for (const change of wrong) await expect(bed.enrolment.add({ ...good, ...change })).rejects.toMatchObject({ code: 'USAGE' });
  expect(bed.enrolment.list()).toEqual([]);
  expect(() => bed.enrolment.show('shop-1')).toThrow(expect.objectContaining({ code: 'ENFORCER_NOT_FOUND' }) as Error);
  await expect(bed.enrolment.remove('shop-1', 'root')).rejects.toMatchObject({ code: 'ENFORCER_NOT_FOUND' });
});

const TRUSTED = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
const RSA = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };

interface World {
  readonly bed: EnrolmentBed;
  readonly authority: Authority;
  readonly other: Authority;
  readonly holder: Extract<Holder, { kind: 'enforcer' }>;
}

function holderIn(identity: EnforcerIdentity): World['holder'] {
  const { subjectAltName = '' } = new X509Certificate(identity.tls().cert);
  const enrolment = /enforcer\/shop-1\/(enr_\w+)/.exec(subjectAltName)?.[1] ?? '';
  return { kind: 'enforcer', name: 'shop-1', enrolment, targets: ['shop'] };
}

/** With the authority's own key, by somebody who has read it. */
async function signed(bed: EnrolmentBed, extensions: x509.Extension[]): Promise<X509Certificate> {
  const pkcs8 = createPrivateKey(readFileSync(joinPath(bed.keysDir, 'authority.key'))).export({ type: 'pkcs8', format: 'der' });
  const signingKey = await webcrypto.subtle.importKey('pkcs8', Uint8Array.from(pkcs8), ALGORITHM, false, ['sign']);
  const authority = new x509.X509Certificate(readFileSync(joinPath(bed.keysDir, 'authority.crt'), 'utf8'));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: '4e',
    subject: 'CN=shop-1',
    issuer: authority.subject,
    notBefore: new Date(Date.now() - MINUTE_MS),
    notAfter: new Date(Date.now() + MINUTE_MS),
    signingAlgorithm: ALGORITHM,
    publicKey: (await makeKey()).pair.publicKey as never,
    signingKey: signingKey as never,
    extensions,
  });
  return new X509Certificate(certificate.toString('pem'));
}

function joinAt(bed: EnrolmentBed, code: string, dir: string): Promise<Joined> {
  return join({ dir, engines: [bed.address], code, clock: systemClock });
}

/** Joins as `name` for `shop`; the folder. */
async function joined(bed: EnrolmentBed, name: string): Promise<string> {
  const { code } = await bed.enrolment.add({ name, targets: ['shop'], ttlMs: MINUTE_MS, by: 'root', replace: true });
  const dir = bed.folder();
  await joinAt(bed, code, dir);
  return dir;
}

function identityAt(dir: string): Promise<EnforcerIdentity> {
  return openIdentity({ dir, clock: systemClock, log: silentLog });
}

function admitted(bed: EnrolmentBed, identity: EnforcerIdentity): Peer | null {
  return bed.enrolment.authorise(new X509Certificate(identity.tls().cert));
}

/** One question as an attacker would put it: the name of the code, a new key, unless said otherwise. */
async function ask(bed: EnrolmentBed, code: string, question: { readonly request?: string } = {}): Promise<Record<string, unknown>> {
  const { name, secret } = readCode(code);
  const request = question.request ?? (await makeRequest(name, await makeKey())).toString('base64');
  const socket = await dial(bed.address);
  socket.write(framed(JSON.stringify({ name, secret: secret.toString('base64url'), request })));
  const answer = (await readFrame(socket)) as Record<string, unknown>;
  socket.destroy();
  return answer;
}

async function dial(address: string): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: Number(address.split(':')[1]), rejectUnauthorized: false, ALPNProtocols: [JOIN_PROTOCOL] });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('secureConnect', resolve));
  return socket;
}

function framed(json: string): Buffer {
  const body = Buffer.from(json);
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

async function signedRequest(
  name: string,
  { algorithm = ALGORITHM, ...rest }: { algorithm?: object; extensions?: x509.Extension[]; attributes?: x509.Attribute[] } = {},
): Promise<Buffer> {
  const keys = (await webcrypto.subtle.generateKey(algorithm as never, true, ['sign', 'verify'])) as never;
  return Buffer.from((await x509.Pkcs10CertificateRequestGenerator.create({ name, keys, signingAlgorithm: algorithm as never, ...rest })).rawData);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] as number) ^ 1;
  return bytes;
}

async function issued(authority: Authority, holder: Holder, lifeMs: number = MINUTE_MS): Promise<X509Certificate> {
  const { pair } = await makeKey();
  const publicKey = new Uint8Array(await webcrypto.subtle.exportKey('spki', pair.publicKey));
  return new X509Certificate((await authority.issue({ holder, publicKey, lifeMs })).pem);
}
