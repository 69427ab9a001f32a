/**
 * Every metric, in one place: METRICS.md is written from it (`npm run generate`), and nothing that does not stand here can be counted.
 * A label takes its values from a closed set of ours, or from the names of the configured targets: never from a client, a policy or an answer.
 */
import { ERRORS } from '#schemas/errors';
import { HEALTH, PROBLEMS } from '#schemas/enforcer-report';
import { ROLES } from '../parts.ts';

/** A policy's own code is a text of its author. */
export const POLICY_CODE = 'POLICY';
/** A target that is not configured here: an outside enforcement point named it. */
export const OTHER_TARGET = 'other';

const CODES = [...Object.keys(ERRORS), POLICY_CODE] as readonly string[];

/** The closed sets. `targets`: the names in `targets` of the configuration, and `other`. */
export const LABELS = {
  target: 'targets',
  role: ROLES,
  effect: ['allow', 'mask', 'require_approval', 'deny'],
  cached: ['true', 'false'],
  code: CODES,
  by: ['policy', 'approval', 'fault', 'support', 'cancel'],
  outcome: ['ok', 'error', 'aborted', 'cancelled', 'unknown'],
  reason: ['client', 'target', 'policy', 'terminated', 'drain', 'fault'],
  verdict: ['approve', 'deny', 'changes'],
  settled: ['approved', 'denied', 'expired', 'cancelled', 'superseded', 'withdrawn', 'changes_requested'],
  change: ['activated', 'rejected'],
  health: HEALTH,
  problem: PROBLEMS,
  quantile: ['0.5', '0.99', '1'],
  spans: ['exported', 'dropped'],
} as const satisfies Readonly<Record<string, readonly string[] | 'targets'>>;
export type LabelName = keyof typeof LABELS;

interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The name ends with it. */
  readonly unit: 'seconds' | 'bytes' | null;
  readonly help: string;
  readonly labels: readonly LabelName[];
  /** Upper bounds, in the unit. */
  readonly buckets?: readonly number[];
  /** Processes in which it has a meaning; absent: all of them. */
  readonly roles?: readonly (typeof ROLES)[number][];
}

/** Microseconds are what a cached decision takes, seconds what a fault takes. */
const DECISION_S = [0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25] as const;
const DISK_S = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5] as const;
const STATEMENT_S = [0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10, 60, 600] as const;
const HOLD_S = [1, 5, 15, 30, 60, 120, 300, 600, 1_800, 3_600] as const;

export const METRICS = {
  interlock_build: { type: 'gauge', unit: null, labels: ['role'], help: 'Always 1; `role` is how this process was started.' },
  interlock_ready: { type: 'gauge', unit: null, labels: [], help: '1 while `/readyz` says so.' },
  interlock_problems: { type: 'gauge', unit: null, labels: ['problem'], help: '1 for each thing that is not as it should be (`/readyz` names it).' },

  interlock_sessions_opened: { type: 'counter', unit: null, labels: ['target'], help: 'Sessions that were let in.' },
  interlock_sessions_refused: { type: 'counter', unit: null, labels: ['target', 'code'], help: 'Sessions that were not, by code.' },
  interlock_sessions_closed: { type: 'counter', unit: null, labels: ['target', 'reason'], help: 'Sessions that ended, by whom they were ended.' },
  interlock_sessions: { type: 'gauge', unit: null, labels: ['target'], help: 'Open sessions.' },
  interlock_sessions_held: { type: 'gauge', unit: null, labels: ['target'], help: 'Of them, waiting for a verdict.' },
  interlock_session_received_bytes: { type: 'counter', unit: 'bytes', labels: ['target'], help: 'Bytes that clients sent in sessions that ended.' },
  interlock_session_sent_bytes: { type: 'counter', unit: 'bytes', labels: ['target'], help: 'Bytes that clients got in sessions that ended.' },

  interlock_statements: { type: 'counter', unit: null, labels: ['target'], help: 'Statements that were received.' },
  interlock_decisions: {
    type: 'counter',
    unit: null,
    labels: ['target', 'effect', 'cached'],
    help: 'Decisions by verdict; after an approval a statement is decided again. `cached`: the judgement was known.',
  },
  interlock_decision_seconds: { type: 'histogram', unit: 'seconds', labels: ['cached'], buckets: DECISION_S, help: 'Facts to decision.' },
  interlock_refusals: {
    type: 'counter',
    unit: null,
    labels: ['target', 'code', 'by'],
    help: 'Statements that never reached the target, by code (ERRORS.md); `POLICY` stands for the codes of policies.',
  },
  interlock_statements_finished: {
    type: 'counter',
    unit: null,
    labels: ['target', 'outcome'],
    help: 'Statements that reached the target, by outcome.',
  },
  interlock_statement_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['target'],
    buckets: STATEMENT_S,
    help: 'From the first byte to the target to the end of its answer.',
  },
  interlock_hold_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: ['target'],
    buckets: HOLD_S,
    help: 'How long statements waited for a verdict.',
  },

  interlock_approvals_requested: { type: 'counter', unit: null, labels: ['target'], help: 'Approval requests that were opened.' },
  interlock_approval_verdicts: { type: 'counter', unit: null, labels: ['verdict'], help: 'Verdicts of reviewers.' },
  interlock_approvals_settled: { type: 'counter', unit: null, labels: ['settled'], help: 'Approval requests that were settled, and how.' },
  interlock_approvals_consumed: { type: 'counter', unit: null, labels: [], help: 'Uses of approvals.' },
  interlock_approvals_open: { type: 'gauge', unit: null, labels: [], roles: ['up', 'engine'], help: 'Approval requests that wait for a verdict.' },
  interlock_notifications_waiting: {
    type: 'gauge',
    unit: null,
    labels: [],
    roles: ['up', 'engine'],
    help: 'Messages to people that are tried again.',
  },
  interlock_notifications_dead: { type: 'gauge', unit: null, labels: [], roles: ['up', 'engine'], help: 'Messages to people that were given up.' },

  interlock_policy_changes: {
    type: 'counter',
    unit: null,
    labels: ['change'],
    help: 'Revisions of the policies that came into force, or were rejected.',
  },
  interlock_policy_age_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    help: 'Since the policies in force were last known to be the newest; past `policies.max_age` everything is refused.',
  },

  interlock_journal_records: { type: 'gauge', unit: null, labels: [], help: 'Records on stable storage.' },
  interlock_journal_size_bytes: { type: 'gauge', unit: 'bytes', labels: [], help: 'What records and payloads take.' },
  interlock_journal_sync_seconds: { type: 'histogram', unit: 'seconds', labels: [], buckets: DISK_S, help: 'One write with its fdatasync.' },
  interlock_journal_append_seconds: {
    type: 'histogram',
    unit: 'seconds',
    labels: [],
    buckets: DISK_S,
    help: 'From placing the first event of a batch until the batch is on stable storage: the longest that anybody in it waited.',
  },
  interlock_projection_lag_records: {
    type: 'gauge',
    unit: null,
    labels: [],
    roles: ['up', 'engine'],
    help: 'Records that lists and search do not show yet.',
  },

  interlock_archive_backlog_records: { type: 'gauge', unit: null, labels: [], help: 'Durable here, not acknowledged by the archive.' },
  interlock_archive_backlog_bytes: { type: 'gauge', unit: 'bytes', labels: [], help: 'The same in bytes.' },
  interlock_archive_backlog_age_seconds: { type: 'gauge', unit: 'seconds', labels: [], help: 'Age of the oldest of them.' },
  interlock_archive_connected: { type: 'gauge', unit: null, labels: [], help: '1 while the archive can be reached.' },

  interlock_channel_connected: { type: 'gauge', unit: null, labels: [], roles: ['enforcer'], help: '1 while an engine can be reached.' },
  interlock_channel_rtt_seconds: { type: 'gauge', unit: 'seconds', labels: [], roles: ['enforcer'], help: 'Last heartbeat to the engine and back.' },
  interlock_channel_clock_offset_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: [],
    roles: ['enforcer'],
    help: 'The engine’s wall clock minus this one’s.',
  },
  interlock_enforcers: {
    type: 'gauge',
    unit: null,
    labels: ['target', 'health'],
    roles: ['up', 'engine'],
    help: 'Enforcers that this engine knows of, by health.',
  },

  interlock_spans: { type: 'counter', unit: null, labels: ['spans'], help: 'Spans of traces (`operations.traces`).' },

  interlock_event_loop_delay_seconds: {
    type: 'gauge',
    unit: 'seconds',
    labels: ['quantile'],
    help: 'How late the event loop was, since the last reading.',
  },
  process_resident_memory_bytes: { type: 'gauge', unit: 'bytes', labels: [], help: 'Resident memory.' },
  process_heap_bytes: { type: 'gauge', unit: 'bytes', labels: [], help: 'JavaScript heap in use.' },
  process_cpu_seconds: { type: 'counter', unit: 'seconds', labels: [], help: 'User and system time.' },
  process_start_time_seconds: { type: 'gauge', unit: 'seconds', labels: [], help: 'Start, in seconds since the epoch.' },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof METRICS;
export type NameOf<T extends Metric['type']> = { [M in MetricName]: (typeof METRICS)[M]['type'] extends T ? M : never }[MetricName];

/** `{target: string}`, `{effect: 'allow' | …}`: a target is checked when the series is made. */
export type LabelsOf<M extends MetricName> = {
  readonly [L in (typeof METRICS)[M]['labels'][number]]: (typeof LABELS)[L] extends readonly (infer V extends string)[] ? V : string;
};

export type { Metric };
