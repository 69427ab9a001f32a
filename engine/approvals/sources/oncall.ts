/** `oncall:NAME`: who has a shift now, in a calendar that is read again and again. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { Named } from '../world.ts';
import { CALENDAR_LIMITS, type CalendarQuestion, type Shift } from './shifts.ts';
import type { ApproverSource, SourceContext } from './source.ts';

export interface OnCallCalendar {
  /** The text of the calendar, from wherever it is; bounded in time and size. */
  readonly read: (bounds: { readonly bytesMax: number; readonly timeoutMs: number }) => Promise<string>;
  /** Read again after this. */
  readonly refreshMs: number;
  /** A copy that could not be renewed counts so long; then nobody is on call. */
  readonly maxAgeMs: number;
  readonly timeoutMs: number;
  readonly timeZone: string | null;
  /** What the calendar calls somebody → their login. Names in lower case. */
  readonly logins: Readonly<Record<string, string>>;
  /** Addresses of this domain are logins with it behind; null: of none. */
  readonly domain: string | null;
}

export interface OnCallOptions {
  readonly calendars: Readonly<Record<string, OnCallCalendar>>;
  readonly clock: Clock;
  readonly log: Log;
  /** Reads in a thread of its own. */
  readonly shifts: (question: CalendarQuestion) => Promise<readonly Shift[]>;
}

/** After a failure nobody waits for the next one again at once. */
const AGAIN_MS = 15_000;
/** As `identity` takes it: what a reviewer reads is who it is. */
const LOGIN = /^[^\p{C}\p{Z}]{1,128}$/u;

export class OnCallSource implements ApproverSource {
  readonly scheme = 'oncall';
  readonly #copies: ReadonlyMap<string, Copy>;
  readonly #timers: readonly NodeJS.Timeout[];
  readonly #clock: Clock;

  constructor(options: OnCallOptions) {
    this.#clock = options.clock;
    this.#copies = new Map(Object.entries(options.calendars).map(([name, calendar]) => [name, new Copy(name, calendar, options)]));
    this.#timers = [...this.#copies.values()].map((copy) => setInterval(() => void copy.refresh(), copy.everyMs).unref());
    void this.refresh([...this.#copies.keys()]);
  }

  resolve(name: string, { nowUs }: SourceContext): readonly Named[] | null {
    return (
      this.#copies
        .get(name)
        ?.onCall(nowUs / 1000)
        ?.map((user) => ({ user })) ?? null
    );
  }

  /** Logins; null: nobody can say. */
  onCall(name: string): readonly string[] | null {
    return this.#copies.get(name)?.onCall(this.#clock.wallUs() / 1000) ?? null;
  }

  async refresh(names: readonly string[]): Promise<void> {
    const copies = names.map((name) => this.#copies.get(name)).filter((copy) => copy !== undefined);
    await Promise.all(copies.map((copy) => copy.refresh()));
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
  }
}

/** What was last read of one calendar. */
class Copy {
  readonly #name: string;
  readonly #calendar: OnCallCalendar;
  readonly #options: OnCallOptions;
  #read: { readonly shifts: readonly Shift[]; readonly wallMs: number; readonly monotonicMs: number } | null = null;
  /** Whoever is on call until the next shift begins or ends: an inbox asks thousands of times. */
  #now: { readonly of: object; readonly named: readonly string[]; readonly fromMs: number; readonly untilMs: number } | null = null;
  #failedMs: number | null = null;
  #reading: { readonly done: Promise<void>; readonly untilMs: number; told: boolean } | null = null;
  /** Said once each. */
  readonly #unknown = new Set<string>();

  constructor(name: string, calendar: OnCallCalendar, options: OnCallOptions) {
    this.#name = name;
    this.#calendar = calendar;
    this.#options = options;
  }

  get everyMs(): number {
    return this.#calendar.refreshMs;
  }

  /**
   * Once at a time, and not at once again after a failure. Never rejects. Waited for only where no copy counts: with one, a statement that is to run
   * does not wait for somebody else's server.
   */
  refresh(): Promise<void> {
    const { clock } = this.#options;
    const { refreshMs, maxAgeMs, timeoutMs } = this.#calendar;
    const nowMs = clock.monotonicUs() / 1000;
    const ageMs = this.#read === null ? Infinity : this.#ageMs(this.#read);
    const justFailed = this.#failedMs !== null && nowMs - this.#failedMs < Math.min(AGAIN_MS, refreshMs);
    if (ageMs < refreshMs || justFailed) return Promise.resolve();
    const patienceMs = timeoutMs + CALENDAR_LIMITS.deadlineMs;
    this.#reading ??= { done: this.#renew().finally(() => (this.#reading = null)), untilMs: nowMs + patienceMs, told: false };
    const leftMs = this.#reading.untilMs - nowMs;
    if (leftMs <= 0) this.#hangs(this.#reading);
    return ageMs < maxAgeMs || leftMs <= 0 ? Promise.resolve() : within(this.#reading.done, leftMs);
  }

  /** A file system that hangs cannot be stopped; nobody waits for it more than once. */
  #hangs(reading: { told: boolean }): void {
    if (!reading.told) this.#options.log.error({ oncall: this.#name }, 'the on-call calendar is still being read: whatever it is on hangs');
    reading.told = true;
  }

  /** null: no copy, or one too old to go by. */
  onCall(nowMs: number): readonly string[] | null {
    const copy = this.#read;
    if (copy === null || this.#ageMs(copy) >= this.#calendar.maxAgeMs) return null;
    const known = this.#now;
    if (known?.of === copy && known.fromMs <= nowMs && nowMs < known.untilMs) return known.named;
    const names = copy.shifts.filter(({ startMs, endMs }) => startMs <= nowMs && nowMs < endMs).flatMap((shift) => shift.names);
    const logins = names.map((name) => this.#loginOf(name)).filter((login) => login !== null);
    const named = [...new Set(logins)];
    const ahead = copy.shifts.flatMap(({ startMs, endMs }) => [startMs, endMs]).filter((ms) => ms > nowMs);
    this.#now = { of: copy, named, fromMs: nowMs, untilMs: ahead.reduce((first, ms) => Math.min(first, ms), Infinity) };
    return named;
  }

  /** By whichever clock it is older; a wall clock that stands before it makes it too old. */
  #ageMs({ wallMs, monotonicMs }: { readonly wallMs: number; readonly monotonicMs: number }): number {
    const { clock } = this.#options;
    const byWallMs = clock.wallUs() / 1000 - wallMs;
    return byWallMs < 0 ? Infinity : Math.max(byWallMs, clock.monotonicUs() / 1000 - monotonicMs);
  }

  async #renew(): Promise<void> {
    const { clock, log, shifts } = this.#options;
    const { read, timeoutMs, maxAgeMs, timeZone } = this.#calendar;
    const wallMs = clock.wallUs() / 1000;
    const monotonicMs = clock.monotonicUs() / 1000;
    try {
      const text = await read({ bytesMax: CALENDAR_LIMITS.bytesMax, timeoutMs });
      this.#read = { shifts: await shifts({ text, fromMs: wallMs, toMs: wallMs + maxAgeMs, timeZone }), wallMs, monotonicMs };
      if (this.#failedMs !== null) log.info({ oncall: this.#name }, 'the on-call calendar is read again');
      this.#failedMs = null;
    } catch (error) {
      const detail = (error as Error).message;
      log.error(
        { oncall: this.#name, detail },
        'the on-call calendar could not be read; the last copy counts until it is too old, then nobody is on call',
      );
      this.#failedMs = clock.monotonicUs() / 1000;
    }
  }

  /** By the table; an address of the domain; a title that is a login. Anything else is nobody, and said. */
  #loginOf(name: string): string | null {
    const { logins, domain } = this.#calendar;
    const key = name.toLowerCase();
    if (Object.hasOwn(logins, key)) return logins[key] ?? null;
    const at = name.lastIndexOf('@');
    const login = at < 0 ? name : domain !== null && key.slice(at + 1) === domain.toLowerCase() ? name.slice(0, at) : '';
    if (LOGIN.test(login) && !login.includes('@')) return login;
    if (this.#unknown.size < 100 && !this.#unknown.has(key)) {
      this.#unknown.add(key);
      this.#options.log.warn({ oncall: this.#name, name }, 'the on-call calendar names somebody whose login is not known: add them to `logins`');
    }
    return null;
  }
}

async function within(work: Promise<void>, ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}
