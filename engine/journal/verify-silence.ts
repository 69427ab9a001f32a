/**
 * Where a journal says nothing. A running process signs a checkpoint each minute, whatever else it does (heartbeat): a longer pause in it is a gap, and
 * so is the time since the last record of a journal that nobody closed. Only times tell what was put back to an earlier state whole.
 */
import type { Lifecycle } from './verify-lifecycle.ts';

export interface Silence {
  /** The record before it. */
  readonly seq: number;
  /** stalled: within a process; crashed: one ended without a word, and another began; stopped: one closed the journal, and another began; end: since the last record. */
  readonly kind: 'stalled' | 'crashed' | 'stopped' | 'end';
  readonly from: string;
  readonly to: string;
  readonly seconds: number;
}

/** Three heartbeats. */
const SHOWN_US = 180_000_000;
const SHOWN_MAX = 1_000;

export class Silences {
  readonly found: Silence[] = [];
  #wallUs = -1;
  #tickUs = 0;
  #processes = 0;

  /** The clock that nobody sets counts within a process; between two there is the wall clock alone. */
  record(seq: number, wallUs: number, tickUs: number, { processes, closedBefore }: Lifecycle): void {
    if (this.#wallUs >= 0) {
      if (processes === this.#processes) {
        if (tickUs - this.#tickUs > SHOWN_US) this.#add(seq - 1, 'stalled', wallUs, tickUs - this.#tickUs);
      } else if (wallUs - this.#wallUs > SHOWN_US) this.#add(seq - 1, closedBefore ? 'stopped' : 'crashed', wallUs, wallUs - this.#wallUs);
    }
    this.#processes = processes;
    this.#wallUs = wallUs;
    this.#tickUs = tickUs;
  }

  /** @param nowUs of whoever looks */
  end(lastSeq: number, nowUs: number, { closed }: Lifecycle): void {
    if (this.#wallUs >= 0 && !closed && nowUs - this.#wallUs > SHOWN_US) this.#add(lastSeq, 'end', nowUs, nowUs - this.#wallUs);
  }

  #add(seq: number, kind: Silence['kind'], toUs: number, us: number): void {
    if (this.found.length >= SHOWN_MAX) return;
    this.found.push({ seq, kind, from: timeOf(this.#wallUs), to: timeOf(toUs), seconds: Math.round(us / 1_000_000) });
  }
}

/** RFC 3339 with microseconds. */
export function timeOf(wallUs: number): string {
  return new Date(Math.floor(wallUs / 1000)).toISOString().replace('Z', `${String(wallUs % 1000).padStart(3, '0')}Z`);
}
