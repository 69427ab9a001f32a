/** Peers that keep no rule: what they send is closed by name, what they alter is refused, and what they do not read is bounded. */
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { TYPE } from '#engine/channel/frames';
import { openDialer } from '#engine/channel/dialer';
import { openListener } from '#engine/channel/listener';
import type { Channel, ChannelLimits, Dialer, Handlers, Listener, TlsIdentity } from '#engine/channel/parts';
import { questionDigest, SEAL_BYTES } from '#engine/channel/seal';
import { InterlockError } from '#schemas/errors';
import { LOOPBACK, makeChannelAuthority, PARTS } from '#test/support/channel';
import { callBody, frame, hello, type Frame, RawEnd, rawEnforcer, rawEngine, type RawEngine } from '#test/support/raw-channel';
import { stopwatch } from '#test/support/stopwatch';

interface Bed extends AsyncDisposable {
  readonly listener: Listener;
  readonly identity: TlsIdentity;
  readonly channels: Channel[];
  raw(): Promise<RawEnd>;
}

async function bed(limits: Partial<ChannelLimits> = {}, handlers: Handlers = {}): Promise<Bed> {
  const authority = await makeChannelAuthority();
  const engine = await authority.issue({ name: 'engine-1', kind: 'engine' });
  const identity = await authority.issue({ name: 'shop-1', kind: 'enforcer', targets: ['shop'] });
  const channels: Channel[] = [];
  const listener = await openListener({
    ...PARTS,
    listen: LOOPBACK,
    tls: () => engine,
    limits,
    handlers,
    onChannel: (channel) => channels.push(channel),
  });
  return {
    listener,
    identity,
    channels,
    raw: () => rawEnforcer(listener.address.port, identity),
    [Symbol.asyncDispose]: () => listener.close(),
  };
}

const credit = (bytes: number): Buffer => {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(bytes);
  return body;
};
const openBody = (method: string): Buffer => Buffer.concat([Buffer.from([method.length]), Buffer.from(method)]);

describe('what breaks the rules is closed by name', () => {
  const waits = { streams: { waits: (): Promise<void> => new Promise(() => {}) }, calls: { echo: (payload: Uint8Array) => payload } };
  const cases: readonly [string, RegExp, () => readonly Uint8Array[]][] = [
    ['no hello first', /first frame is no hello/, () => [frame(TYPE.ping, 0, Buffer.alloc(8))]],
    ['a hello that is none', /hello cannot be read/, () => [frame(TYPE.hello, 0, Buffer.from('{}'))]],
    ['versions of a far future', /no common version: 1 here, 7 to 9 there/, () => [hello({ min: 7, max: 9 })]],
    ['a hello that is too long', /a frame of \d+ bytes/, () => [frame(TYPE.hello, 0, Buffer.alloc(8_000))]],
    ['a second hello', /unknown type 1/, () => [hello(), hello()]],
    ['an unknown type', /unknown type 77/, () => [hello(), frame(77, 0)]],
    ['unknown flags', /unknown flags 130/, () => [hello(), frame(TYPE.ping, 0, Buffer.alloc(8), 130)]],
    ['a frame that is too long', /a frame of 65533 bytes/, () => [hello(), frame(TYPE.call, 1, Buffer.alloc(65_525))]],
    ['an id of the other side', /an id that is not the next/, () => [hello(), frame(TYPE.call, 2, callBody('echo', Buffer.alloc(0)))]],
    [
      'an id that was used',
      /an id that is not the next/,
      () => [hello(), ...[3, 3].map((id) => frame(TYPE.call, id, callBody('echo', Buffer.alloc(0))))],
    ],
    ['an answer to what was not asked', /an answer to what was not asked/, () => [hello(), frame(TYPE.answer, 2, Buffer.alloc(20))]],
    ['a call that ends in its head', /ends in its head/, () => [hello(), frame(TYPE.call, 1, Buffer.from([0, 0, 0, 1, 9, 101]))]],
    ['a ping in parts', /in parts/, () => [hello(), frame(TYPE.ping, 0, Buffer.alloc(8), 1)]],
    ['a pong of another form', /a pong of another form/, () => [hello(), frame(TYPE.pong, 0, Buffer.alloc(7))]],
    [
      'messages beyond the credit',
      /beyond the credit/,
      () => [hello(), frame(TYPE.open, 1, openBody('waits')), ...Array.from({ length: 40 }, () => frame(TYPE.message, 1, Buffer.alloc(60_000)))],
    ],
    [
      'a message after the end',
      /after the end/,
      () => [hello(), frame(TYPE.open, 1, openBody('waits')), frame(TYPE.end, 1), frame(TYPE.message, 1, Buffer.alloc(1))],
    ],
    [
      'a payload inside another',
      /inside another of the same id/,
      () => [hello(), frame(TYPE.open, 1, openBody('waits')), frame(TYPE.message, 1, Buffer.alloc(1), 1), frame(TYPE.message, 1, Buffer.alloc(1), 1)],
    ],
  ];
  test.each(cases)('%s', async (_, expected, frames) => {
    await using place = await bed({}, waits);
    using raw = await place.raw();
    raw.send(...frames());
    expect((await raw.farewell()).message).toMatch(expected);
    await raw.gone();
    expect(place.listener.channels()).toEqual([]);
  });

  test('a payload of more frames than are taken, and many unfinished ones', async () => {
    await using place = await bed({ payloadBytes: 100_000, bytesInFlight: 300_000 });
    using long = await place.raw();
    long.send(hello(), frame(TYPE.call, 1, callBody('echo', Buffer.alloc(60_000)), 1), frame(TYPE.continue, 1, Buffer.alloc(60_000), 1));
    expect((await long.farewell()).message).toMatch(/more than 100000 bytes/);
    using many = await place.raw();
    many.send(hello(), ...Array.from({ length: 8 }, (_, index) => frame(TYPE.call, 1 + 2 * index, callBody('echo', Buffer.alloc(60_000)), 1)));
    expect(await many.farewell()).toMatchObject({ code: 'CHANNEL_BUSY', message: expect.stringContaining('300000 bytes of unfinished') });
  });

  test('frames of streams and calls that are over already are passed over', async () => {
    await using place = await bed({}, waits);
    using raw = await place.raw();
    const over = [TYPE.message, TYPE.credit, TYPE.end, TYPE.reset].map((type) => frame(type, 1, type === TYPE.credit ? credit(5) : Buffer.alloc(0)));
    raw.send(
      hello(),
      frame(TYPE.cancel, 1),
      frame(TYPE.continue, 1, Buffer.alloc(5)),
      ...over,
      frame(TYPE.call, 3, callBody('echo', Buffer.from('alive'))),
    );
    const answer = await raw.next(TYPE.answer);
    expect(answer.body.subarray(SEAL_BYTES).toString()).toBe('alive');
  });

  test('random frames after a good hello end in a name or in nothing, and the listener goes on', async () => {
    await using place = await bed({}, waits);
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            type: fc.integer({ min: 0, max: 17 }).filter((type) => type !== TYPE.close),
            id: fc.integer({ min: 0, max: 5 }),
            flags: fc.integer({ min: 0, max: 2 }),
            body: fc.uint8Array({ maxLength: 40 }),
          }),
          { maxLength: 12 },
        ),
        async (frames) => {
          using raw = await place.raw();
          raw.send(hello(), ...frames.map(({ type, id, flags, body }) => frame(type, id, body, flags)), frame(99, 0));
          expect((await raw.farewell()).code).toMatch(/^(CHANNEL_|ENGINE_UNAVAILABLE)/);
        },
      ),
      { numRuns: 60 },
    );
    using raw = await place.raw();
    raw.send(hello(), frame(TYPE.call, 1, callBody('echo', Buffer.from('alive'))));
    await raw.next(TYPE.answer);
  });
});

describe('slow and silent peers', () => {
  test('one that says nothing is closed in time, and does not keep others out', async () => {
    await using place = await bed({ preAuthMs: 150, preAuthConnections: 2 });
    using first = await place.raw();
    using second = await place.raw();
    const third = place.raw().then(
      () => 'in',
      () => 'out',
    );
    expect(await third).toBe('out');
    expect((await first.farewell()).message).toContain('no hello within 150 ms');
    await second.gone();
    await vi.waitFor(async () => {
      using fourth = await place.raw();
      fourth.send(hello());
      await fourth.next(TYPE.hello);
    });
  });

  test('one that goes silent is closed after three heartbeats, and calls to it fail', async () => {
    await using place = await bed({ heartbeatMs: 40 });
    using raw = await place.raw();
    raw.send(hello());
    await raw.next(TYPE.ping);
    const [channel] = place.channels as [Channel];
    using started = stopwatch();
    await expect(channel.call('echo', Buffer.alloc(0), { deadlineMs: 60_000 })).rejects.toMatchObject({ code: 'ENFORCER_UNAVAILABLE' });
    expect(started.ms()).toBeLessThan(1_000);
    expect(channel.ended?.message).toMatch(/nothing was heard for \d+ ms/);
  });

  test('one that answers heartbeats but no call costs a deadline and nothing more', async () => {
    await using place = await bed({ heartbeatMs: 40 });
    using raw = await place.raw();
    raw.send(hello());
    raw.onFrame(({ type, body }) => {
      if (type === TYPE.ping) raw.send(frame(TYPE.pong, 0, Buffer.concat([body, Buffer.alloc(8)])));
    });
    await raw.next(TYPE.ping);
    const [channel] = place.channels as [Channel];
    await expect(channel.call('echo', Buffer.alloc(0), { deadlineMs: 300 })).rejects.toMatchObject({ message: 'no answer to echo within 300 ms' });
    expect(channel.ended).toBeNull();
  });

  test('one that asks and does not read the answers is closed at a bound', async () => {
    const large = (): Uint8Array => Buffer.alloc(1 << 20);
    await using place = await bed({ bytesInFlight: 8 << 20 }, { calls: { large } });
    using raw = await place.raw();
    raw.send(hello());
    await raw.next(TYPE.hello);
    raw.socket.pause();
    raw.send(...Array.from({ length: 64 }, (_, index) => frame(TYPE.call, 1 + 2 * index, callBody('large', Buffer.alloc(0)))));
    const [channel] = place.channels as [Channel];
    await vi.waitFor(() => expect(channel.ended?.message).toMatch(/bytes of answers are not read/));
  });

  test('of one peer only so many connections stand: the oldest goes', async () => {
    await using place = await bed({ connectionsPerPeer: 2 });
    const raws: RawEnd[] = [];
    for (let count = 0; count < 3; count++) {
      const raw = await place.raw();
      raw.send(hello());
      await raw.next(TYPE.hello);
      raws.push(raw);
    }
    expect((await (raws[0] as RawEnd).farewell()).message).toContain('takes its place');
    expect(place.listener.channels()).toHaveLength(2);
    for (const raw of raws) raw.socket.destroy();
  });
});

interface Liar extends AsyncDisposable {
  readonly dialer: Dialer;
  readonly engine: RawEngine;
  readonly end: RawEnd;
}

/** An enforcer of ours, and an engine that answers as the test says. */
async function liar(answer: (asked: Frame, end: RawEnd) => readonly Uint8Array[]): Promise<Liar> {
  const authority = await makeChannelAuthority();
  const engine = await rawEngine(await authority.issue({ name: 'engine-1', kind: 'engine' }));
  const mine = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
  const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${engine.port}`], tls: () => mine });
  const end = await engine.accept();
  end.send(hello());
  end.onFrame((asked) => {
    if (asked.type === TYPE.call) end.send(...answer(asked, end));
  });
  await dialer.ready(5_000);
  const dispose = async (): Promise<void> => {
    await dialer.close();
    await engine[Symbol.asyncDispose]();
  };
  return { dialer, engine, end, [Symbol.asyncDispose]: dispose };
}

const METHOD = 'decisions.decide';
const QUESTION = Buffer.from('may I?');
const ask = (dialer: Dialer, method: string = METHOD): Promise<Uint8Array> => dialer.call(method, QUESTION, { deadlineMs: 5_000 });

function sealed(end: RawEnd, id: number, answer: string, of: { method?: string; question?: Buffer; type?: number; id?: number } = {}): Buffer {
  const body = Buffer.concat([Buffer.alloc(SEAL_BYTES), Buffer.from(answer)]);
  const { method = METHOD, question = QUESTION, type = TYPE.answer } = of;
  end.sealer.seal(body, 0, type, of.id ?? id, Buffer.from(method), questionDigest(question), Buffer.from(answer));
  return body;
}

describe('E6: an answer that does not carry the seal of its question is refused, and the connection with it', () => {
  test('one that does is taken', async () => {
    await using place = await liar(({ id }, end) => [frame(TYPE.answer, id, sealed(end, id, 'allow'))]);
    expect(String(await ask(place.dialer))).toBe('allow');
  });

  const lies: readonly [string, (id: number, end: RawEnd) => Buffer][] = [
    [
      'altered on its way',
      (id, end) => frame(TYPE.answer, id, Buffer.concat([sealed(end, id, 'deny ').subarray(0, SEAL_BYTES), Buffer.from('allow')])),
    ],
    ['without a seal', (id) => frame(TYPE.answer, id, Buffer.from('allow'))],
    ['with an empty seal', (id) => frame(TYPE.answer, id, Buffer.concat([Buffer.alloc(SEAL_BYTES), Buffer.from('allow')]))],
    ['of another question', (id, end) => frame(TYPE.answer, id, sealed(end, id, 'allow', { question: Buffer.from('may he?') }))],
    ['of another method', (id, end) => frame(TYPE.answer, id, sealed(end, id, 'allow', { method: 'decisions.read' }))],
    ['of the next question', (id, end) => frame(TYPE.answer, id, sealed(end, id, 'allow', { id: id + 2 }))],
    ['a refusal turned into an answer', (id, end) => frame(TYPE.answer, id, sealed(end, id, 'allow', { type: TYPE.error }))],
  ];
  test.each(lies)('%s', async (_, lie) => {
    await using place = await liar(({ id }, end) => [lie(id, end)]);
    await expect(ask(place.dialer)).rejects.toMatchObject({ code: 'ANSWER_REFUSED' });
    expect((await place.end.farewell()).message).toContain('without the seal of its question');
  });

  test('replayed: the answer to the same question, asked once more', async () => {
    let recorded: Buffer | null = null;
    await using place = await liar(({ id }, end) => [frame(TYPE.answer, id, (recorded ??= sealed(end, id, 'allow')))]);
    expect(String(await ask(place.dialer))).toBe('allow');
    await expect(ask(place.dialer)).rejects.toMatchObject({ code: 'ANSWER_REFUSED' });
  });

  test('swapped: two answers of the same moment, each given to the other', async () => {
    const asked: Frame[] = [];
    await using place = await liar((call, end) => {
      asked.push(call);
      const [one, other] = asked;
      if (one === undefined || other === undefined) return [];
      return [frame(TYPE.answer, one.id, sealed(end, other.id, 'allow')), frame(TYPE.answer, other.id, sealed(end, one.id, 'deny'))];
    });
    const answers = await Promise.allSettled([ask(place.dialer), ask(place.dialer)]);
    expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((answers[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'ANSWER_REFUSED' });
  });

  test('fetched over another connection: somebody in the middle, with certificates of his own', async () => {
    const authority = await makeChannelAuthority();
    const genuine = await authority.issue({ name: 'engine-1', kind: 'engine' });
    const listener = await openListener({
      ...PARTS,
      listen: LOOPBACK,
      tls: () => genuine,
      handlers: { calls: { [METHOD]: () => Buffer.from('allow') } },
    });
    const posing = await rawEngine(await authority.issue({ name: 'engine-2', kind: 'engine' }));
    const stolen = await authority.issue({ name: 'shop-2', kind: 'enforcer' });
    const mine = await authority.issue({ name: 'shop-1', kind: 'enforcer' });
    const dialer = openDialer({ ...PARTS, engines: [`127.0.0.1:${posing.port}`], tls: () => mine });
    const victim = await posing.accept();
    using middle = await rawEnforcer(listener.address.port, stolen);
    const relayed = ({ type, flags, id, body }: Frame): Buffer => frame(type, id, body, flags);
    victim.onFrame((arrived) => middle.send(relayed(arrived)));
    middle.onFrame((arrived) => victim.send(relayed(arrived)));
    await dialer.ready(5_000);
    await expect(ask(dialer)).rejects.toMatchObject({ code: 'ANSWER_REFUSED' });
    await dialer.close();
    await posing[Symbol.asyncDispose]();
    await listener.close();
  });

  test('an error is sealed as well', async () => {
    const told = JSON.stringify({ code: 'APPROVAL_VOID', message: 'used up' });
    await using good = await liar(({ id }, end) => [frame(TYPE.error, id, sealed(end, id, told, { type: TYPE.error }))]);
    await expect(ask(good.dialer)).rejects.toMatchObject({ code: 'APPROVAL_VOID' });
    await using bad = await liar(({ id }, end) => [frame(TYPE.error, id, sealed(end, id, told))]);
    const error: unknown = await ask(bad.dialer).catch((thrown: unknown) => thrown);
    expect((error as InterlockError).code).toBe('ANSWER_REFUSED');
  });
});
