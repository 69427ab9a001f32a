/** What a route is: its address, who may call it, and how it answers. */
import type { Principal } from '#client/identity';
import type { House } from './house.ts';
import type { ConsoleSession } from './login/console-sessions.ts';
import type { Outlet } from './outlet.ts';
import type { Reader } from './parts.ts';

interface Request {
  readonly house: House;
  /** From the path. */
  readonly id: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  /** Aborted when the client goes, the token or session ends, or the server closes. */
  readonly signal: AbortSignal;
}

/** Of somebody who showed who they are. */
export interface Call extends Request {
  readonly principal: Principal;
  readonly reader: Reader;
  /** null: they brought a token of their own. */
  readonly session: ConsoleSession | null;
  /** The console asks again for what it shows, because that changed (`x-interlock-refresh`). */
  readonly refreshes: boolean;
  /** `Last-Event-ID` of a live stream that comes back. */
  readonly lastEventId: string | null;
}

/** Of nobody yet: the login. */
export interface OpenCall extends Request {
  /** The cookie of a login on its way, and of a session, as they came. */
  readonly pendingCookie: string | null;
  readonly sessionCookie: string | null;
}

/** One document, a line for each item as it comes, somewhere else, or a live stream. */
export type Answer =
  | { readonly document: unknown; readonly cookies?: readonly string[] }
  | { readonly lines: AsyncIterable<unknown> }
  | { readonly redirect: string; readonly cookies?: readonly string[] }
  | { readonly live: (outlet: Outlet) => Promise<void> };

interface Address {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Matched against the whole path; the one group is the id. */
  readonly path: RegExp;
  /** What may stand in the query. */
  readonly query: readonly string[];
}

export interface Route extends Address {
  /** What the token must carry; any: one of the two. */
  readonly scope: 'any' | 'approve';
  /** It reads the journal: so many at a time (LIMITS.streams). */
  readonly streams?: true;
  readonly answer: (call: Call) => Answer | Promise<Answer>;
}

export interface OpenRoute extends Address {
  readonly scope: 'none';
  readonly answer: (call: OpenCall) => Answer | Promise<Answer>;
}
