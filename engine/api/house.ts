/** What all calls share while the server runs. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { ConsoleFiles } from './console-files.ts';
import { LIMITS, LINK_MS, PENDING_LOGIN_MS } from './limits.ts';
import { Live } from './live.ts';
import { Bounded } from './login/bounded.ts';
import { ConsoleSessions } from './login/console-sessions.ts';
import { type CookieNames, cookieNames } from './login/cookies.ts';
import type { ApiParts, LoginBegun, OidcLogin } from './parts.ts';
import { Rates } from './rates.ts';
import { Seats } from './seats.ts';
import { Views } from './views.ts';
import type { Principal } from '#client/identity';

export interface House {
  readonly parts: ApiParts;
  readonly clock: Clock;
  readonly log: Log;
  /** Where browsers reach it. */
  readonly publicUrl: URL;
  /** What it speaks itself. */
  readonly scheme: 'http' | 'https';
  readonly cookies: CookieNames;
  readonly sessions: ConsoleSessions;
  /** By the mark of the word in the browser's cookie. */
  readonly pending: Bounded<PendingLogin>;
  /** By the mark of the code. */
  readonly links: Bounded<Principal>;
  readonly live: Live;
  readonly views: Views;
  readonly rates: Rates;
  /** Of Interlock's own MCP server: a call of it may wait for a person. */
  readonly seats: Seats;
  /** Readings of the journal that are open. */
  readonly readings: { open: number };
  console: ConsoleFiles;
  readonly closing: AbortSignal;
}

/** A login on its way to an issuer and back. */
export interface PendingLogin {
  readonly issuer: OidcLogin;
  readonly begun: LoginBegun;
  readonly next: string;
}

const SWEEP_MS = 5_000;

export function openHouse(from: Pick<House, 'parts' | 'clock' | 'log' | 'publicUrl' | 'scheme' | 'console'>): House & { close(): void } {
  const { parts, clock, publicUrl } = from;
  const closing = new AbortController();
  const sessions = new ConsoleSessions(clock);
  const live = new Live(parts);
  const sweeping = setInterval(() => sessions.sweep(), SWEEP_MS).unref();
  return {
    ...from,
    cookies: cookieNames(publicUrl),
    sessions,
    pending: new Bounded(clock, LIMITS.pendingLogins, PENDING_LOGIN_MS),
    links: new Bounded(clock, LIMITS.links, LINK_MS),
    live,
    views: new Views(parts, clock),
    rates: new Rates(clock),
    seats: new Seats({ all: LIMITS.toolCalls, perPrincipal: LIMITS.toolCallsPerPrincipal }),
    readings: { open: 0 },
    closing: closing.signal,
    close: () => {
      clearInterval(sweeping);
      closing.abort();
      live.close();
      sessions.closeAll();
    },
  };
}
