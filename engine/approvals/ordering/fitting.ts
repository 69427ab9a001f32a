/**
 * Which messages of the stream count (ADR 0031). A message fits where its tag is right and nothing of its subject stands between what its writer had been
 * told and itself: then it was written for this place, and for no other. That is told by the stream and the key alone, so all engines leave out the same.
 */
import type { StreamMessage } from './stream.ts';
import { isUntagged, type Tags } from './tagging.ts';

export type Fit =
  | { readonly kind: 'fits'; readonly body: Uint8Array }
  /** It stood at the very beginning of what is kept, and what it rests on grew old. */
  | { readonly kind: 'old' }
  | { readonly kind: 'misfit'; readonly why: string };

/** Messages at the beginning of what is kept whose writers need not have known more. */
const EDGE_MESSAGES = 1_000;

export class Fitting {
  readonly #tags: Tags;
  readonly #subjectsMax: number;
  /** The last message of each subject, whatever it was. */
  readonly #last = new Map<string, number>();
  #log = '';
  /** Of a subject that is not in `#last` nothing is known before this one. */
  #from = 1;
  #edge = 1;

  constructor(tags: Tags, subjectsMax: number) {
    this.#tags = tags;
    this.#subjectsMax = subjectsMax;
  }

  /** What came before was not read, or not by this process. */
  begin(log: string, from: number): void {
    this.#log = log;
    this.#from = this.#edge = from;
    this.#last.clear();
  }

  get from(): number {
    return this.#from;
  }

  /** Each message once, in order. */
  next(message: StreamMessage): Fit {
    const { seq, subject } = message;
    const before = this.#last.get(subject) ?? this.#from - 1;
    this.#last.set(subject, seq);
    this.#forget();
    return this.#fit(message, before);
  }

  /** Whether its tag is right, wherever it stands. */
  body({ subject, body }: StreamMessage, log: string): Uint8Array | null {
    return this.#tags.read({ log, subject }, body)?.body ?? null;
  }

  #fit({ seq, subject, body }: StreamMessage, before: number): Fit {
    const written = this.#tags.read({ log: this.#log, subject }, body);
    if (written === null) return { kind: 'misfit', why: isUntagged(body) ? 'it carries no tag' : 'its tag is not of this installation and place' };
    const { after, alone } = written;
    if (after >= before && after < seq && (!alone || after === seq - 1)) return { kind: 'fits', body: written.body };
    // of a hundred days ago: nothing that is open lives as long
    if (after < this.#edge - 1 && seq < this.#edge + EDGE_MESSAGES) return { kind: 'old' };
    return { kind: 'misfit', why: `it was written behind message ${after}, for another place` };
  }

  #forget(): void {
    if (this.#last.size <= this.#subjectsMax) return;
    const [subject, seq] = this.#last.entries().next().value as [string, number];
    this.#last.delete(subject);
    this.#from = Math.max(this.#from, seq + 1);
  }
}
