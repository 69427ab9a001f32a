/** The enforcers of an installation are connected to one engine or another: engines tell each other of theirs, so each shows all, and ends any session. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { EnforcerReport } from '#schemas/enforcer-report';
import type { EngineTalk } from './nats/talk.ts';

/** How often they tell. */
const TELL_EVERY_MS = 2_000;
/** What was not told again for so long is not so any more. */
const OLD_MS = 7_000;
const REPORTS_PER_MESSAGE = 100;
/** Enforcers and targets of others that are remembered. */
const HEARD_MAX = 10_000;
/** For another engine's enforcer to end a session, and to say so. */
const END_MS = 3_000;
const ASKED_MAX = 1_000;

type Reports = () => readonly EnforcerReport[];
type Terminate = (sessionId: string) => Promise<boolean>;

export interface SharedFleetsFrom {
  readonly talk: Pick<EngineTalk, 'say' | 'hear'>;
  readonly engine: string;
  readonly clock: Clock;
}

export class SharedFleets {
  readonly #from: SharedFleetsFrom;
  readonly #heard = new Map<string, { readonly report: EnforcerReport; readonly atUs: number }>();
  readonly #asked = new Map<string, () => void>();
  #telling: NodeJS.Timeout | null = null;

  constructor(from: SharedFleetsFrom) {
    this.#from = from;
  }

  /** @param own all enforcers, as this engine knows them */
  beside(own: Reports): Reports {
    this.#from.talk.hear('fleet', (body) => this.#hear(body));
    this.#telling = setInterval(() => this.#tell(own().filter(isHeard)), TELL_EVERY_MS).unref();
    return () => own().map((report) => (isHeard(report) ? report : (this.#elsewhere(report) ?? report)));
  }

  orElsewhere(own: Terminate): Terminate {
    const { talk, engine } = this.#from;
    talk.hear('end', (body) => void this.#end(body, own));
    talk.hear('ended', (body) => this.#asked.get(fieldOf(body, 'ask') ?? '')?.());
    return async (sessionId) => {
      if (await own(sessionId)) return true;
      if (this.#asked.size >= ASKED_MAX) return false;
      const ask = randomUUID();
      const ended = Promise.withResolvers<boolean>();
      this.#asked.set(ask, () => ended.resolve(true));
      const late = setTimeout(() => ended.resolve(false), END_MS);
      talk.say('end', json({ engine, ask, session: sessionId }));
      return ended.promise.finally(() => {
        clearTimeout(late);
        this.#asked.delete(ask);
      });
    };
  }

  close(): void {
    if (this.#telling) clearInterval(this.#telling);
  }

  async #end(body: Uint8Array, own: Terminate): Promise<void> {
    const [engine, ask, session] = [fieldOf(body, 'engine'), fieldOf(body, 'ask'), fieldOf(body, 'session')];
    if (engine === this.#from.engine || ask === null || session === null) return;
    const done = await own(session).catch(() => false); // nobody here has it, or could not be asked: who asked waits no longer than for that
    if (done) this.#from.talk.say('ended', json({ ask }));
  }

  #tell(reports: readonly EnforcerReport[]): void {
    const { talk, engine } = this.#from;
    for (let at = 0; at < reports.length; at += REPORTS_PER_MESSAGE)
      talk.say('fleet', json({ engine, reports: reports.slice(at, at + REPORTS_PER_MESSAGE) }));
  }

  #hear(body: Uint8Array): void {
    const said = parsed(body);
    if (said === null || said['engine'] === this.#from.engine || !Array.isArray(said['reports'])) return;
    for (const report of said['reports'] as readonly EnforcerReport[]) {
      if (typeof report?.enforcer !== 'string' || typeof report.target !== 'string' || !Array.isArray(report.problems)) continue;
      const key = keyOf(report);
      this.#heard.delete(key);
      this.#heard.set(key, { report, atUs: this.#from.clock.monotonicUs() });
    }
    for (const key of this.#heard.keys()) {
      if (this.#heard.size <= HEARD_MAX) break;
      this.#heard.delete(key);
    }
  }

  #elsewhere(report: EnforcerReport): EnforcerReport | null {
    const heard = this.#heard.get(keyOf(report));
    return heard && this.#from.clock.monotonicUs() - heard.atUs < OLD_MS * 1_000 ? heard.report : null;
  }
}

/** It is connected, and says how it is. */
function isHeard({ seen_at: seenAt, problems }: EnforcerReport): boolean {
  return seenAt !== null && !problems.some(({ code }) => code === 'silent');
}

function keyOf({ enforcer, target }: EnforcerReport): string {
  return JSON.stringify([enforcer, target]);
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}

function fieldOf(body: Uint8Array, name: string): string | null {
  const value = parsed(body)?.[name];
  return typeof value === 'string' ? value : null;
}

/** null: nothing that an engine says. */
function parsed(body: Uint8Array): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}
