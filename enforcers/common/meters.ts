/**
 * What agents did lately, as this process saw it, and as others said (`elsewhere`): facts for policies (`context.usage`), and the cool-down of an agent that keeps being denied (SECURITY
 * §1.14, A2: probing). Of an agent, over all its sessions here; memory, bounded, and gone with the process.
 */
import { type Clock, timestamp } from '#client/clock';
import type { Statement } from '#client/decision-service';
import type { EventDraft } from '#client/journal';
import type { Subject, Usage } from '#schemas/decision-request';
import { refusal, type Refusal } from './refusal.ts';
import { Window } from './window.ts';

/** As `agents.cool_down` says. */
export interface CoolDownRule {
  readonly denials: number;
  readonly withinMs: number;
  readonly forMs: number;
}

/** What one agent did lately, in the windows of `Usage`. */
export interface Counts {
  readonly id: string;
  readonly statements: number;
  readonly rows: number;
  readonly denials: number;
}

export const METER_LIMITS = {
  /** Agents that are counted; the one that was silent for longest is forgotten. */
  agents: 10_000,
  /** Of one agent; more of them count as so many, which is above every ceiling that makes sense. */
  objects: 10_000,
} as const;

const SECOND_US = 1_000_000;
const MINUTE_US = 60 * SECOND_US;
const HOUR_US = 60 * MINUTE_US;
const NOTHING = { statements: 0, rows: 0, denials: 0 } as const;

export class Meters {
  #rule: CoolDownRule | null;
  readonly #clock: Clock;
  /** By `iss|sub`, the longest silent first. */
  readonly #meters = new Map<string, Meter>();

  constructor(rule: CoolDownRule | null, clock: Clock) {
    this.#rule = rule;
    this.#clock = clock;
  }

  /** What the engine says of it: for every denial from now on. */
  follow(rule: CoolDownRule | null): void {
    this.#rule = rule;
  }

  /** null: no agent, and nothing is counted. */
  of({ type, id, properties }: Subject): Meter | null {
    if (type !== 'agent') return null;
    const meter = this.#meters.get(id) ?? new Meter(id, properties.login, () => this.#rule, this.#clock);
    this.#meters.delete(id);
    this.#meters.set(id, meter);
    if (this.#meters.size > METER_LIMITS.agents) for (const oldest of this.#meters.keys()) if (this.#meters.delete(oldest)) break;
    return meter;
  }

  /** Of those who asked for something within the last hour, whoever began a session last first. */
  counts(most: number): Counts[] {
    const nowUs = this.#clock.monotonicUs();
    const found: Counts[] = [];
    for (const meter of [...this.#meters.values()].reverse()) {
      if (found.length === most) break;
      if (meter.active(nowUs)) found.push(meter.counts(nowUs));
    }
    return found;
  }

  /** What they did elsewhere counts as if it had been done here, until it is in no window any more. */
  elsewhere(counted: readonly Counts[]): void {
    const nowUs = this.#clock.monotonicUs();
    for (const counts of counted) this.#meters.get(counts.id)?.heard(counts, nowUs);
  }
}

export class Meter {
  readonly #id: string;
  readonly #login: string;
  readonly #rule: () => CoolDownRule | null;
  readonly #clock: Clock;
  readonly #statements = new Window(60, SECOND_US);
  readonly #rows = new Window(60, MINUTE_US);
  readonly #denials = new Window(60, 5 * SECOND_US);
  /** By name: the minute in which it was last touched. */
  readonly #objects = new Map<string, number>();
  /** When the last denials were, monotonic; as many as the rule counts. */
  #probing: number[] = [];
  #shutUntilUs = Number.NEGATIVE_INFINITY;
  #shutUntil = '';
  #elsewhere: Counts | null = null;
  #heardUs = 0;
  /** When it asked for something last, or began to be counted. */
  #askedUs: number;

  constructor(id: string, login: string, rule: () => CoolDownRule | null, clock: Clock) {
    this.#id = id;
    this.#login = login;
    this.#rule = rule;
    this.#clock = clock;
    this.#askedUs = clock.monotonicUs();
  }

  /** While it cools down: why nothing is even looked at, and until when. */
  shut(): Refusal | null {
    if (this.#clock.monotonicUs() >= this.#shutUntilUs) return null;
    const until = `${this.#shutUntil.slice(11, 19)} UTC`;
    return refusal('AGENT_COOL_DOWN', `${this.#login} was denied too often in a short time: everything is refused until ${until}`, {
      by: 'policy',
      detail: `code=AGENT_COOL_DOWN until=${this.#shutUntil}`,
    });
  }

  /** With the statement that is about to be judged. */
  usage({ facts }: Statement): Usage {
    const nowUs = this.#clock.monotonicUs();
    this.#forget(minuteOf(nowUs));
    this.#askedUs = nowUs;
    const others = this.#others(nowUs);
    const more = new Set(facts.effects.map(({ object }) => object.qualified).filter((name) => !this.#objects.has(name)));
    return {
      statements_last_minute: this.#statements.sum(nowUs) + others.statements,
      rows_last_hour: this.#rows.sum(nowUs) + others.rows,
      objects_last_hour: this.#objects.size + more.size,
      denials_last_5_minutes: this.#denials.sum(nowUs) + others.denials,
    };
  }

  active(nowUs: number): boolean {
    return nowUs - this.#askedUs < HOUR_US;
  }

  /** Here alone. */
  counts(nowUs: number): Counts {
    return { id: this.#id, statements: this.#statements.sum(nowUs), rows: this.#rows.sum(nowUs), denials: this.#denials.sum(nowUs) };
  }

  heard(counts: Counts, nowUs: number): void {
    this.#elsewhere = counts;
    this.#heardUs = nowUs;
  }

  #others(nowUs: number): Omit<Counts, 'id'> {
    const heard = this.#elsewhere;
    if (heard === null) return NOTHING;
    const agoUs = nowUs - this.#heardUs;
    if (agoUs >= HOUR_US) return NOTHING;
    return {
      statements: agoUs < MINUTE_US ? heard.statements : 0,
      rows: heard.rows,
      denials: agoUs < 5 * MINUTE_US ? heard.denials : 0,
    };
  }

  /** One execution is asked for. */
  asked(): void {
    this.#statements.add(1, this.#clock.monotonicUs());
  }

  /** It was not denied: what it names counts. */
  touched({ facts }: Statement): void {
    const minute = minuteOf(this.#clock.monotonicUs());
    for (const { object } of facts.effects) this.#touch(object.qualified, minute);
  }

  rows(count: number): void {
    if (count > 0) this.#rows.add(count, this.#clock.monotonicUs());
  }

  /** One more “no”; what to record if it was one too many. */
  denied(): EventDraft | null {
    const nowUs = this.#clock.monotonicUs();
    this.#denials.add(1, nowUs);
    const rule = this.#rule();
    if (rule === null || nowUs < this.#shutUntilUs) return null;
    this.#probing = [...this.#probing, nowUs].slice(-rule.denials);
    const [first = nowUs] = this.#probing;
    if (this.#probing.length < rule.denials || nowUs - first > rule.withinMs * 1000) return null;
    this.#probing = [];
    this.#shutUntilUs = nowUs + rule.forMs * 1000;
    this.#shutUntil = timestamp(this.#clock.wallUs() + rule.forMs * 1000);
    return { type: 'agent.cooled', agent: this.#id, denials: rule.denials, within_ms: rule.withinMs, until: this.#shutUntil };
  }

  #touch(object: string, minute: number): void {
    this.#objects.delete(object);
    if (this.#objects.size < METER_LIMITS.objects) this.#objects.set(object, minute);
  }

  /** The oldest stand first. */
  #forget(minute: number): void {
    for (const [object, at] of this.#objects) {
      if (minute - at < 60) return;
      this.#objects.delete(object);
    }
  }
}

function minuteOf(us: number): number {
  return Math.floor(us / MINUTE_US);
}
