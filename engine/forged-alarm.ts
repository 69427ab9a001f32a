/** What was left out because no engine of the installation wrote it (ADR 0031), as an alarm: one for the stream and one for what is said beside it. */
import type { Forged } from './approvals/approvals.ts';
import type { Alarms } from './journal/archive/alarms.ts';

/** Each of the first ones is an event of its own, then every doubling: whoever forges many does not fill the journal. */
const EACH_MAX = 32;
/** What is not kept anywhere is an alarm as long as it goes on, and so long after it. */
const QUIET_MS = 3_600_000;

export interface ForgedAlarmFrom {
  readonly alarms: Alarms;
  /** The stream's name. */
  readonly stream: string;
  /** `nats.looked_into`, as it is configured now. */
  readonly lookedInto: () => number;
}

export class ForgedAlarm {
  readonly #from: ForgedAlarmFrom;
  readonly #quiet = new Map<string, NodeJS.Timeout>();
  readonly #counts = new Map<string, number>();
  #newest = 0;

  constructor(from: ForgedAlarmFrom) {
    this.#from = from;
  }

  /** It stands in the stream, and is seen again at each start. */
  stands({ seq, subject, why }: Forged): void {
    const { alarms, stream, lookedInto } = this.#from;
    if (seq <= lookedInto()) return;
    this.#newest = Math.max(this.#newest, seq);
    const count = this.#counted(stream);
    if (isTold(count)) alarms.raise('forged', stream, `message ${seq} on ${subject} was left out: ${why} (${count} in all)`);
  }

  /** On a subject that nothing keeps. */
  said(topic: string): void {
    const { alarms } = this.#from;
    const of = `engines.${topic}`;
    const count = this.#counted(of);
    if (isTold(count)) alarms.raise('forged', of, `something was said that carries no tag of this installation (${count} in all)`);
    clearTimeout(this.#quiet.get(of));
    this.#quiet.set(of, setTimeout(() => alarms.clear('forged', of, 'it was not said again for an hour'), QUIET_MS).unref());
  }

  /** The configuration was read again. */
  look(): void {
    const { alarms, stream, lookedInto } = this.#from;
    if (this.#newest > lookedInto()) return;
    this.#counts.delete(stream);
    alarms.clear('forged', stream, `it was looked into, up to message ${lookedInto()}`);
  }

  close(): void {
    for (const timer of this.#quiet.values()) clearTimeout(timer);
  }

  #counted(of: string): number {
    const count = (this.#counts.get(of) ?? 0) + 1;
    this.#counts.set(of, count);
    return count;
  }
}

function isTold(count: number): boolean {
  return count <= EACH_MAX || (count & (count - 1)) === 0;
}
