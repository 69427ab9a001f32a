/** What a peer can send in pieces: every message split at every byte gives the same as whole (STYLE 9, P14). */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '#enforcers/common/limits';
import { Wire } from '#enforcers/common/socket';
import { decodeParams, readBind, recordedParams } from '#enforcers/postgres/bind';
import { expect as expected, Queue, type Expected, type Running } from '#enforcers/postgres/expected';
import { Frames } from '#enforcers/postgres/frames';
import { B, F, int16, int32, message, readFields, report } from '#enforcers/postgres/protocol';
import { Replies, type ReplySink } from '#enforcers/postgres/replies';
import { say } from '#test/support/raw-postgres';
import { CollectingSocket } from '#test/support/collecting-socket';

const MESSAGES = [
  say.parse('name', 'SELECT $1::int', [23]),
  say.bind('portal', 'name', ['12345']),
  say.describe('P', 'portal'),
  say.execute('portal'),
  say.close('S', 'name'),
  say.flush,
  say.sync,
  say.query('SELECT 1'),
];

function framesOf(chunks: readonly Buffer[]): string[] {
  const frames = new Frames(1_000_000);
  const seen: string[] = [];
  for (const chunk of chunks) {
    frames.push(chunk);
    for (let state = frames.next(); state === 'whole'; state = frames.next()) {
      seen.push(frames.buffer.toString('hex', frames.start, frames.end));
    }
  }
  expect(frames.waiting).toBe(0);
  return seen;
}

test('frames: split at every byte, and byte by byte', () => {
  const whole = Buffer.concat(MESSAGES);
  const wanted = MESSAGES.map((one) => one.toString('hex'));
  for (let at = 0; at <= whole.length; at++) expect(framesOf([whole.subarray(0, at), whole.subarray(at)]), `at ${at}`).toEqual(wanted);
  expect(framesOf([...whole].map((byte) => Buffer.of(byte)))).toEqual(wanted);
});

test('P14: lengths below 4, negative or beyond reason are malformed; too long for its type is skipped as it comes', () => {
  for (const length of [0, 3, -1, LIMITS.messageBytesMax + 1, 0x7fff_ffff]) {
    const frames = new Frames(100);
    frames.push(Buffer.concat([Buffer.of(F.query), int32(length), Buffer.alloc(20)]));
    expect(frames.next(), String(length)).toBe('malformed');
  }
  const frames = new Frames(100);
  const long = say.query('x'.repeat(20_000));
  frames.push(long.subarray(0, 5_000));
  expect(frames.next()).toBe('oversized');
  expect(frames.next()).toBe('partial');
  expect(frames.waiting).toBe(0);
  frames.push(Buffer.concat([long.subarray(5_000), say.sync]));
  expect(frames.next()).toBe('whole');
  expect(frames.type).toBe(F.sync);
});

const BIND = say.bind('p', 's', ['one', 'two']);

test('P14: Bind is taken only if every count and length fits to the byte', () => {
  const body = BIND.subarray(5);
  expect(readBind(body, 0, body.length)).toMatchObject({ portal: 'p', statement: 's', count: 2 });
  for (let at = 0; at < body.length; at++) expect(readBind(body, 0, at), `cut at ${at}`).toBeNull();
  expect(readBind(Buffer.concat([body, Buffer.of(0)]), 0, body.length + 1)).toBeNull();
  const formats = message(F.bind, '', '', int16(2), int16(0), int16(0), int16(1), int32(-1), int16(0)).subarray(5);
  expect(readBind(formats, 0, formats.length)).toBeNull();
});

test('P10: parameters are decoded by format and type; what is not known stays base64', () => {
  const wire = Buffer.concat([
    int16(4),
    ...[0, 1, 1, 1].map(int16),
    int16(4),
    int32(3),
    Buffer.from('abc'),
    int32(4),
    int32(-7),
    int32(2),
    Buffer.of(1, 2),
    int32(-1),
  ]);
  expect(decodeParams(wire, [25, 23, 23])).toEqual([
    { index: 1, type: 'text', value: 'abc', encoding: 'text', flows_to_code: false },
    { index: 2, type: 'int4', value: '-7', encoding: 'text', flows_to_code: false },
    { index: 3, type: 'int4', value: 'AQI=', encoding: 'base64', flows_to_code: false },
    { index: 4, type: 'unknown', value: null, encoding: 'text', flows_to_code: false },
  ]);
  expect(decodeParams(Buffer.concat([int16(0), int16(1), int32(1), Buffer.of(0xff)]), [25])[0]).toMatchObject({ encoding: 'base64' });
});

test('A2: what is recorded of parameters is the same by the short way and by the long one', () => {
  const value = fc.option(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constantFrom('"', '\\', '\u007f', 'x'.repeat(600))), { nil: null });
  fc.assert(
    fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.constantFrom(0, 23, 25, 999_999), { maxLength: 5 }), (values, types) => {
      const parts = values.flatMap((one) => (one === null ? [int32(-1)] : [int32(Buffer.byteLength(one)), Buffer.from(one)]));
      const wire = Buffer.concat([int16(0), int16(values.length), ...parts]);
      const recorded: unknown = JSON.parse(recordedParams(wire, types).toString());
      expect(recorded).toEqual(decodeParams(wire, types).map(({ type, value: text, encoding }) => ({ type, value: text, encoding })));
    }),
  );
});

const row = (text: string): Buffer => message(B.dataRow, int16(1), int32(text.length), Buffer.from(text));
const running = (): Running => ({
  id: 'stm_1',
  startedUs: 0,
  masked: [],
  toOriginal: null,
  text: Buffer.alloc(0),
  done: null,
  controlled: null,
  rows: 0,
  bytes: 0,
  tag: null,
  sqlstate: null,
});

interface Played {
  readonly client: string;
  readonly log: string[];
}

/** Two executions and a Sync; the second fails. */
function play(chunks: readonly Buffer[], canned: boolean): Played {
  const log: string[] = [];
  const queue: Queue<Expected> = new Queue();
  const runs = [running(), running()];
  queue.push(expected('bind', 0));
  queue.push(expected('execute', 0, { running: runs[0] as Running }));
  queue.push(expected('execute', 0, { running: runs[1] as Running }));
  queue.push(expected('close', 0, { change: { confirm: () => log.push('confirmed'), revert: () => log.push('reverted') } }));
  queue.push(expected('sync', 1));
  const sink: ReplySink = {
    canned: () => canned,
    finished: (run, outcome) => log.push(`${outcome} ${run.rows} ${run.tag ?? '-'} ${run.sqlstate ?? '-'}`),
    ready: (status, segment) => {
      log.push(`ready ${String.fromCharCode(status)} ${segment}`);
      return status;
    },
    skipping: () => log.push('skipping'),
    parameter: (name, value) => (name === 'TimeZone' ? 'UTC' : value),
    copyIn: () => log.push('copyIn'),
  };
  const socket = new CollectingSocket();
  const client = new Wire(socket.asSocket());
  const replies = new Replies(client, queue, sink);
  for (const chunk of chunks) {
    replies.take(chunk);
    client.flush();
  }
  return { client: socket.collected.toString('hex'), log };
}

const ERROR = report(B.error, { S: 'ERROR', V: 'ERROR', C: '22P02', M: 'invalid input syntax: "123-45-6789"', D: 'ssn', P: '8' });
const ANSWERS = [
  message(B.bindComplete),
  row('123'),
  message(B.parameterStatus, 'TimeZone', '123-45-6789'),
  row('x'.repeat(300)),
  message(B.notification, int32(1), 'channel', 'payload'),
  message(B.commandComplete, 'SELECT 2'),
  row('4'),
  ERROR,
  message(B.ready, Buffer.from('I')),
];

test('replies: split at every byte, the client gets the same and the same is learned', () => {
  const whole = Buffer.concat(ANSWERS);
  const once = play([whole], false);
  expect(once.log).toEqual(['ok 2 SELECT 2 -', 'error 1 - 22P02', 'reverted', 'ready I 1']);
  for (let at = 0; at <= whole.length; at++) expect(play([whole.subarray(0, at), whole.subarray(at)], false), `at ${at}`).toEqual(once);
  expect(
    play(
      [...whole].map((byte) => Buffer.of(byte)),
      false,
    ),
  ).toEqual(once);
});

test('M14, M15: on a target with masks texts are canned, parameters are ours, notifications are dropped', () => {
  const { client } = play([Buffer.concat(ANSWERS)], true);
  const bytes = Buffer.from(client, 'hex');
  expect(bytes.includes('123-45-6789')).toBe(false);
  expect(bytes.includes('payload')).toBe(false);
  expect(bytes.includes('TimeZone\0UTC\0')).toBe(true);
  const at = bytes.indexOf('SERROR') - 5;
  const fields = readFields(bytes.subarray(at + 5, at + 1 + bytes.readInt32BE(at + 1)));
  expect(fields).toEqual({ S: 'ERROR', V: 'ERROR', C: '22P02', P: '8', M: expect.stringContaining('text withheld') });
});

test('A6: answers that nobody asked for end the session', () => {
  const strange = [
    row('1'),
    message(B.commandComplete, 'SELECT 1'),
    message(B.ready, Buffer.from('I')),
    message(B.functionResult, int32(-1)),
    message(B.copyBoth, Buffer.of(0), int16(0)),
    message(B.authentication, int32(3)),
    Buffer.from('5400000003', 'hex'),
    Buffer.concat([Buffer.of(B.error), int32(LIMITS.targetMessageBytes + 10)]),
  ];
  for (const bytes of strange) expect(() => play([bytes], false), bytes.toString('hex').slice(0, 20)).toThrow('does not keep to the protocol');
});
