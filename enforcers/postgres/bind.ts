/**
 * Bind, as it is on the wire; nothing is decoded unless a policy or an approval asks.
 *
 *   portal:String statement:String n:Int16 format:Int16[n] n:Int16 { length:Int32 value:Byte[length] }[n] n:Int16 format:Int16[n]
 */
import { LIMITS } from '#enforcers/common/limits';
import type { Param } from '#schemas/sql-facts';

export interface BindFrame {
  readonly portal: string;
  readonly statement: string;
  readonly portalAt: number;
  readonly statementAt: number;
  /** Where parameter formats begin and parameters end. */
  readonly paramsAt: number;
  readonly paramsEnd: number;
  readonly count: number;
}

/** null: not of the protocol's form (counts, lengths, trailing bytes; P14). */
export function readBind(bytes: Buffer, start: number, end: number): BindFrame | null {
  const portalEnd = bytes.indexOf(0, start);
  if (portalEnd < 0 || portalEnd >= end) return null;
  const statementEnd = bytes.indexOf(0, portalEnd + 1);
  if (statementEnd < 0 || statementEnd >= end) return null;
  const paramsAt = statementEnd + 1;
  if (paramsAt + 2 > end) return null;
  const formats = bytes.readUInt16BE(paramsAt);
  let at = paramsAt + 2 + 2 * formats;
  if (at + 2 > end) return null;
  const count = bytes.readUInt16BE(at);
  if (formats > 1 && formats !== count) return null;
  at += 2;
  for (let index = 0; index < count; index++) {
    if (at + 4 > end) return null;
    const length = bytes.readInt32BE(at);
    if (length < -1) return null;
    at += 4 + (length > 0 ? length : 0);
  }
  const paramsEnd = at;
  if (at + 2 > end) return null;
  at += 2 + 2 * bytes.readUInt16BE(at);
  if (at !== end) return null;
  return {
    portal: latin1(bytes, start, portalEnd),
    statement: latin1(bytes, portalEnd + 1, statementEnd),
    portalAt: start,
    statementAt: portalEnd + 1,
    paramsAt,
    paramsEnd,
    count,
  };
}

/** A name as a key: every byte a character. Most are empty. */
export function latin1(bytes: Buffer, start: number, end: number): string {
  return start === end ? '' : bytes.toString('latin1', start, end);
}

/** For the record and for approvals: a JSON list of {type, value, encoding}. The type belongs to it: one text is another value in another type (A2). */
export function recordedParams(bytes: Uint8Array, types: readonly number[]): Buffer {
  return (
    plainParams(bytes, types) ??
    Buffer.from(JSON.stringify(decodeParams(bytes, types).map(({ type, value, encoding }) => ({ type, value, encoding }))))
  );
}

/** The same without decoding, where all are short texts without anything to escape: what the hot path sends. */
function plainParams(bytes: Uint8Array, types: readonly number[]): Buffer | null {
  if (bytes.length > PLAIN_BYTES_MAX) return null;
  const wire = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const formats = wire.readUInt16BE(0);
  for (let index = 0; index < formats; index++) if (wire.readUInt16BE(2 + 2 * index) !== 0) return null;
  let at = 2 + 2 * formats;
  const count = wire.readUInt16BE(at);
  at += 2;
  let text = '[';
  for (let index = 0; index < count; index++) {
    const length = wire.readInt32BE(at);
    at += 4;
    if (index > 0) text += ',';
    text += `{"type":"${typeName(types[index] ?? 0)}","value":`;
    if (length < 0) text += 'null';
    else {
      for (let byte = at; byte < at + length; byte++) if (!isPlain(wire[byte] as number)) return null;
      text += `"${latin1(wire, at, at + length)}"`;
      at += length;
    }
    text += ',"encoding":"text"}';
  }
  return Buffer.from(`${text}]`, 'latin1');
}

const PLAIN_BYTES_MAX = 512;

/** Printable ASCII that stands for itself in JSON. */
function isPlain(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
}

function typeName(oid: number): string {
  return TYPE_NAMES[oid] ?? (oid === 0 ? 'unknown' : String(oid));
}

/** Parameters as policy reads them; binary ones of types that are not known here stay base64. */
export function decodeParams(bytes: Uint8Array, types: readonly number[]): Param[] {
  const wire = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const formats = wire.readUInt16BE(0);
  let at = 2 + 2 * formats;
  const count = Math.min(wire.readUInt16BE(at), LIMITS.paramsCount);
  at += 2;
  const params: Param[] = [];
  for (let index = 0; index < count; index++) {
    const format = formats === 0 ? 0 : wire.readUInt16BE(2 + 2 * (formats === 1 ? 0 : index));
    const length = wire.readInt32BE(at);
    at += 4;
    const type = types[index] ?? 0;
    const value = length < 0 ? null : wire.subarray(at, at + length);
    if (length > 0) at += length;
    params.push(param(index + 1, type, format, value));
  }
  return params;
}

function param(index: number, oid: number, format: number, value: Buffer | null): Param {
  const base = { index, type: typeName(oid), flows_to_code: false } as const;
  if (value === null) return { ...base, value: null, encoding: 'text' };
  const text = format === 0 ? utf8(value) : BINARY[oid]?.(value);
  return text === undefined || text === null
    ? { ...base, value: value.toString('base64'), encoding: 'base64' }
    : { ...base, value: text, encoding: 'text' };
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function utf8(value: Buffer): string | null {
  try {
    return strict.decode(value);
  } catch {
    return null;
  }
}

/** pg_type.oid of the types that drivers send. */
const TYPE_NAMES: Readonly<Record<number, string>> = {
  16: 'bool',
  17: 'bytea',
  18: 'char',
  19: 'name',
  20: 'int8',
  21: 'int2',
  23: 'int4',
  25: 'text',
  26: 'oid',
  114: 'json',
  700: 'float4',
  701: 'float8',
  1042: 'bpchar',
  1043: 'varchar',
  1082: 'date',
  1083: 'time',
  1114: 'timestamp',
  1184: 'timestamptz',
  1700: 'numeric',
  2950: 'uuid',
  3802: 'jsonb',
};

/** Binary forms that are safe to show as text; a wrong length stays base64. */
const BINARY: Readonly<Record<number, (value: Buffer) => string | null>> = {
  16: (value) => (value.length === 1 ? (value[0] === 0 ? 'f' : 't') : null),
  20: (value) => (value.length === 8 ? String(value.readBigInt64BE()) : null),
  21: (value) => (value.length === 2 ? String(value.readInt16BE()) : null),
  23: (value) => (value.length === 4 ? String(value.readInt32BE()) : null),
  26: (value) => (value.length === 4 ? String(value.readUInt32BE()) : null),
  25: utf8,
  1042: utf8,
  1043: utf8,
  19: utf8,
  114: utf8,
  700: (value) => (value.length === 4 ? String(value.readFloatBE()) : null),
  701: (value) => (value.length === 8 ? String(value.readDoubleBE()) : null),
  2950: (value) => (value.length === 16 ? value.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : null),
};
