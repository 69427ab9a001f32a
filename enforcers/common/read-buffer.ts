import type { Socket } from 'node:net';

/** One read buffer for all sockets: a read is handled before the next one begins, and what is kept of it is copied. */
const SHARED = Buffer.allocUnsafeSlow(262_144);

export interface OnRead {
  readonly buffer: Uint8Array;
  callback(bytes: number, buffer: Uint8Array): boolean;
}

/** The `onread` of a socket that hands out what it reads as `data`, in memory of its own: small reads from Buffer's pool. */
export function onReadOf(socket: () => Socket): OnRead {
  return {
    buffer: SHARED,
    callback: (bytes) => {
      socket().emit('data', Buffer.from(SHARED.subarray(0, bytes)));
      return true;
    },
  };
}
