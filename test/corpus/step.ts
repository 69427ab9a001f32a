/** A step of a case as bytes. */
import type { Step, WireMessage } from './case.ts';
import { cstring, int16, int32, message } from './wire.ts';

export interface Sent {
  readonly bytes: Buffer;
  readonly ready: number;
}

/** @param oidOf resolves `name(types)` for FunctionCall */
export async function encode(step: Step, oidOf: (signature: string) => Promise<number>): Promise<Sent> {
  const own = await encodeOwn(step, oidOf);
  if (step.before === undefined) return own;
  const before =
    step.mode === 'extended' ? { bytes: extended({ sql: step.before }), ready: 1 } : { bytes: query(Buffer.from(step.before)), ready: 1 };
  return { bytes: Buffer.concat([before.bytes, own.bytes]), ready: before.ready + own.ready };
}

async function encodeOwn(step: Step, oidOf: (signature: string) => Promise<number>): Promise<Sent> {
  if (step.raw !== undefined) return { bytes: Buffer.from(step.raw, 'hex'), ready: step.ready ?? 1 };
  if (step.hex !== undefined) return { bytes: query(Buffer.from(step.hex, 'hex')), ready: step.ready ?? 1 };
  if (step.fastpath !== undefined) return { bytes: functionCall(await oidOf(step.fastpath), step.args ?? []), ready: 1 };
  if (step.wire !== undefined) {
    const ready = step.wire.filter(([type]) => type === 'S' || type === 'Q').length;
    return { bytes: Buffer.concat(step.wire.map(wireMessage)), ready: step.ready ?? ready };
  }
  if (step.mode === 'extended' || step.params !== undefined) return { bytes: extended(step), ready: 1 };
  return { bytes: query(Buffer.from(step.sql ?? '')), ready: 1 };
}

const query = (text: Buffer): Buffer => message('Q', Buffer.concat([text, Buffer.from([0])]));

function extended(step: Step): Buffer {
  return Buffer.concat([
    parse('', step.sql ?? ''),
    bind('', '', step.params ?? [], step.result_format ?? 0),
    ...(step.describe === false ? [] : [message('D', Buffer.concat([Buffer.from('P'), cstring('')]))]),
    execute('', 0),
    message('S'),
  ]);
}

const parse = (name: string, sql: string): Buffer => message('P', Buffer.concat([cstring(name), cstring(sql), int16(0)]));
const execute = (portal: string, rows: number): Buffer => message('E', Buffer.concat([cstring(portal), int32(rows)]));

function bind(portal: string, statement: string, params: readonly (string | null)[], resultFormat = 0): Buffer {
  return message(
    'B',
    Buffer.concat([cstring(portal), cstring(statement), int16(0), int16(params.length), ...params.map(value), int16(1), int16(resultFormat)]),
  );
}

function value(param: string | null): Buffer {
  if (param === null) return int32(-1);
  const bytes = Buffer.from(param);
  return Buffer.concat([int32(bytes.length), bytes]);
}

function functionCall(oid: number, args: readonly string[]): Buffer {
  return message('F', Buffer.concat([int32(oid), int16(0), int16(args.length), ...args.map(value), int16(0)]));
}

function wireMessage([type, ...rest]: WireMessage): Buffer {
  const text = (index: number): string => String(rest[index] ?? '');
  switch (type) {
    case 'P':
      return parse(text(0), text(1));
    case 'B':
      return bind(text(0), text(1), (rest[2] ?? []) as readonly (string | null)[]);
    case 'Braw': // claims more parameters than it carries
      return message('B', Buffer.concat([cstring(text(0)), cstring(text(1)), int16(0), int16(5), int16(0)]));
    case 'D':
    case 'C':
      return message(type, Buffer.concat([Buffer.from(text(0)), cstring(text(1))]));
    case 'E':
      return execute(text(0), Number(rest[1] ?? 0));
    case 'Q':
      return query(Buffer.from(text(0)));
    case 'd':
      return message('d', Buffer.from(text(0)));
    case 'f':
      return message('f', cstring(text(0)));
    default:
      return message(type);
  }
}

/** The texts that a step asks the server to run: what must not be seen at the relay. */
export function textsOf(step: Step): Buffer[] {
  if (step.sql !== undefined) return [Buffer.from(step.sql)];
  if (step.hex !== undefined) return [Buffer.from(step.hex, 'hex')];
  return (step.wire ?? []).flatMap(([type, ...rest]) => {
    if (type === 'Q') return [Buffer.from(String(rest[0]))];
    return type === 'P' ? [Buffer.from(String(rest[1]))] : [];
  });
}
