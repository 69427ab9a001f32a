/** Calls and streams between two real ends: both ways, with deadlines, bounds and back-pressure. */
import { setImmediate as tick } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import type { CallContext, Handlers, Stream } from '#engine/channel/parts';
import { channelPair } from '#test/support/channel';
import { stopwatch } from '#test/support/stopwatch';

const bytes = (text: string): Buffer => Buffer.from(text);
const text = (payload: Uint8Array): string => Buffer.from(payload).toString();
const soon = { deadlineMs: 5_000 };
const serving = (handlers: Handlers): { listener: { handlers: Handlers } } => ({ listener: { handlers } });
const never = (): Promise<Uint8Array> => new Promise(() => {});
const codeOf = (error: unknown): string => (error instanceof InterlockError ? error.code : String(error));

describe('calls', () => {
  test('are answered both ways over one connection, and both ends know each other', async () => {
    await using pair = await channelPair(serving({ calls: { echo: (payload) => Buffer.concat([bytes('there: '), payload]) } }));
    pair.here.handle('echo', (payload) => Promise.resolve(Buffer.concat([bytes('here: '), payload])));
    const answers = await Promise.all([pair.here.call('echo', bytes('a'), soon), pair.there.call('echo', bytes('b'), soon)]);
    expect(answers.map(text)).toEqual(['there: a', 'here: b']);
    expect(pair.here.peer).toMatchObject({ name: 'engine-1', kind: 'engine', targets: [] });
    expect(pair.there.peer).toMatchObject({ name: 'shop-1', kind: 'enforcer', targets: ['shop'] });
    expect(Buffer.from(pair.here.exporterKey)).toEqual(Buffer.from(pair.there.exporterKey));
    expect([pair.here.version, pair.here.software]).toEqual([1, 'test']);
  });

  test('thousands in flight come back to whom they belong, of any size, answered in any order', async () => {
    const echo = (payload: Uint8Array): Uint8Array | Promise<Uint8Array> =>
      payload.length % 3 === 0 ? Uint8Array.from(payload) : tick().then(() => Uint8Array.from(payload));
    await using pair = await channelPair(serving({ calls: { echo } }));
    const asked = Array.from({ length: 3_000 }, (_, index) => Buffer.alloc(index % 50 === 0 ? 100_000 + index : index % 97, index % 251));
    const answers = await Promise.all(asked.map((payload) => pair.here.call('echo', payload, soon)));
    for (const [index, answer] of answers.entries()) expect(Buffer.compare(answer, asked[index] as Buffer)).toBe(0);
  });

  test('a payload of many frames gives way to a short one', async () => {
    const order: string[] = [];
    await using pair = await channelPair(
      serving({
        calls: {
          large: (payload) => bytes(String(payload.length)),
          small: () => bytes('small'),
        },
      }),
    );
    const large = pair.here.call('large', Buffer.alloc(20 << 20), soon).then((answer) => order.push(text(answer)));
    await tick();
    const small = pair.here.call('small', bytes(''), soon).then((answer) => order.push(text(answer)));
    await Promise.all([large, small]);
    expect(order).toEqual(['small', String(20 << 20)]);
  });

  test('a handler’s known error crosses with code, message and hint; anything else is INTERNAL and says nothing', async () => {
    const refuse = (): Uint8Array => {
      throw new InterlockError('APPROVAL_VOID', 'it is used up', { hint: 'ask anew' });
    };
    const fault = (): Promise<Uint8Array> => Promise.reject(new Error('postgres://secret@db'));
    await using pair = await channelPair(serving({ calls: { refuse, fault } }));
    await expect(pair.here.call('refuse', bytes(''), soon)).rejects.toMatchObject({
      code: 'APPROVAL_VOID',
      message: 'it is used up',
      hint: 'ask anew',
    });
    await expect(pair.here.call('fault', bytes(''), soon)).rejects.toMatchObject({ code: 'INTERNAL', message: 'fault failed' });
    await expect(pair.here.call('nothing.such', bytes(''), soon)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('E6: a deadline ends the wait by name, and tells the other end; a stalled handler stalls no other call', async () => {
    const aborted = Promise.withResolvers<string>();
    const stuck = (_: Uint8Array, { signal }: CallContext): Promise<Uint8Array> => {
      signal.addEventListener('abort', () => aborted.resolve(codeOf(signal.reason)), { once: true });
      return never();
    };
    await using pair = await channelPair(serving({ calls: { stuck, quick: () => bytes('quick') } }));
    using started = stopwatch();
    const waiting = pair.here.call('stuck', bytes(''), { deadlineMs: 100 });
    expect(text(await pair.here.call('quick', bytes(''), soon))).toBe('quick');
    await expect(waiting).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE', message: 'no answer to stuck within 100 ms' });
    expect(started.ms()).toBeLessThan(400);
    expect(await aborted.promise).toBe('CANCELLED');
    const back = pair.there.call('stuck', bytes(''), { deadlineMs: 20 });
    await expect(back).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  test('an abort signal gives up at once, before and while waiting', async () => {
    await using pair = await channelPair(serving({ calls: { stuck: never } }));
    const reason = new Error('the client left');
    await expect(pair.here.call('stuck', bytes(''), { ...soon, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = pair.here.call('stuck', bytes(''), { ...soon, signal: controller.signal });
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  test('I6: when the connection dies, all that waits is refused at once, on both sides', async () => {
    const asked = Promise.withResolvers<void>();
    const aborted = Promise.withResolvers<string>();
    const stuck = (_: Uint8Array, { signal }: CallContext): Promise<Uint8Array> => {
      signal.addEventListener('abort', () => aborted.resolve(codeOf(signal.reason)), { once: true });
      asked.resolve();
      return never();
    };
    await using pair = await channelPair(serving({ calls: { stuck } }));
    pair.here.handle('stuck', never);
    const [call, back] = [pair.here.call('stuck', bytes(''), { deadlineMs: 60_000 }), pair.there.call('stuck', bytes(''), { deadlineMs: 60_000 })];
    const here = expect(call).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
    const there = expect(back).rejects.toMatchObject({ code: 'ENFORCER_UNAVAILABLE' });
    await asked.promise;
    pair.there.close('a test');
    await Promise.all([here, there]);
    expect(await aborted.promise).toBe('ENFORCER_UNAVAILABLE');
    expect(pair.here.ended).toMatchObject({ code: 'ENGINE_UNAVAILABLE', message: expect.stringContaining('a test') });
  });

  test('beyond the bounds: too many calls on either side, a question or an answer that is too long', async () => {
    const limits = { calls: 4, payloadBytes: 10_000 };
    const handlers = { calls: { stuck: never, long: () => Buffer.alloc(10_001), echo: (payload: Uint8Array) => payload } };
    await using pair = await channelPair({ listener: { handlers, limits }, dialer: { limits: { payloadBytes: 10_000 } } });
    await expect(pair.here.call('echo', Buffer.alloc(10_001), soon)).rejects.toMatchObject({ code: 'CHANNEL_BUSY' });
    await expect(pair.here.call('long', bytes(''), soon)).rejects.toMatchObject({ code: 'CHANNEL_BUSY' });
    expect((await pair.here.call('echo', Buffer.alloc(10_000), soon)).length).toBe(10_000);
    const stuck = Array.from({ length: 4 }, () => pair.here.call('stuck', bytes(''), { deadlineMs: 200 }).catch(codeOf));
    await expect(pair.here.call('stuck', bytes(''), soon)).rejects.toMatchObject({ code: 'CHANNEL_BUSY', message: '4 calls are being answered' });
    expect(await Promise.all(stuck)).toEqual(Array.from({ length: 4 }, () => 'ENGINE_UNAVAILABLE'));
    const there = Array.from({ length: 4 }, () => pair.there.call('none', bytes(''), soon).catch(codeOf));
    await expect(pair.there.call('none', bytes(''), soon)).rejects.toMatchObject({ code: 'CHANNEL_BUSY', message: '4 calls wait for their answers' });
    await Promise.all(there);
  });
});

describe('heartbeats', () => {
  test('tell the round trip and the other clock', async () => {
    const ahead = { wallUs: () => systemClock.wallUs() + 7_000_000, monotonicUs: () => systemClock.monotonicUs() };
    await using pair = await channelPair({ listener: { clock: ahead, limits: { heartbeatMs: 20 } }, dialer: { limits: { heartbeatMs: 20 } } });
    await vi.waitFor(() => expect([pair.here.clockOffsetMs, pair.there.clockOffsetMs]).not.toContain(null));
    expect(pair.here.clockOffsetMs).toBeGreaterThan(6_900);
    expect(pair.here.clockOffsetMs).toBeLessThan(7_100);
    expect(pair.there.clockOffsetMs).toBeLessThan(-6_900);
    expect(pair.here.rttMs).toBeGreaterThanOrEqual(0);
  });
});

async function collected(stream: Stream): Promise<string[]> {
  const all: string[] = [];
  for await (const message of stream) all.push(text(message));
  return all;
}

describe('streams', () => {
  test('run both ways, in order, until both sides ended', async () => {
    const shout = async (stream: Stream, argument: Uint8Array): Promise<void> => {
      await stream.send(argument);
      for await (const message of stream) await stream.send(bytes(text(message).toUpperCase()));
    };
    await using pair = await channelPair(serving({ streams: { shout } }));
    const stream = pair.here.open('shout', bytes('argument'));
    for (const word of ['a', 'b', 'c']) await stream.send(bytes(word));
    stream.end();
    expect(await collected(stream)).toEqual(['argument', 'A', 'B', 'C']);
    await stream.closed;
    pair.here.handleStream('shout', shout);
    const back = pair.there.open('shout', bytes('there'));
    back.end();
    expect(await collected(back)).toEqual(['there']);
  });

  test('a reader that does not read stops its sender, and nothing else; messages of many frames keep their place', async () => {
    const limits = { streamBytes: 100_000 };
    const sizes = Array.from({ length: 40 }, (_, index) => (index % 4 === 0 ? 150_000 : 10 + index));
    let sent = 0;
    const flood = async (stream: Stream): Promise<void> => {
      for (const size of sizes) {
        await stream.send(Buffer.alloc(size, size % 251));
        sent++;
      }
    };
    await using pair = await channelPair({
      listener: { handlers: { streams: { flood }, calls: { ping: () => bytes('pong') } }, limits },
      dialer: { limits },
    });
    const stream = pair.here.open('flood', bytes(''));
    for (let round = 0; round < 20; round++) expect(text(await pair.here.call('ping', bytes(''), soon))).toBe('pong');
    expect(sent).toBe(1);
    const got: number[] = [];
    for await (const message of stream) {
      expect(new Set(message)).toEqual(new Set([message.length % 251]));
      got.push(message.length);
    }
    expect(got).toEqual(sizes);
  });

  test('a short message does not overtake the long one before it, nor does the end', async () => {
    const sizes = async (stream: Stream): Promise<void> => {
      for await (const message of stream) await stream.send(bytes(String(message.length)));
    };
    await using pair = await channelPair(serving({ streams: { sizes } }));
    const stream = pair.here.open('sizes', bytes(''));
    const sent = [300_000, 1, 200_000, 2].map((size) => stream.send(Buffer.alloc(size)));
    stream.end();
    expect(await collected(stream)).toEqual(['300000', '1', '200000', '2']);
    await Promise.all(sent);
  });

  test('an error of the handler ends them with its code; an unknown one is not told; closing reaches the other end', async () => {
    const gone = Promise.withResolvers<string>();
    const waits = (stream: Stream): Promise<void> => {
      stream.signal.addEventListener('abort', () => gone.resolve(codeOf(stream.signal.reason)), { once: true });
      return new Promise(() => {});
    };
    const fails = (): Promise<void> => Promise.reject(new InterlockError('APPROVAL_VOID', 'gone'));
    const faults = (): never => {
      throw new Error('a secret');
    };
    await using pair = await channelPair(serving({ streams: { waits, fails, faults } }));
    await expect(collected(pair.here.open('fails', bytes('')))).rejects.toMatchObject({ code: 'APPROVAL_VOID', message: 'gone' });
    await expect(collected(pair.here.open('faults', bytes('')))).rejects.toMatchObject({ code: 'INTERNAL', message: 'faults failed' });
    await expect(collected(pair.here.open('nothing', bytes('')))).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    const stream = pair.here.open('waits', bytes(''));
    await tick();
    stream.close();
    expect(await gone.promise).toBe('CANCELLED');
    await expect(stream.send(bytes('late'))).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  test('end with the connection; too many are refused', async () => {
    const waits = (): Promise<void> => new Promise(() => {});
    await using pair = await channelPair({ listener: { handlers: { streams: { waits } }, limits: { streams: 2 } } });
    const streams = [pair.here.open('waits', bytes('')), pair.here.open('waits', bytes(''))];
    await expect(collected(pair.here.open('waits', bytes('')))).rejects.toMatchObject({ code: 'CHANNEL_BUSY' });
    pair.there.close('a test');
    for (const stream of streams) await expect(collected(stream)).rejects.toMatchObject({ code: 'ENGINE_UNAVAILABLE' });
  });
});
