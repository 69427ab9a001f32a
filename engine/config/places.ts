import type { LineCounter } from 'yaml';

/** One mistake in a configuration file: where it stands, the key it is about, and a sentence. */
export interface Mistake {
  readonly line: number;
  readonly column: number;
  /** `targets.shop.listen`; empty for the file as a whole. */
  readonly path: string;
  readonly text: string;
  /** A secret that stands in the file: the error's code says so. */
  readonly inlineSecret?: boolean;
}

/** Key path → where it stands in the file. */
export type Places = ReadonlyMap<string, { readonly line: number; readonly column: number }>;

/** Collects mistakes in the order of the file, and remembers where each key stands. */
export class Findings {
  readonly #lines: LineCounter;
  readonly #mistakes: Mistake[] = [];
  readonly #places = new Map<string, { line: number; column: number }>();

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  add(offset: number, path: string, text: string, inlineSecret = false): void {
    this.#mistakes.push({ ...this.#position(offset), path, text, ...(inlineSecret ? { inlineSecret } : {}) });
  }

  /** A mistake about a key whose place is known; else about the nearest parent that has one. */
  addAt(path: string, text: string): void {
    let known = path;
    while (!this.#places.has(known) && known !== '') known = known.slice(0, Math.max(0, known.lastIndexOf('.')));
    this.#mistakes.push({ ...(this.#places.get(known) ?? { line: 1, column: 1 }), path, text });
  }

  place(path: string, offset: number): void {
    this.#places.set(path, this.#position(offset));
  }

  get mistakes(): readonly Mistake[] {
    return this.#mistakes.toSorted((a, b) => a.line - b.line || a.column - b.column);
  }

  get places(): Places {
    return this.#places;
  }

  #position(offset: number): { line: number; column: number } {
    const at = this.#lines.linePos(offset);
    return { line: Math.max(1, at.line), column: Math.max(1, at.col) };
  }
}
