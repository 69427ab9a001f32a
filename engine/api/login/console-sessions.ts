/**
 * Who is logged in to the console. A session is this side's alone: the browser holds 256 random bits, made anew at every login. It ends with what it
 * was opened with, after an hour without a request, after twelve hours, at logout, and with the process.
 */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import { CONSOLE_IDLE_MS, CONSOLE_SESSION_MS, LIMITS } from '../limits.ts';
import { markOf, secretWord } from './secret-word.ts';

export interface ConsoleSession {
  /** Of the word in the cookie. */
  readonly mark: string;
  readonly principal: Principal;
  /** Goes back in `x-interlock-csrf`. */
  readonly csrf: string;
  readonly by: 'local' | 'oidc';
  /** Where to log in anew. */
  readonly issuer: string | null;
  /** Wall clock, milliseconds. */
  readonly endsMs: number;
  /** Aborted at its end: live streams end with it. */
  readonly ended: AbortSignal;
}

interface Kept {
  readonly session: ConsoleSession;
  readonly end: AbortController;
  /** Monotonic: a wall clock that is set back does not make a session longer. */
  readonly endsUs: number;
  usedUs: number;
}

export class ConsoleSessions {
  readonly #clock: Clock;
  /** By the mark of its word, least lately used first. */
  readonly #kept = new Map<string, Kept>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The word for the cookie. */
  open(login: Pick<ConsoleSession, 'principal' | 'by' | 'issuer'>): { readonly word: string; readonly session: ConsoleSession } {
    this.sweep();
    this.#makeRoom(login.principal.subject.id);
    const nowMs = this.#clock.wallUs() / 1000;
    const endsMs = Math.min(login.principal.expiresAtMs, nowMs + CONSOLE_SESSION_MS);
    const word = secretWord();
    const end = new AbortController();
    const session: ConsoleSession = { ...login, mark: markOf(word), csrf: secretWord(), endsMs, ended: end.signal };
    const nowUs = this.#clock.monotonicUs();
    const kept: Kept = { session, end, endsUs: nowUs + (endsMs - nowMs) * 1000, usedUs: nowUs };
    this.#kept.set(kept.session.mark, kept);
    return { word, session };
  }

  /** `use`: it counts as being there. */
  find(word: string, use: boolean): ConsoleSession | null {
    const kept = this.#kept.get(markOf(word));
    if (kept === undefined) return null;
    if (this.#isPast(kept)) {
      this.#end(kept);
      return null;
    }
    if (use) {
      kept.usedUs = this.#clock.monotonicUs();
      this.#kept.delete(kept.session.mark);
      this.#kept.set(kept.session.mark, kept);
    }
    return kept.session;
  }

  close(mark: string): void {
    const kept = this.#kept.get(mark);
    if (kept !== undefined) this.#end(kept);
  }

  /** Also called now and then: a stream must not outlive a session that nobody asks for. */
  sweep(): void {
    for (const kept of this.#kept.values()) if (this.#isPast(kept)) this.#end(kept);
  }

  closeAll(): void {
    for (const kept of this.#kept.values()) this.#end(kept);
  }

  #isPast({ session, endsUs, usedUs }: Kept): boolean {
    const nowUs = this.#clock.monotonicUs();
    return nowUs >= endsUs || nowUs - usedUs >= CONSOLE_IDLE_MS * 1000 || this.#clock.wallUs() / 1000 >= session.endsMs;
  }

  #makeRoom(subject: string): void {
    const own = [...this.#kept.values()].filter(({ session }) => session.principal.subject.id === subject);
    const oldest = own.length >= LIMITS.consoleSessionsPerPrincipal ? own[0] : this.#kept.size >= LIMITS.consoleSessions ? this.#oldest() : undefined;
    if (oldest !== undefined) this.#end(oldest);
  }

  #oldest(): Kept | undefined {
    for (const kept of this.#kept.values()) return kept;
    return undefined;
  }

  #end(kept: Kept): void {
    this.#kept.delete(kept.session.mark);
    kept.end.abort();
  }
}
