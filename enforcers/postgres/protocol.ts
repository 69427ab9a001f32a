/**
 * PostgreSQL frontend/backend protocol 3.0, the bytes: https://www.postgresql.org/docs/current/protocol-message-formats.html
 *
 *   message  = type:Byte1 length:Int32 (counts itself, not the type) body
 *   start-up = length:Int32 code:Int32 body (no type)
 */
export const PROTOCOL_3 = 196_608;
export const CODE = { cancel: 80_877_102, ssl: 80_877_103, gssenc: 80_877_104 } as const;

/** From the client. */
export const F = {
  query: 81, // Q
  parse: 80, // P
  bind: 66, // B
  execute: 69, // E
  describe: 68, // D
  close: 67, // C
  flush: 72, // H
  sync: 83, // S
  terminate: 88, // X
  functionCall: 70, // F
  copyData: 100, // d
  copyDone: 99, // c
  copyFail: 102, // f
  password: 112, // p
} as const;

/** From the server. */
export const B = {
  authentication: 82, // R
  parameterStatus: 83, // S
  backendKey: 75, // K
  ready: 90, // Z
  error: 69, // E
  notice: 78, // N
  notification: 65, // A
  parseComplete: 49, // 1
  bindComplete: 50, // 2
  closeComplete: 51, // 3
  parameterDescription: 116, // t
  rowDescription: 84, // T
  noData: 110, // n
  dataRow: 68, // D
  commandComplete: 67, // C
  emptyQuery: 73, // I
  portalSuspended: 115, // s
  copyIn: 71, // G
  copyOut: 72, // H
  copyBoth: 87, // W
  copyData: 100, // d
  copyDone: 99, // c
  functionResult: 86, // V
  negotiate: 118, // v
} as const;

export const TRANSACTION = { idle: 73, open: 84, failed: 69 } as const; // I T E

/** A message of this type around these parts; strings get their NUL. */
export function message(type: number, ...parts: (string | Uint8Array)[]): Buffer {
  let length = 4;
  for (const part of parts) length += typeof part === 'string' ? Buffer.byteLength(part) + 1 : part.length;
  const bytes = Buffer.allocUnsafe(length + 1);
  bytes[0] = type;
  bytes.writeUInt32BE(length, 1);
  let at = 5;
  for (const part of parts) {
    if (typeof part === 'string') {
      at += bytes.write(part, at);
      bytes[at++] = 0;
    } else {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function int16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export const SYNC: Buffer = message(F.sync);
export const FLUSH: Buffer = message(F.flush);
export const TERMINATE: Buffer = message(F.terminate);
export function ready(status: number): Buffer {
  return message(B.ready, Buffer.of(status));
}

/** One field of ErrorResponse and NoticeResponse a letter: https://www.postgresql.org/docs/current/protocol-error-fields.html */
export type Fields = Readonly<Record<string, string>>;

export function report(type: typeof B.error | typeof B.notice, fields: Fields): Buffer {
  const parts: (string | Uint8Array)[] = [];
  for (const [letter, value] of Object.entries(fields)) parts.push(Buffer.from(letter), value.replaceAll('\0', ''));
  return message(type, ...parts, Buffer.of(0));
}

/** Body of ErrorResponse or NoticeResponse; a field that is missing or cut stays away (P5). */
export function readFields(body: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let at = 0; at < body.length && body[at] !== 0; ) {
    const end = body.indexOf(0, at + 1);
    if (end < 0) break;
    fields[String.fromCharCode(body[at] as number)] = body.toString('utf8', at + 1, end);
    at = end + 1;
  }
  return fields;
}
