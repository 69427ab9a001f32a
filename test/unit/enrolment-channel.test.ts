/** Enrolment on the channel itself (E6, issue 5): one port for joining and for speaking, renewal by itself, removal within a second. */
import { expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { openDialer } from '#engine/channel/dialer';
import { openListener } from '#engine/channel/listener';
import type { Dialer, Listener } from '#engine/channel/parts';
import { openIdentity } from '#engine/enrolment/identity';
import { makeKey, makeRequest } from '#engine/enrolment/certificate-request';
import { RENEW_METHOD } from '#engine/enrolment/issuing';
import { join } from '#engine/enrolment/join';
import type { EnforcerIdentity } from '#engine/enrolment/parts';
import { type EnrolmentBed, enrolmentBed } from '#test/support/enrolment';
import { stopwatch } from '#test/support/stopwatch';

const DAY_MS = 86_400_000;

test('E6: who joined speaks; who is removed is cut off within a second, and neither comes back nor gets a certificate', async () => {
  await using bed = await enrolmentBed();
  await using engine = await listening(bed);
  await using enforcer = await enforcing(bed, engine.address, 'shop-1');
  const channel = await enforcer.dialer.ready(5_000);
  expect(engine.listener.channels()[0]?.peer).toMatchObject({ name: 'shop-1', targets: ['shop'] });
  const closed = new Promise<void>((resolve) => channel.onClose(() => resolve()));
  const request = await makeRequest('shop-1', await makeKey());
  using started = stopwatch();
  await bed.enrolment.remove('shop-1', 'root');
  await closed;
  expect(started.ms()).toBeLessThan(1_000);
  expect(engine.listener.channels()).toEqual([]);
  await expect.poll(() => enforcer.dialer.status().attempts, { timeout: 10_000 }).toBeGreaterThan(1);
  expect(enforcer.dialer.channel).toBeNull();
  await expect(channel.call(RENEW_METHOD, request, { deadlineMs: 1_000 })).rejects.toThrow();
});

test('E6: of a connection that outlived its enrolment, renewal is refused', async () => {
  await using bed = await enrolmentBed();
  await using engine = await listening(bed, { cut: false });
  await using enforcer = await enforcing(bed, engine.address, 'shop-1');
  const channel = await enforcer.dialer.ready(5_000);
  const renew = async (): Promise<unknown> => await channel.call(RENEW_METHOD, await makeRequest('shop-1', await makeKey()), { deadlineMs: 1_000 });
  await renew();
  await expect(renew()).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED', message: expect.stringContaining('just now') }); // not as often as it likes
  await expect(channel.call(RENEW_METHOD, await makeRequest('bank-1', await makeKey()), { deadlineMs: 1_000 })).rejects.toMatchObject({
    code: 'CERTIFICATE_REFUSED',
  });
  const { code } = await bed.enrolment.add({ name: 'shop-1', targets: ['shop', 'bank'], ttlMs: 60_000, by: 'root', replace: true });
  await join({ dir: bed.folder(), engines: [engine.address], code, clock: systemClock });
  await expect(renew()).rejects.toMatchObject({ code: 'CERTIFICATE_REFUSED', message: expect.stringContaining('any more') });
});

test('E6: a certificate is renewed by itself before it ends, and the channel goes over to it; one that ends unrenewed is cut off', async () => {
  await using bed = await enrolmentBed({ certificateMs: 4_000 });
  await using engine = await listening(bed);
  await using renewing = await enforcing(bed, engine.address, 'shop-1');
  await using idle = await enforcing(bed, engine.address, 'shop-2', { renews: false });
  const first = await renewing.dialer.ready(5_000);
  const other = await idle.dialer.ready(5_000);
  const before = engine.listener.channels().find(({ peer }) => peer.name === 'shop-1')?.peer.fingerprint;
  await expect.poll(() => renewing.identity.expiresAtMs, { timeout: 10_000 }).toBeGreaterThan(Date.now() + 3_000);
  await expect.poll(() => (renewing.dialer.channel === first ? null : renewing.dialer.channel), { timeout: 5_000 }).not.toBeNull();
  const now = engine.listener.channels().findLast(({ peer }) => peer.name === 'shop-1')?.peer.fingerprint;
  expect(now).not.toBe(before);
  await expect.poll(() => other.ended, { timeout: 10_000 }).not.toBeNull();
  const types = (await bed.events()).map(({ type }) => type);
  expect(types).toContain('enforcer.renewed');
});

test('E6: without a certificate nothing but joining is served on the port', async () => {
  await using bed = await enrolmentBed();
  await using other = await enrolmentBed();
  await using engine = await listening(bed);
  await using theirs = await listening(other);
  await using stranger = await enforcing(other, theirs.address, 'shop-1', { engines: [engine.address] });
  await expect(stranger.dialer.ready(1_500)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  expect(engine.listener.channels()).toEqual([]);
});

interface Listening extends AsyncDisposable {
  readonly listener: Listener;
  readonly address: string;
}

async function listening(bed: EnrolmentBed, { cut = true }: { readonly cut?: boolean } = {}): Promise<Listening> {
  const { enrolment } = bed;
  const { authorise, calls, joining } = enrolment;
  const listener = await openListener({
    tls: () => enrolment.tls(),
    authorise,
    handlers: { calls },
    joining,
    listen: { host: '127.0.0.1', port: 0 },
    clock: systemClock,
    log: silentLog,
    software: 'test',
  });
  if (cut) enrolment.onChange(() => listener.reauthorise());
  return { listener, address: `127.0.0.1:${listener.address.port}`, [Symbol.asyncDispose]: () => listener.close() };
}

interface Enforcing extends AsyncDisposable {
  readonly identity: EnforcerIdentity;
  readonly dialer: Dialer;
}

async function enforcing(
  bed: EnrolmentBed,
  address: string,
  name: string,
  { renews = true, engines = [address] }: { readonly renews?: boolean; readonly engines?: readonly string[] } = {},
): Promise<Enforcing> {
  const { code } = await bed.enrolment.add({ name, targets: ['shop'], ttlMs: DAY_MS, by: 'root' });
  const dir = bed.folder();
  await join({ dir, engines: [address], code, clock: systemClock });
  const identity = await openIdentity({ dir, clock: systemClock, log: silentLog });
  const dialer = openDialer({
    engines,
    tls: () => identity.tls(),
    authorise: identity.authorise,
    clock: systemClock,
    log: silentLog,
    software: 'test',
  });
  identity.onRenewed(() => dialer.rotated());
  if (renews) identity.start(dialer);
  return {
    identity,
    dialer,
    [Symbol.asyncDispose]: async () => {
      identity.close();
      await dialer.close();
    },
  };
}
