/**
 * Judgements by what they are a function of. Parts of the key are interned to small integers, so a hit costs one look-up; the text of a part
 * is what is evaluated, so equal keys are equal inputs. Bounded by bytes: when full, everything starts anew.
 */
import type { Combined } from './combine.ts';

/** 64 MiB, as counted here: two bytes a character, and something for each entry. */
const CACHE_BYTES_MAX = 64 * 1024 * 1024;
const ENTRY_BYTES = 256;
/** Two small integers make one key. */
const CONTEXTS_MAX = 2 ** 15;
/** A text longer than this is judged each time. */
const TEXT_LENGTH_MAX = 8_192;

export interface Part {
  readonly id: number;
  readonly text: string;
}

/** The statement's part holds what was judged of it, by session and moment. */
export interface StatementPart extends Part {
  readonly judged: Map<number, Combined>;
}

export class JudgementCache {
  readonly #bytesMax: number;
  readonly #sessions = new Map<string, Part>();
  readonly #moments = new Map<string, Part>();
  readonly #statements = new Map<string, StatementPart>();
  #bytes = 0;
  /** Another object after each fresh start: whoever keeps a part keeps the epoch with it, and drops both. */
  epoch: object = {};

  constructor(bytesMax: number = CACHE_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Call before interning, never between the parts of one key: ids of different epochs must not meet. */
  makeRoom(): void {
    if (this.#bytes < this.#bytesMax && this.#sessions.size < CONTEXTS_MAX - 1 && this.#moments.size < CONTEXTS_MAX - 1) return;
    this.#sessions.clear();
    this.#moments.clear();
    this.#statements.clear();
    this.#bytes = 0;
    this.epoch = {};
  }

  session(text: string): Part {
    return this.#intern(this.#sessions, text);
  }

  moment(text: string): Part {
    return this.#intern(this.#moments, text);
  }

  statement(text: string): StatementPart {
    const known = this.#statements.get(text);
    if (known) return known;
    const part: StatementPart = { id: this.#statements.size, text, judged: new Map() };
    if (text.length > TEXT_LENGTH_MAX) return part;
    this.#statements.set(text, part);
    this.#bytes += ENTRY_BYTES + 2 * text.length;
    return part;
  }

  get(session: Part, moment: Part, statement: StatementPart): Combined | undefined {
    return statement.judged.get(session.id * CONTEXTS_MAX + moment.id);
  }

  /** @param lengthOfAnswer of the text that the policies answered */
  put(session: Part, moment: Part, statement: StatementPart, combined: Combined, lengthOfAnswer: number): void {
    if (statement.text.length > TEXT_LENGTH_MAX) return;
    statement.judged.set(session.id * CONTEXTS_MAX + moment.id, combined);
    this.#bytes += ENTRY_BYTES + 2 * lengthOfAnswer;
  }

  #intern(parts: Map<string, Part>, text: string): Part {
    let part = parts.get(text);
    if (!part) {
      parts.set(text, (part = { id: parts.size, text }));
      this.#bytes += ENTRY_BYTES + 2 * text.length;
    }
    return part;
  }
}
