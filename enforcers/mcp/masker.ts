/** Masks on JSON documents in an answer, by the same masker as HTTP's. */
import type { Obligation } from '#schemas/decision';
import type { Refusal } from '#enforcers/common/refusal';
import { JsonMask } from '#enforcers/common/json-mask/json-mask';
import { MaskFault } from '#enforcers/common/json-mask/mask-fault';
import { masksOf } from '#enforcers/common/json-mask/masks-of';
import { Places } from '#enforcers/common/json-mask/places';

export interface Masker {
  /** Names of what was masked so far, with how often. */
  readonly masked: Readonly<Record<string, number>>;
  /** null: it is not one JSON document, or not one that can be masked. */
  document(text: string): string | null;
}

/** null: nothing of the answer is masked. */
export function maskerOf(obligations: readonly Obligation[]): Masker | Refusal | null {
  if (obligations.length === 0) return null;
  const places = masksOf({ facts: {}, obligations });
  if (places === null) return null;
  return places instanceof Places ? new DocumentMasker(places) : places;
}

class DocumentMasker implements Masker {
  readonly #places: Places;
  readonly #counts: Record<string, number> = {};

  constructor(places: Places) {
    this.#places = places;
  }

  get masked(): Readonly<Record<string, number>> {
    return this.#counts;
  }

  document(text: string): string | null {
    // a list of documents is masked as if each stood alone too: tools answer rows as a list
    const mask = new JsonMask(this.#places.line, { lines: false, nested: 0 });
    try {
      const bytes = Buffer.concat([mask.push(Buffer.from(text, 'utf8')), mask.end()]);
      for (const [name, count] of Object.entries(mask.counts)) this.#counts[name] = (this.#counts[name] ?? 0) + count;
      return bytes.toString('utf8');
    } catch (error) {
      if (error instanceof MaskFault) return null;
      throw error;
    }
  }
}
