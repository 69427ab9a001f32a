/** Server messages out of recorded bytes, made comparable: what differs by nature from run to run is named and blanked. */

export interface ServerMessage {
  /** The type byte, as the protocol's page names it: `T` RowDescription, `D` DataRow … */
  readonly type: string;
  readonly body: Buffer;
}

/** Everything after the answer to SSLRequest (none is sent here); the bytes of one connection. */
export function serverMessages(bytes: Buffer): readonly ServerMessage[] {
  const messages: ServerMessage[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    const length = bytes.readInt32BE(at + 1);
    messages.push({ type: String.fromCharCode(bytes[at] as number), body: bytes.subarray(at + 5, at + 1 + length) });
    at += 1 + length;
  }
  if (at !== bytes.length) throw new Error(`the recording ends inside a message, ${bytes.length - at} bytes are left`);
  return messages;
}

/** A line a message, to be compared and read: `D 00010000000131`. */
export function render({ type, body }: ServerMessage): string {
  const text = body.toString('latin1').replaceAll(/[^\x20-\x7e]/g, '.');
  return `${type} ${text}`;
}
