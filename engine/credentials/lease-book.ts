/** Leases for which something was made: renewed while they are held, revoked when they are not. Those that were only read are not in here. */
import type { Clock } from '#client/clock';
import type { HeldLease } from '#client/credentials';
import type { Log } from '#client/log';
import {
  CLOSE_MS_MAX,
  GAIN_MIN,
  KEPT_MS_MAX,
  LEASES_MAX,
  LOOK_MS,
  RENEW_AGAIN_MS,
  RENEW_AT,
  REVOKE_AGAIN_MS,
  REVOKE_TRIES,
  UPKEEP_AT_ONCE,
} from './limits.ts';
import type { CredentialSource, Grant } from './source.ts';

export interface Issued {
  readonly id: string;
  /** Empty: this process. */
  readonly holder: string;
  readonly target: string;
  readonly source: CredentialSource;
  readonly grant: Grant;
}

interface Entry extends Omit<Issued, 'grant'> {
  grant: Grant;
  /** Our monotonic clock, microseconds, all three. */
  endsUs: number;
  dueUs: number;
  keptUs: number;
  /** When it ends was said here. */
  known: boolean;
  busy: boolean;
}

interface Ending {
  readonly source: CredentialSource;
  readonly target: string;
  readonly handle: string;
  tries: number;
  dueUs: number;
}

export class LeaseBook {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #endings = new Set<Ending>();
  #running = 0;
  #timer: NodeJS.Timeout | null = null;
  #idle: (() => void) | null = null;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  get size(): number {
    return this.#entries.size;
  }

  add(issued: Issued): void {
    const nowUs = this.#clock.monotonicUs();
    this.#enter({ ...issued, ...timesOf(issued.grant, nowUs), keptUs: nowUs, known: true, busy: false });
  }

  /** false: it is not this holder's, or nobody here could renew it. */
  keep(holder: string, target: string, { id, handle }: HeldLease, source: CredentialSource | null): boolean {
    const known = this.#entries.get(id);
    if (known !== undefined) {
      if (known.holder !== holder || known.target !== target) return false;
      known.keptUs = this.#clock.monotonicUs();
      return true;
    }
    // only what this target's own source could have made: an enforcer renews nothing else through us
    if (handle === undefined || source?.owns?.(handle) !== true || this.size >= LEASES_MAX) return false;
    if ([...this.#endings].some((ending) => ending.handle === handle)) return false;
    const nowUs = this.#clock.monotonicUs();
    const grant = { handle, lifeMs: KEPT_MS_MAX, renewable: true };
    // renewed at once: only then it is known when it ends
    this.#enter({
      id,
      holder,
      target,
      source,
      grant,
      ...timesOf(grant, nowUs),
      dueUs: nowUs,
      keptUs: nowUs,
      known: false,
      busy: false,
    });
    return true;
  }

  #enter(entry: Entry): void {
    this.#entries.set(entry.id, entry);
    this.#look();
  }

  end(id: string): void {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    this.#entries.delete(id);
    const { source, target, grant } = entry;
    this.#endings.add({ source, target, handle: grant.handle, tries: 0, dueUs: 0 });
    this.#look();
  }

  endAll(holder: string): void {
    for (const entry of this.#entries.values()) if (entry.holder === holder) this.end(entry.id);
  }

  /** Ends what this holder has, and waits for that, but not for ever. */
  async close(holder: string): Promise<void> {
    this.endAll(holder);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#idle = resolve;
    const timer = setTimeout(resolve, CLOSE_MS_MAX);
    this.#tick();
    await promise;
    clearTimeout(timer);
    if (this.#endings.size > 0) this.#log.warn({ leases: this.#endings.size }, 'leases could not be revoked; they end at their own time');
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    this.#timer ??= setInterval(() => this.#tick(), LOOK_MS).unref();
    this.#tick();
  }

  #tick(): void {
    const nowUs = this.#clock.monotonicUs();
    for (const ending of this.#endings) {
      if (this.#running >= UPKEEP_AT_ONCE) break;
      if (ending.dueUs <= nowUs) void this.#revoke(ending);
    }
    for (const entry of this.#entries.values()) {
      if (entry.holder !== '' && nowUs - entry.keptUs > KEPT_MS_MAX * 1000) this.#abandoned(entry);
      else if (!entry.busy && entry.dueUs <= nowUs && this.#running < UPKEEP_AT_ONCE) void this.#renew(entry);
    }
    if (this.#endings.size === 0) this.#idle?.();
  }

  #abandoned({ id, holder, target }: Entry): void {
    this.#log.warn({ lease: id, holder, target }, 'nobody speaks of this lease any more: it is revoked');
    this.end(id);
  }

  async #renew(entry: Entry): Promise<void> {
    const { id, target, source, grant } = entry;
    if (!grant.renewable) return this.#ended(entry);
    entry.busy = true;
    this.#running++;
    try {
      const renewed = (await source.renew?.(grant.handle)) ?? { ...grant, renewable: false };
      const times = timesOf(renewed, this.#clock.monotonicUs());
      // hardly further than to where it would have ended anyhow: its longest life is reached
      const gainedUs = times.endsUs - entry.endsUs;
      if (entry.known && gainedUs < renewed.lifeMs * 1000 * GAIN_MIN) entry.dueUs = this.#last(entry);
      else Object.assign(entry, { grant: renewed, known: true }, times);
    } catch (error) {
      const nowUs = this.#clock.monotonicUs();
      this.#log.warn({ lease: id, target, reason: (error as Error).message }, 'a lease could not be renewed');
      if (nowUs >= entry.endsUs) this.#ended(entry);
      else entry.dueUs = nowUs + RENEW_AGAIN_MS * 1000;
    } finally {
      entry.busy = false;
      this.#running--;
    }
  }

  #last(entry: Entry): number {
    entry.grant = { ...entry.grant, renewable: false };
    return entry.endsUs;
  }

  /** Its own time is up: there is nothing left to revoke. */
  #ended({ id, target }: Entry): void {
    if (!this.#entries.delete(id)) return;
    this.#log.warn({ lease: id, target }, 'a lease has ended while its session goes on: the target may end that');
  }

  async #revoke(ending: Ending): Promise<void> {
    const { source, target, handle } = ending;
    ending.dueUs = Number.POSITIVE_INFINITY;
    this.#running++;
    try {
      await source.revoke?.(handle);
      this.#endings.delete(ending);
    } catch (error) {
      ending.tries++;
      if (ending.tries >= REVOKE_TRIES) this.#endings.delete(ending);
      else ending.dueUs = this.#clock.monotonicUs() + REVOKE_AGAIN_MS * 1000;
      this.#log.warn({ target, tries: ending.tries, reason: (error as Error).message }, 'a lease could not be revoked');
    } finally {
      this.#running--;
      this.#tick();
    }
  }
}

function timesOf({ lifeMs, renewable }: Grant, nowUs: number): Pick<Entry, 'endsUs' | 'dueUs'> {
  const endsUs = nowUs + lifeMs * 1000;
  return { endsUs, dueUs: renewable ? nowUs + lifeMs * 1000 * RENEW_AT : endsUs };
}
