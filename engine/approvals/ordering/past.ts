/** What this engine's own journal holds of the log: what it must not forget, whatever the stream says. */
import type { Event } from '#schemas/event';

/** Marks that are kept to find where a stream and this journal part. */
const MARKS_MAX = 20_000;

export interface Mark {
  readonly log: string;
  readonly seq: number;
  readonly change: string;
  /** What it is a change of. */
  readonly stream: string;
}

export class Past {
  /** Oldest first, one for each change. */
  #marks: Mark[] = [];
  /** The last one that this engine wrote itself. */
  #own: Mark | null = null;
  readonly #engine: string;

  constructor(engine: string) {
    this.#engine = engine;
  }

  see(event: Event): void {
    const ordered = 'ordered' in event ? event.ordered : undefined;
    if (!ordered || ordered.index !== 0) return;
    const mark = { log: ordered.log, seq: ordered.seq, change: ordered.change, stream: streamOf(event) };
    this.#marks.push(mark);
    if (ordered.engine === this.#engine) this.#own = mark;
    if (this.#marks.length > 2 * MARKS_MAX) this.#marks = this.#marks.slice(-MARKS_MAX);
  }

  get last(): Mark | null {
    return this.#marks.at(-1) ?? null;
  }

  get own(): Mark | null {
    return this.#own;
  }

  /** What was changed by the message at this place. */
  at(log: string, seq: number): string | null {
    return this.#marks.find((mark) => mark.seq === seq && mark.log === log)?.stream ?? null;
  }

  /** Newest first. */
  *newestFirst(): Generator<Mark> {
    for (let at = this.#marks.length - 1; at >= 0; at--) yield this.#marks[at] as Mark;
  }

  /** No longer needed: the log runs. */
  forget(): void {
    this.#marks = [];
  }
}

function streamOf(event: Event): string {
  if ('approval_id' in event && typeof event.approval_id === 'string') return event.approval_id;
  if ('delegation_id' in event && typeof event.delegation_id === 'string') return event.delegation_id;
  if (event.type === 'agent.issuer') return `agent-issuer:${event.issuer}`;
  if (event.type.startsWith('agent.') && 'agent' in event) return `agent:${event.agent}`;
  return event.type.startsWith('enforcer.') && 'enforcer' in event ? `enforcer:${event.enforcer}` : '';
}
