import type { BodyTransform, HeaderList } from '../answer.ts';

/** Stands for a body of the target that must not be seen: problem details (RFC 9457) with the target's status. */
export class Replacement implements BodyTransform {
  readonly masked: Readonly<Record<string, number>> = {};
  readonly #document: Buffer;
  #said = false;

  constructor(status: number) {
    this.#document = Buffer.from(
      JSON.stringify({
        type: 'about:blank',
        title: 'The target answered with an error',
        status,
        detail: 'What it said is withheld: masked values may be in it.',
      }),
    );
  }

  get headers(): HeaderList {
    return [
      ['content-type', 'application/problem+json'],
      ['content-length', String(this.#document.length)],
    ];
  }

  push(): readonly Uint8Array[] {
    if (this.#said) return [];
    this.#said = true;
    return [this.#document];
  }

  end(): readonly Uint8Array[] {
    return this.push();
  }
}
