/** Who gets in: both certificates, the right kind, still valid, still enrolled (E6). */
import { describe, expect, test, vi } from 'vitest';
import type { Log } from '#client/log';
import { silentLog } from '#client/log';
import { openDialer } from '#engine/channel/dialer';
import { openListener } from '#engine/channel/listener';
import type { Channel, Listener, Peer, TlsIdentity } from '#engine/channel/parts';
import { InterlockError } from '#schemas/errors';
import { systemClock } from '#client/clock';
import { channelPair, type ChannelAuthority, LOOPBACK, makeChannelAuthority, PARTS, peerOf } from '#test/support/channel';
import { hello, rawEnforcer } from '#test/support/raw-channel';
import { stopwatch } from '#test/support/stopwatch';

const HOUR_MS = 3_600_000;

function noted(): { log: Log; problems: string[] } {
  const problems: string[] = [];
  const note = (fields: object): void => void problems.push(String((fields as { problem?: unknown }).problem));
  return { problems, log: { ...silentLog, warn: note, error: note } };
}

async function listening(authority: ChannelAuthority, log: Log): Promise<Listener> {
  const identity = await authority.issue({ name: 'engine-1', kind: 'engine' });
  return openListener({ ...PARTS, log, listen: LOOPBACK, tls: () => identity });
}

/** What the dialer says of it. */
async function refusal(listener: Listener, identity: TlsIdentity): Promise<string> {
  const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${listener.address.port}`], tls: () => identity });
  try {
    await vi.waitFor(() => expect(dialer.status().attempts).toBeGreaterThan(0));
    expect(dialer.channel).toBeNull();
    await expect(dialer.call('echo', Buffer.alloc(0), { deadlineMs: 1_000 })).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    return dialer.status().error ?? '';
  } finally {
    await dialer.close();
  }
}

describe('E6: who is not let in', () => {
  test('an expired certificate, one not yet valid, one of another authority', async () => {
    const authority = await makeChannelAuthority();
    const { log, problems } = noted();
    const listener = await listening(authority, log);
    const now = Date.now();
    const expired = await authority.issue({ name: 'a', kind: 'enforcer', notBeforeMs: now - 2 * HOUR_MS, notAfterMs: now - HOUR_MS });
    const early = await authority.issue({ name: 'a', kind: 'enforcer', notBeforeMs: now + HOUR_MS, notAfterMs: now + 2 * HOUR_MS });
    const stranger = await (await makeChannelAuthority()).issue({ name: 'a', kind: 'enforcer' });
    expect(await refusal(listener, expired)).toContain('our own certificate expired');
    expect(await refusal(listener, early)).toContain('not valid before');
    expect(await refusal(listener, { ...stranger, ca: authority.ca })).toContain('it does not accept');
    expect(problems).toEqual(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID', expect.stringMatching(/UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|SIGNATURE/)]);
    expect(listener.channels()).toEqual([]);
    await listener.close();
  });

  test('no certificate, another ALPN or none, an older TLS', async () => {
    const authority = await makeChannelAuthority();
    const listener = await listening(authority, silentLog);
    const { port } = listener.address;
    const mine = await authority.issue({ name: 'a', kind: 'enforcer' });
    const rejected = (options: Parameters<typeof rawEnforcer>[2], identity: Partial<TlsIdentity> = mine): Promise<unknown> =>
      rawEnforcer(port, { ca: authority.ca, ...identity }, options).then(
        async (end) => {
          end.send(hello());
          const told = await end.farewell().catch(() => ({ message: 'closed' }));
          await end.gone();
          return told.message;
        },
        (error: Error) => error.message,
      );
    expect(await rejected({}, {})).toBe('closed');
    expect(await rejected({ ALPNProtocols: ['http/1.1'] })).toContain('alert no application protocol');
    expect(await rejected({ ALPNProtocols: [] })).toContain('does not speak interlock/1');
    expect(await rejected({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })).toMatch(/protocol version|unsupported protocol/);
    expect(listener.channels()).toEqual([]);
    await listener.close();
  });

  test('a certificate of the wrong kind, at either end', async () => {
    const authority = await makeChannelAuthority();
    const { log, problems } = noted();
    // both would do for TLS: what they are stands in what `authorise` reads
    const engine = await authority.issue({ name: 'engine-1', kind: 'engine' });
    const enforcer = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
    const swap = (kind: Peer['kind']) => (certificate: Parameters<typeof peerOf>[0]) => ({ ...peerOf(certificate), kind });
    const listener = await openListener({ ...PARTS, log, listen: LOOPBACK, tls: () => engine, authorise: swap('engine') });
    expect(await refusal(listener, enforcer)).toContain('its certificate is that of an engine');
    expect(problems).toContain('its certificate is that of an engine');
    const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${listener.address.port}`], tls: () => enforcer, authorise: swap('enforcer') });
    await vi.waitFor(() => expect(dialer.status().error).toContain('that of an enforcer'));
    await dialer.close();
    await listener.close();
    // and TLS itself takes an enforcer's certificate for no server
    const posing = await openListener({ ...PARTS, listen: LOOPBACK, tls: () => enforcer });
    expect(await refusal(posing, enforcer)).toMatch(/purpose/);
    await posing.close();
  });

  test('a certificate that `authorise` does not know, or fails on', async () => {
    const authority = await makeChannelAuthority();
    const identity = await authority.issue({ name: 'engine-1', kind: 'engine' });
    const enforcer = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
    for (const authorise of [
      () => null,
      (): Peer => {
        throw new Error('the registry is broken');
      },
    ]) {
      const listener = await openListener({ ...PARTS, listen: LOOPBACK, tls: () => identity, authorise });
      expect(await refusal(listener, enforcer)).toMatch(/unknown here, or was removed|could not be judged/);
      await listener.close();
    }
  });
});

describe('who is in, and no longer may be', () => {
  test('is cut off within a second when it is removed, and does not come back', async () => {
    const enrolled = new Set(['engine-1', 'shop-1']);
    const authorise = (certificate: Parameters<typeof peerOf>[0]): Peer | null =>
      enrolled.has(peerOf(certificate).name) ? peerOf(certificate) : null;
    await using pair = await channelPair({ listener: { authorise } });
    const waiting = pair.there.call('none', Buffer.alloc(0), { deadlineMs: 60_000 }).catch(() => {});
    const ended = new Promise<InterlockError>((resolve) => pair.here.onClose(resolve));
    enrolled.delete('shop-1');
    using started = stopwatch();
    expect(pair.listener.disconnect('shop-1')).toBe(1);
    expect(await ended).toMatchObject({ code: 'CHANNEL_REFUSED', message: expect.stringContaining('it was removed') });
    expect(started.ms()).toBeLessThan(1_000);
    await waiting;
    await vi.waitFor(() => expect(pair.dialer.status().attempts).toBeGreaterThan(1));
    expect(pair.listener.channels()).toEqual([]);
    expect(pair.listener.disconnect('nobody')).toBe(0);
  });

  test('is told by its peer for which other targets it may ask, or cut off, when all are asked again', async () => {
    let targets: readonly string[] | null = ['shop'];
    const authorise = (certificate: Parameters<typeof peerOf>[0]): Peer | null => (targets === null ? null : { ...peerOf(certificate), targets });
    await using pair = await channelPair({ listener: { authorise } });
    targets = ['shop', 'crm'];
    pair.listener.reauthorise();
    expect(pair.there.peer.targets).toEqual(['shop', 'crm']);
    targets = null;
    pair.listener.reauthorise();
    expect(pair.there.ended).not.toBeNull();
  });

  test('is cut off when its certificate expires meanwhile, or a heartbeat finds it removed', async () => {
    let aheadUs = 0;
    const clock = { wallUs: () => systemClock.wallUs() + aheadUs, monotonicUs: () => systemClock.monotonicUs() };
    await using pair = await channelPair({ listener: { clock, limits: { heartbeatMs: 20 } } });
    const ended = new Promise<InterlockError>((resolve) => pair.here.onClose(resolve));
    aheadUs = 2 * 86_400_000_000;
    expect((await ended).message).toContain('its certificate expired');
  });
});

describe('rotation', () => {
  test('a new certificate of the enforcer takes the old one’s place, without a call lost', async () => {
    const authority = await makeChannelAuthority();
    const engine = await authority.issue({ name: 'engine-1', kind: 'engine' });
    let mine = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
    const echo = (payload: Uint8Array): Uint8Array => payload;
    const answer = Promise.withResolvers<Uint8Array>();
    const slow = (): Promise<Uint8Array> => answer.promise;
    const listener = await openListener({ ...PARTS, listen: LOOPBACK, tls: () => engine, handlers: { calls: { echo, slow } } });
    const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${listener.address.port}`], tls: () => mine });
    const before = await dialer.ready(5_000);
    const changes: (Channel | null)[] = [];
    dialer.onChange((channel) => changes.push(channel));
    const [fingerprint] = listener.channels().map(({ peer }) => peer.fingerprint);
    const underWay = dialer.call('slow', Buffer.alloc(0), { deadlineMs: 5_000 });
    mine = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
    dialer.rotated();
    while (dialer.channel === before) await dialer.call('echo', Buffer.from('a'), { deadlineMs: 1_000 });
    answer.resolve(Buffer.from('slow')); // not before another connection is in use
    expect(String(await underWay)).toBe('slow');
    await vi.waitFor(() => expect(listener.channels()).toHaveLength(1));
    expect(listener.channels()[0]?.peer.fingerprint).not.toBe(fingerprint);
    expect(changes).toEqual([dialer.channel]);
    expect(before.ended?.message).toContain('another connection took its place');
    await dialer.close();
    await listener.close();
  });

  test('a new certificate of the engine is shown to whoever comes next', async () => {
    const authority = await makeChannelAuthority();
    let identity = await authority.issue({ name: 'engine-1', kind: 'engine' });
    const mine = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
    const listener = await openListener({ ...PARTS, listen: LOOPBACK, tls: () => identity, limits: { heartbeatMs: 20 } });
    identity = await authority.issue({ name: 'engine-1-new', kind: 'engine' });
    await vi.waitFor(async () => {
      const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${listener.address.port}`], tls: () => mine });
      const { peer } = await dialer.ready(5_000);
      await dialer.close();
      expect(peer.name).toBe('engine-1-new');
    });
    await listener.close();
  });
});
