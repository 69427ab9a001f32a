import { ChunkReader } from './chunks.ts';
import { type Framing, Malformed } from './head.ts';

/** The body of one request, gathered whole, within its bounds. */
export class BodyReader {
  readonly #framing: Exclude<Framing, { kind: 'none' }>;
  readonly #wanted: () => void;
  readonly #chunks: ChunkReader;
  readonly #parts: Buffer[] = [];
  readonly #settled = Promise.withResolvers<Buffer>();
  #bytes = 0;
  #bytesMax = 0;
  opened = false;
  /** All of it; null: not yet. */
  whole: Buffer | null = null;

  constructor(framing: Exclude<Framing, { kind: 'none' }>, wanted: () => void) {
    this.#framing = framing;
    this.#wanted = wanted;
    this.#chunks = new ChunkReader('refused');
    this.#settled.promise.catch(() => {});
  }

  get done(): boolean {
    return this.whole !== null;
  }

  open(bytesMax: number): Promise<Buffer> {
    this.opened = true;
    this.#bytesMax = bytesMax;
    if (this.#framing.kind === 'length' && this.#framing.bytes > bytesMax) this.fail(tooLong(bytesMax));
    else this.#wanted();
    return this.#settled.promise;
  }

  /** How much of `bytes` belongs to it. @throws Malformed */
  read(bytes: Buffer): number {
    if (this.#framing.kind === 'chunked') {
      const used = this.#chunks.read(bytes, 0, (data) => this.#take(data));
      if (this.#chunks.done) this.#finish();
      return used;
    }
    const wanted = this.#framing.kind === 'length' ? this.#framing.bytes - this.#bytes : 0;
    const used = Math.min(wanted, bytes.length);
    if (used > 0) this.#take(bytes.subarray(0, used));
    if (this.#framing.kind === 'length' && this.#bytes === this.#framing.bytes) this.#finish();
    return used;
  }

  fail(why: Malformed): void {
    this.#settled.reject(why);
  }

  #take(data: Buffer): void {
    this.#bytes += data.length;
    if (this.#bytes > this.#bytesMax) throw tooLong(this.#bytesMax);
    this.#parts.push(data);
  }

  #finish(): void {
    this.whole = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts, this.#bytes);
    this.#settled.resolve(this.whole);
  }
}

function tooLong(bytesMax: number): Malformed {
  return new Malformed(413, `a body of more than ${bytesMax} bytes`);
}
