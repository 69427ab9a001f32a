/** One connection to one of several engines: failing over, backing off, leaving before the end, neighbouring versions. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, test, vi } from 'vitest';
import { openDialer } from '#engine/channel/dialer';
import { openListener } from '#engine/channel/listener';
import type { Channel, Dialer, DialerOptions, Listener, ListenerOptions, TlsIdentity } from '#engine/channel/parts';
import { type ChannelAuthority, LOOPBACK, makeChannelAuthority, PARTS } from '#test/support/channel';
import { stopwatch } from '#test/support/stopwatch';
import { InterlockError } from '#schemas/errors';

const NOTHING = new Uint8Array(0);
const who = (name: string): ListenerOptions['handlers'] => ({ calls: { who: () => Buffer.from(name) } });

interface Fleet extends AsyncDisposable {
  readonly authority: ChannelAuthority;
  readonly mine: TlsIdentity;
  engine(name: string, options?: Partial<ListenerOptions>): Promise<Listener>;
  dialer(listeners: readonly Listener[], options?: Partial<DialerOptions>): Dialer;
}

async function fleet(): Promise<Fleet> {
  const authority = await makeChannelAuthority();
  const mine = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
  const opened: { close(): Promise<void> }[] = [];
  return {
    authority,
    mine,
    async engine(name, options = {}) {
      const identity = await authority.issue({ name, kind: 'engine' });
      const listener = await openListener({ ...PARTS, listen: LOOPBACK, tls: () => identity, handlers: who(name) ?? {}, ...options });
      opened.push(listener);
      return listener;
    },
    dialer(listeners, options = {}) {
      const engines = listeners.map(({ address }) => `${address.host}:${address.port}`);
      const dialer = openDialer({ ...PARTS, engines, tls: () => mine, random: () => 0, ...options });
      opened.unshift(dialer);
      return dialer;
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) await one.close();
    },
  };
}

/** Passes bytes on, until it swallows them: nothing closes, nothing comes. */
async function freezable(target: number): Promise<{ readonly port: number; freeze(): void; close(): Promise<void> }> {
  const sockets: Socket[] = [];
  let frozen = false;
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.push(from);
      from.on('data', (chunk: Buffer) => !frozen && to.write(chunk));
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    freeze: () => (frozen = true),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const asked = async (dialer: Dialer): Promise<string> => String(Buffer.from(await dialer.call('who', NOTHING, { deadlineMs: 5_000 })));

describe('several engines', () => {
  test('one is gone: the next one answers, and what waited was refused at once', async () => {
    await using all = await fleet();
    const stuck = { calls: { stuck: (): Promise<Uint8Array> => new Promise(() => {}) } };
    const [one, two] = [await all.engine('engine-1', { handlers: stuck }), await all.engine('engine-2')];
    const dialer = all.dialer([one, two]);
    const changes: (string | null)[] = [];
    dialer.onChange((channel) => changes.push(channel?.peer.name ?? null));
    await dialer.ready(5_000);
    const waiting = dialer.call('stuck', NOTHING, { deadlineMs: 60_000 });
    const refused = expect(waiting).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await one.close();
    await refused;
    await dialer.ready(5_000);
    expect(await asked(dialer)).toBe('engine-2');
    expect(changes).toEqual(['engine-1', null, 'engine-2']);
    expect(dialer.status()).toMatchObject({ connected: true, attempts: 0, error: null });
  });

  test('none is there: calls are refused at once with the cause, and it connects when one comes', async () => {
    await using all = await fleet();
    const gone = await all.engine('engine-1');
    const { port } = gone.address;
    await gone.close();
    const dialer = all.dialer([gone]);
    await vi.waitFor(() => expect(dialer.status().attempts).toBeGreaterThan(2));
    using started = stopwatch();
    const error: unknown = await dialer.call('who', NOTHING, { deadlineMs: 60_000 }).catch((thrown: unknown) => thrown);
    expect(started.ms()).toBeLessThan(100);
    expect(error).toBeInstanceOf(InterlockError);
    expect((error as InterlockError).message).toContain('ECONNREFUSED');
    expect(() => dialer.open('who', NOTHING)).toThrow(InterlockError);
    await expect(dialer.ready(20)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    await all.engine('engine-1', { listen: { host: '127.0.0.1', port } });
    await dialer.ready(10_000);
    expect(await asked(dialer)).toBe('engine-1');
  });

  test('an engine that drains is left before it ends: no call is refused meanwhile', async () => {
    await using all = await fleet();
    const [one, two] = [await all.engine('engine-1'), await all.engine('engine-2')];
    const dialer = all.dialer([one, two]);
    await dialer.ready(5_000);
    const seen = new Set<string>();
    let done = false;
    const asking = (async () => {
      while (!done) seen.add(await asked(dialer));
    })();
    await vi.waitFor(() => expect(seen).toContain('engine-1'));
    await one.drain(5_000);
    await one.close();
    await vi.waitFor(() => expect(seen).toContain('engine-2'));
    done = true;
    await asking;
    expect(dialer.status().engine).toBe(`127.0.0.1:${two.address.port}`);
  });

  test('I6: a network that swallows everything is noticed by the heartbeats, and the next engine is asked', async () => {
    await using all = await fleet();
    const [one, two] = [await all.engine('engine-1'), await all.engine('engine-2')];
    const relay = await freezable(one.address.port);
    const dialer = openDialer({
      ...PARTS,
      engines: [`127.0.0.1:${relay.port}`, `127.0.0.1:${two.address.port}`],
      tls: () => all.mine,
      random: () => 0,
      limits: { heartbeatMs: 50 },
    });
    await dialer.ready(5_000);
    expect(await asked(dialer)).toBe('engine-1');
    relay.freeze();
    using started = stopwatch();
    await expect(dialer.call('who', NOTHING, { deadlineMs: 60_000 })).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    expect(started.ms()).toBeLessThan(1_000);
    await dialer.ready(5_000);
    expect(await asked(dialer)).toBe('engine-2');
    await dialer.close();
    await relay.close();
  });
});

describe('rolling upgrades', () => {
  test('neighbouring versions speak the newest that both know; a stranger is refused by name', async () => {
    await using all = await fleet();
    const agreed = async (engine: { min: number; max: number }, enforcer: { min: number; max: number }): Promise<Channel> => {
      const listener = await all.engine('engine-1', { versions: engine });
      return all.dialer([listener], { versions: enforcer }).ready(5_000);
    };
    expect((await agreed({ min: 1, max: 1 }, { min: 1, max: 2 })).version).toBe(1);
    expect((await agreed({ min: 1, max: 2 }, { min: 1, max: 1 })).version).toBe(1);
    expect((await agreed({ min: 2, max: 3 }, { min: 1, max: 2 })).version).toBe(2);
    const listener = await all.engine('engine-1', { versions: { min: 3, max: 4 } });
    const dialer = all.dialer([listener], { versions: { min: 1, max: 2 } });
    await vi.waitFor(() => expect(dialer.status().error).toContain('no common version: 3 to 4 here, 1 to 2 there'));
  });
});

describe('addresses', () => {
  test('that are none are refused when it is opened', () => {
    const tls = (): TlsIdentity => ({ cert: '', key: '', ca: '' });
    for (const engines of [[], ['engine'], ['engine:0'], ['engine:99999'], [':1']])
      expect(() => openDialer({ ...PARTS, engines, tls })).toThrow(InterlockError);
  });
});
