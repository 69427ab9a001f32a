/** The decoder: every frame split at every byte, and whatever else a network may bring. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameReader, HEADER_BYTES, TYPE } from '#engine/channel/frames';
import { agree, decodeHello, encodeHello } from '#engine/channel/hello';
import { LIMITS } from '#engine/channel/limits';
import { Sealer, questionDigest } from '#engine/channel/seal';
import { decodeTrouble, encodeTrouble } from '#engine/channel/trouble';
import { InterlockError } from '#schemas/errors';
import { createHmac, randomBytes } from 'node:crypto';
import { callBody, frame, hello, type Frame } from '#test/support/raw-channel';

function reading(max: number = LIMITS.frameBytes): { reader: FrameReader; frames: Frame[] } {
  const frames: Frame[] = [];
  const reader = new FrameReader(max, (type, flags, id, buffer, start, end) => {
    frames.push({ type, flags, id, body: Buffer.from(buffer.subarray(start, end)) });
  });
  return { reader, frames };
}

/** One of each type, with ids on both sides of 2^32. */
const EACH: readonly Buffer[] = [
  hello(),
  ...Object.values(TYPE).map((type, index) => frame(type, index % 2 === 0 ? index : 2 ** 40 + index, Buffer.alloc(index * 7, index))),
  frame(TYPE.call, 2 ** 48 - 1, callBody('decisions.decide', Buffer.from('a question'))),
  frame(TYPE.cancel, 3),
];

describe('frames', () => {
  test('all types, split at every byte, come out whole and in order', () => {
    const stream = Buffer.concat(EACH);
    const { reader, frames: whole } = reading();
    reader.push(stream);
    expect(whole).toHaveLength(EACH.length);
    for (let split = 1; split < stream.length; split++) {
      const { reader: other, frames } = reading();
      other.push(stream.subarray(0, split));
      other.push(stream.subarray(split));
      expect(frames).toEqual(whole);
    }
  });

  test('byte by byte, and in pieces of any size', () => {
    const stream = Buffer.concat(EACH);
    const { reader: all, frames: whole } = reading();
    all.push(stream);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 200 }), (sizes) => {
        const { reader, frames } = reading();
        let at = 0;
        for (let index = 0; at < stream.length; index++) {
          const size = sizes[index % sizes.length] ?? 1;
          reader.push(stream.subarray(at, at + size));
          at += size;
        }
        expect(frames).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });

  test('garbage is frames or a refusal by name, and never anything else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }), (chunks) => {
        const { reader } = reading(256);
        try {
          for (const chunk of chunks) reader.push(Buffer.from(chunk));
        } catch (error) {
          expect(error).toBeInstanceOf(InterlockError);
          expect((error as InterlockError).code).toBe('CHANNEL_PROTOCOL');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a length beyond the limit is refused before its bytes are awaited, and nothing is read after it', () => {
    const { reader, frames } = reading(64);
    expect(() => reader.push(frame(TYPE.call, 1, Buffer.alloc(64 - HEADER_BYTES + 1)).subarray(0, 4))).toThrow(/between 8 and 60/);
    reader.push(frame(TYPE.cancel, 3));
    expect(frames).toEqual([]);
    expect(() => reading().reader.push(Buffer.from([0, 0, 0, 7]))).toThrow(/between 8/);
  });
});

describe('the hello', () => {
  test('goes there and back, and unknown members are ignored', () => {
    const said = { versions: { min: 2, max: 3 }, software: '0.2.0', takes: { frameBytes: 65_536, payloadBytes: 1_000, streamBytes: 10 } };
    expect(decodeHello(encodeHello(said))).toEqual(said);
    const more = Buffer.from(JSON.stringify({ ...(JSON.parse(encodeHello(said).toString()) as object), later: [1] }));
    expect(decodeHello(more)).toEqual(said);
  });

  test('anything else is refused by name', () => {
    for (const bad of [
      '',
      '{}',
      '[]',
      'null',
      '{"versions":[2,1]}',
      '{"versions":[1,1],"software":1}',
      '{"versions":[1,1],"software":"x","frame_bytes":1}',
    ]) {
      expect(() => decodeHello(Buffer.from(bad))).toThrow(InterlockError);
    }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeHello(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(InterlockError);
        }
      }),
    );
  });

  test('neighbouring versions agree on the newest that both speak; others do not agree', () => {
    expect(agree({ min: 1, max: 2 }, { min: 1, max: 1 })).toBe(1);
    expect(agree({ min: 1, max: 2 }, { min: 2, max: 3 })).toBe(2);
    expect(() => agree({ min: 1, max: 1 }, { min: 2, max: 3 })).toThrow(/1 here, 2 to 3 there/);
  });
});

describe('E6: the seal', () => {
  const key = randomBytes(32);
  const sealer = new Sealer(key);
  const method = Buffer.from('decisions.decide');
  const of = (answer: Uint8Array, question = 'q', id = 7, type: number = TYPE.answer, by = sealer, name = method): Buffer => {
    const seal = Buffer.alloc(16);
    by.seal(seal, 0, type, id, name, questionDigest(Buffer.from(question)), answer);
    return seal;
  };

  test('is HMAC-SHA-256 over type, id, method, the digest of the question, and the answer; for short and for long answers', () => {
    for (const bytes of [0, 1, 4_096, 4_097, 100_000]) {
      const answer = Buffer.alloc(bytes, 'a');
      const question = Buffer.from(questionDigest(Buffer.from('q')), 'latin1');
      const head = Buffer.from([TYPE.answer, 0, 0, 0, 0, 0, 7, method.length]);
      const mac = createHmac('sha256', key).update(head).update(method).update(question).update(answer).digest();
      expect(of(answer)).toEqual(mac.subarray(0, 16));
    }
  });

  test('fits its own answer, and no other in any part', () => {
    const answer = Buffer.from('allow');
    const digest = questionDigest(Buffer.from('q'));
    const fits = (seal: Buffer): boolean => sealer.fits(seal, 0, TYPE.answer, 7, method, digest, answer);
    expect(fits(of(answer))).toBe(true);
    expect(fits(of(Buffer.from('allow!')))).toBe(false);
    expect(fits(of(answer, 'another question'))).toBe(false);
    expect(fits(of(answer, 'q', 9))).toBe(false);
    expect(fits(of(answer, 'q', 7 + 2 ** 32))).toBe(false);
    expect(fits(of(answer, 'q', 7, TYPE.error))).toBe(false);
    expect(fits(of(answer, 'q', 7, TYPE.answer, new Sealer(randomBytes(32))))).toBe(false);
    expect(fits(of(answer, 'q', 7, TYPE.answer, sealer, Buffer.from('approvals.consume')))).toBe(false);
    for (let bit = 0; bit < 128; bit++) {
      const seal = of(answer);
      seal[bit >> 3] = (seal[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(fits(seal)).toBe(false);
    }
  });
});

describe('trouble', () => {
  test('crosses with code, message and hint; what cannot be read is INTERNAL', () => {
    const there = decodeTrouble(encodeTrouble(new InterlockError('APPROVAL_VOID', 'used up', { hint: 'ask anew' })));
    expect([there.code, there.message, there.hint]).toEqual(['APPROVAL_VOID', 'used up', 'ask anew']);
    for (const bad of ['', '{}', '{"code":"NO_SUCH","message":"x"}', '{"code":"constructor","message":"x"}', 'null']) {
      expect(decodeTrouble(Buffer.from(bad)).code).toBe('INTERNAL');
    }
  });
});
