/**
 * What an engine writes into the stream beside the changes, on a subject of its own, one after the other: how a use ended, and its farewell. Each is written
 * behind the one before it, so that it fits where it comes to stand and nowhere else (ADR 0031).
 */
import { randomUUID } from 'node:crypto';
import { Serial } from '../serial.ts';
import { LOG_LIMITS } from './limits.ts';
import type { Place } from './publisher.ts';
import type { OrderedStream } from './stream.ts';
import type { Tags } from './tagging.ts';
import type { Waiting } from './waiting.ts';

export interface RemarksParts {
  readonly stream: OrderedStream;
  readonly tags: Tags;
  readonly log: () => string;
  readonly place: Place;
  readonly waiting: Waiting;
  readonly limits: Readonly<Record<keyof typeof LOG_LIMITS, number>>;
}

export class Remarks {
  readonly #parts: RemarksParts;
  readonly #serial = new Serial();
  /** By subject: the last one that the stream acknowledged. */
  readonly #stored = new Map<string, number>();
  #waiting = 0;

  constructor(parts: RemarksParts) {
    this.#parts = parts;
  }

  /** Never rejects: it decides nothing, and may be lost. */
  async write(subject: string, body: Uint8Array): Promise<void> {
    // before the stream was met there is no place to write for
    if (this.#waiting >= this.#parts.limits.remarksMax || this.#parts.log() === '') return;
    this.#waiting++;
    try {
      await this.#serial.run(subject, () => this.#write(subject, body));
    } catch {
      // the stream is out of reach: what waits for it is told elsewhere
    } finally {
      this.#waiting--;
    }
  }

  async #write(subject: string, body: Uint8Array): Promise<void> {
    const { stream, tags, log, place, waiting, limits } = this.#parts;
    for (let attempt = 0; attempt < limits.remarkAttemptsMax; attempt++) {
      const stored = this.#stored.get(subject) ?? 0;
      const lastOfSubject = Math.max(place.subjects.get(subject) ?? 0, stored);
      const after = Math.max(place.told, stored);
      const bytes = tags.write({ log: log(), subject }, { after, alone: false, body });
      const published = await stream.publish(subject, bytes, { id: randomUUID(), lastOfSubject });
      if (published.kind === 'stored') this.#stored.set(subject, published.seq);
      if (published.kind !== 'refused') return;
      // it grew old there, or one whose answer was lost stands there
      if (published.last < lastOfSubject) place.subjects.delete(subject);
      this.#stored.delete(subject);
      await waiting.until(() => place.told >= published.last, performance.now() + limits.publishMs);
    }
  }
}
