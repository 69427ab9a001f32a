/** A compressed answer, decoded once and whole: targets are asked for plain ones, so these are the exception (H6). */
import { brotliDecompressSync, gunzipSync, inflateSync } from 'node:zlib';
import { ANSWER_LIMITS } from '#enforcers/common/json-mask/limits';
import { MaskFault } from '#enforcers/common/json-mask/mask-fault';
import type { Encoding } from './media.ts';

export interface Masker {
  readonly counts: Readonly<Record<string, number>>;
  push(chunk: Uint8Array): Buffer;
  end(): Buffer;
}

export class EncodedMask implements Masker {
  readonly #inner: Masker;
  readonly #decode: (bytes: Buffer, most: number) => Buffer;
  #pieces: Buffer[] = [];
  #bytes = 0;

  constructor(inner: Masker, encoding: Exclude<Encoding, 'identity'>) {
    this.#inner = inner;
    this.#decode = DECODERS[encoding];
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#inner.counts;
  }

  /** @throws MaskFault */
  push(chunk: Uint8Array): Buffer {
    this.#bytes += chunk.length;
    if (this.#bytes > ANSWER_LIMITS.encodedBytes) throw new MaskFault('it is compressed, and too long to be decoded');
    this.#pieces.push(Buffer.from(chunk));
    return Buffer.alloc(0);
  }

  /** @throws MaskFault */
  end(): Buffer {
    if (this.#bytes === 0) return this.#inner.end();
    const most = Math.min(ANSWER_LIMITS.decodedBytes, this.#bytes * ANSWER_LIMITS.decodedRatio);
    let plain: Buffer;
    try {
      plain = this.#decode(Buffer.concat(this.#pieces), most);
    } catch {
      throw new MaskFault('it is not what its content-encoding says, or grows too much'); // of a target's bytes nothing more is said
    }
    return Buffer.concat([this.#inner.push(plain), this.#inner.end()]);
  }
}

const DECODERS: Readonly<Record<Exclude<Encoding, 'identity'>, (bytes: Buffer, most: number) => Buffer>> = {
  gzip: (bytes, most) => gunzipSync(bytes, { maxOutputLength: most }),
  deflate: (bytes, most) => inflateSync(bytes, { maxOutputLength: most }),
  br: (bytes, most) => brotliDecompressSync(bytes, { maxOutputLength: most }),
};
