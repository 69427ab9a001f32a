import type { Sealer } from './seal.ts';
import type { ChannelLimits, PeerKind } from './parts.ts';
import type { Wire } from './wire.ts';

/** What calls, answers and streams of one connection share. */
export interface Link {
  readonly wire: Wire;
  readonly sealer: Sealer;
  readonly limits: ChannelLimits;
  /** What the peer takes. */
  readonly theirs: Pick<ChannelLimits, 'frameBytes' | 'payloadBytes' | 'streamBytes'>;
  readonly peerKind: PeerKind;
  nowUs(): number;
  /** Never the same again on this connection: the nonce of a question. */
  nextId(): number;
  /** Ends the connection, and tells the peer why. */
  fail(code: 'CHANNEL_PROTOCOL' | 'CHANNEL_BUSY', message: string): void;
}

/** Name and bytes of a method, made once. */
export interface Method {
  readonly name: string;
  readonly bytes: Buffer;
}

export class Methods {
  readonly #known: Map<string, Method> = new Map();

  /** @throws RangeError: a method that no frame can carry is a mistake of ours */
  of(name: string): Method {
    let known = this.#known.get(name);
    if (known === undefined) {
      const bytes = Buffer.from(name, 'latin1');
      if (bytes.length === 0 || bytes.length > 255) throw new RangeError(`a method of ${bytes.length} bytes`);
      this.#known.set(name, (known = { name, bytes }));
    }
    return known;
  }
}

export function holds(buffer: Buffer, at: number, bytes: Buffer): boolean {
  for (let index = 0; index < bytes.length; index++) if (buffer[at + index] !== bytes[index]) return false;
  return true;
}
