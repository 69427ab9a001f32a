/** The reader of HTTP/1.1 (SECURITY H1): heads and chunks, split at every byte, and bytes of any kind. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chunk, ChunkReader, LAST_CHUNK } from '#enforcers/http/chunks';
import { framingOf, Malformed, readRequestHead, readStatusHead } from '#enforcers/http/head';
import { preferredWaitMs, screenHeaders } from '#enforcers/http/request-headers';
import { isRefused } from '#enforcers/common/service/place';

function read(bytes: Buffer, cuts: readonly number[]): { readonly data: string; readonly used: number; readonly done: boolean } {
  const reader = new ChunkReader('refused');
  const parts: string[] = [];
  let used = 0;
  const ends = [...cuts, bytes.length];
  let from = 0;
  for (const end of ends) {
    const piece = bytes.subarray(from, end);
    used = from + reader.read(piece, 0, (data) => parts.push(data.toString('latin1')));
    from = end;
    if (reader.done) break;
  }
  return { data: parts.join(''), used, done: reader.done };
}

describe('chunks', () => {
  test('what is written is read, split at every byte, and nothing behind it is touched', () => {
    const pieces = ['a', 'bc'.repeat(20), 'd'];
    const wire = Buffer.concat([...pieces.flatMap((text) => chunk(Buffer.from(text))), LAST_CHUNK, Buffer.from('GET /next')]);
    for (let at = 1; at < wire.length; at++) {
      expect(read(wire, [at])).toEqual({ data: pieces.join(''), used: wire.length - 'GET /next'.length, done: true });
    }
    expect(
      read(
        wire,
        Array.from({ length: wire.length - 1 }, (_, at) => at + 1),
      ),
    ).toMatchObject({ data: pieces.join(''), done: true });
  });

  test('any bytes are read or refused, never more than was there', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          expect(read(Buffer.from(bytes), []).data.length).toBeLessThanOrEqual(bytes.length);
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('heads', () => {
  test('any text is a head or is refused; what is a head says the same when it is written again', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 120 }), (text) => {
        try {
          const head = readRequestHead(`GET /x HTTP/1.1\r\nhost: a\r\n${text}`, 100);
          const again = head.headers.map(([name, value]) => `${name}: ${value}`).join('\r\n');
          expect(readRequestHead(`GET /x HTTP/1.1\r\n${again}`, 100).headers).toEqual(head.headers);
          expect(again).not.toMatch(/[\0\n](?!.)|\r(?!\n)/);
        } catch (error) {
          if (!(error instanceof Malformed)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });

  test('the end of a message is said in one way', () => {
    const framing = (...headers: [string, string][]): unknown => framingOf(headers, 'none');
    expect(framing()).toEqual({ kind: 'none' });
    expect(framing(['content-length', '0'])).toEqual({ kind: 'none' });
    expect(framing(['content-length', '12'])).toEqual({ kind: 'length', bytes: 12 });
    expect(framing(['transfer-encoding', 'Chunked'])).toEqual({ kind: 'chunked' });
    for (const wrong of ['', ' 1', '1 ', '+1', '-1', '1e1', '0x1', '1,1', '9'.repeat(16)])
      expect(() => framing(['content-length', wrong])).toThrow(Malformed);
    for (const wrong of ['', 'gzip', 'chunked, chunked', 'identity', 'chunked;x'])
      expect(() => framing(['transfer-encoding', wrong])).toThrow(Malformed);
    expect(framingOf([], 'close')).toEqual({ kind: 'close' });
  });

  test('of an answer: its status, and whether the connection goes on', () => {
    expect(readStatusHead('HTTP/1.1 200 OK\r\nconnection: Keep-Alive, Close', 10)).toMatchObject({ status: 200, keepsAlive: false });
    expect(readStatusHead('HTTP/1.0 200 OK', 10)).toMatchObject({ keepsAlive: false });
    expect(readStatusHead('HTTP/1.1 204', 10)).toMatchObject({ status: 204, keepsAlive: true });
    for (const line of ['HTTP/1.1 20 OK', 'HTTP/1.1 2000', 'HTTP/2 200', 'ICY 200 OK', 'HTTP/1.1  200 OK', 'HTTP/1.1 600 x'])
      expect(() => readStatusHead(line, 10)).toThrow(Malformed);
  });
});

test('H4: headers by our own list; what is set by us is not the client’s', () => {
  const rules = { drop: ['x-debug'], set: { 'x-team': 'payments' } };
  const { judged, incidental } = screenHeaders(
    [
      ['accept', 'a'],
      ['user-agent', 'b'],
      ['x-debug', 'c'],
      ['x-team', 'd'],
      ['x-service-key', 'e'],
      ['x_accept', 'f'],
      ['cookie', 'g'],
      ['if-match', 'h'],
    ],
    { rules, credential: 'x-service-key' },
  );
  expect(judged).toEqual([
    ['accept', 'a'],
    ['if-match', 'h'],
  ]);
  expect(incidental).toEqual([['user-agent', 'b']]);
  expect(screenHeaders([['cookie', 'g']], { rules: { cookies: true }, credential: '' }).judged).toEqual([['cookie', 'g']]);
});

test('Prefer: wait (RFC 7240)', () => {
  const wait = (value: string): number | null => preferredWaitMs([['prefer', value]]);
  expect([wait('wait=10'), wait('respond-async, wait=0'), wait('wait = "5"'), wait('wait=x'), wait('await=5'), wait('return=minimal')]).toEqual([
    10_000,
    0,
    5_000,
    null,
    null,
    null,
  ]);
});

test.each([
  ['169.254.169.254', true],
  ['::ffff:169.254.169.254', true],
  ['::ffff:a9fe:a9fe', true],
  ['::ffff:0:169.254.169.254', true],
  ['64:ff9b::a9fe:a9fe', true],
  ['64:ff9b:1::a9fe:a9fe', true],
  ['64:ff9b:1:fffe::a9fe:a9fe', true],
  ['2002:a9fe:a9fe::1', true],
  ['2001:0:a9fe:a9fe::', true],
  ['fd00:ec2::254', true],
  ['fd20:ce::254', true],
  ['64:ff9b::5db8:d822', false],
  ['2001:db8::1', false],
  ['fe80::1', true],
  ['0.0.0.0', true],
  ['::', true],
  ['255.255.255.255', true],
  ['not an address', true],
  ['10.0.0.5', false],
  ['127.0.0.1', false],
  ['::1', false],
  ['fd12::5', false],
  ['93.184.216.34', false],
])('H9: %s is refused: %s', (address, refused) => {
  expect(isRefused(address)).toBe(refused);
});
