/**
 * What the operations need of their neighbours; the composition roots (one process, engine, enforcer) plug in what is there. A part that is
 * absent does not run in this process: nothing is asked of it, and nothing is told of it.
 */
import type { ArchiveReport, ChannelReport, EnforcerReport, JournalReport } from '#schemas/enforcer-report';
import type { Log } from '#client/log';
import type { Clock } from '#client/clock';

/** Which of the three this process is. */
export const ROLES = ['up', 'engine', 'enforcer'] as const;
export type Role = (typeof ROLES)[number];

export interface OperationsParts {
  readonly role: Role;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  journal(): JournalReport;
  /** null: the engine judges. */
  readonly policies: PolicyState | null;
  /** The enforcers of this process. */
  listeners(): readonly ListenerState[];
  /** An enforcer's way to its engines. */
  readonly channel?: () => ChannelReport;
  /** Forwarding to the archive, with a strict or standard target. */
  readonly archive?: () => ArchiveReport;
  /** Enforcers elsewhere, as the engine's registry knows them. */
  readonly remote?: () => readonly EnforcerReport[];
  readonly approvals?: () => { readonly open: number };
  readonly projection?: () => { readonly behind: number; readonly fault: string | null };
  readonly notifications?: () => { readonly waiting: number; readonly dead: number };
}

export interface PolicyState {
  readonly revision: string;
  /** Since they were last confirmed to be the newest. */
  readonly ageMs: number;
  /** Young enough to judge by (`policies.max_age`). */
  readonly usable: boolean;
  /** Why the newest ones are not in force; null: they are. */
  readonly error: string | null;
}

/** One enforcement point of this process. */
export interface ListenerState {
  readonly target: string;
  readonly protocol: string;
  /** `host:port` */
  readonly address: string;
  readonly judging: 'local' | 'remote';
  /** Takes new sessions. */
  readonly accepting: boolean;
  readonly draining: boolean;
  readonly sessions: number;
  readonly held: number;
}
