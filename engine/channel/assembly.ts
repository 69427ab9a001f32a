/** Bodies that came in several frames, until they are whole. */
import { InterlockError } from '#schemas/errors';
import type { ChannelLimits } from './parts.ts';

interface Partial {
  readonly type: number;
  readonly pieces: Buffer[];
  bytes: number;
}

export interface Whole {
  readonly type: number;
  readonly body: Buffer;
}

/** What may stand in front of a payload: deadline, method, seal. */
const HEAD_BYTES_MAX = 512;

export class Assembly {
  readonly #limits: Pick<ChannelLimits, 'payloadBytes' | 'bytesInFlight'>;
  readonly #partials: Map<number, Partial> = new Map();
  #bytes = 0;

  constructor(limits: Pick<ChannelLimits, 'payloadBytes' | 'bytesInFlight'>) {
    this.#limits = limits;
  }

  /** @throws InterlockError CHANNEL_PROTOCOL, CHANNEL_BUSY */
  begin(type: number, id: number, piece: Buffer): void {
    if (this.#partials.has(id)) throw new InterlockError('CHANNEL_PROTOCOL', 'a payload began inside another of the same id');
    const partial = { type, pieces: [], bytes: 0 };
    this.#partials.set(id, partial);
    this.#add(partial, piece);
  }

  /** The body, once it is whole. */
  add(id: number, piece: Buffer, last: boolean): Whole | null {
    const partial = this.#partials.get(id);
    if (partial === undefined) return null; // given up meanwhile, by whichever side
    this.#add(partial, piece);
    if (!last) return null;
    this.drop(id);
    return { type: partial.type, body: Buffer.concat(partial.pieces, partial.bytes) };
  }

  drop(id: number): void {
    const partial = this.#partials.get(id);
    if (partial === undefined) return;
    this.#partials.delete(id);
    this.#bytes -= partial.bytes;
  }

  #add(partial: Partial, piece: Buffer): void {
    partial.pieces.push(Buffer.from(piece));
    partial.bytes += piece.length;
    this.#bytes += piece.length;
    const { payloadBytes, bytesInFlight } = this.#limits;
    if (partial.bytes > payloadBytes + HEAD_BYTES_MAX) throw new InterlockError('CHANNEL_PROTOCOL', `a payload of more than ${payloadBytes} bytes`);
    if (this.#bytes > bytesInFlight) throw new InterlockError('CHANNEL_BUSY', `more than ${bytesInFlight} bytes of unfinished payloads`);
  }
}
