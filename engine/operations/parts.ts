/**
 * What the operations need of their neighbours; the composition roots (one process, engine, enforcer) plug in what is there. A part that is
 * absent does not run in this process: nothing is asked of it, and nothing is told of it.
 */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { MetricsReaders } from '#schemas/config-operations';
import type { ArchiveAlarm } from '#schemas/event';
import type { ArchiveReport, ChannelReport, EnforcerReport, JournalReport } from '#schemas/enforcer-report';

/** Which of the three this process is. */
export const ROLES = ['up', 'engine', 'enforcer'] as const;
export type Role = (typeof ROLES)[number];

export interface OperationsParts {
  readonly role: Role;
  readonly version: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly journal: () => JournalReport;
  /** Digest of the policies in force; empty: not known (an enforcer that has none). */
  readonly revision: () => string;
  /** Of the policies that judge in this process; null: none do, the engine judges. */
  readonly policies: () => PolicyState | null;
  /** The targets that this process enforces: a listener is expected for each. */
  readonly targets: readonly string[];
  /** The enforcers of this process, as far as they have started. */
  readonly listeners: () => readonly ListenerState[];
  /** An enforcer's way to its engines. */
  readonly channel?: () => ChannelReport;
  /** Forwarding to the archive. */
  readonly archive?: () => ArchiveReport;
  /** Alarms over the archive that are open. */
  readonly alarms?: () => readonly ArchiveAlarmed[];
  /** Records that the archive's files hold of a journal; null: none, or they are not kept here. */
  readonly archived?: (journal: string) => number | null;
  /** Enforcers elsewhere, as the engine's registry knows them: all that are not removed, heard of or not. */
  readonly remote?: () => readonly EnforcerReport[];
  /** `trouble`: why they cannot be ordered among the engines now; null: they can. */
  readonly approvals?: () => { readonly open: number; readonly trouble?: string | null };
  readonly projection?: () => { readonly behind: number; readonly error: string | null };
  readonly notifications?: () => { readonly waiting: number; readonly dead: number };
}

export interface ArchiveAlarmed {
  readonly code: ArchiveAlarm['code'];
  /** A stream's name, or a journal's. */
  readonly of: string;
}

export interface PolicyState {
  /** Since they were last known to be the newest. */
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

/** Who may read the metrics. */
export interface MetricsAccess {
  readonly readers: MetricsReaders;
  /** For readers `token`. */
  readonly token: string | null;
}
