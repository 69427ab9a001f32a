/**
 * How an enforcer is: what it says of itself with every heartbeat (`EnforcerSelf`), and what the engine adds (`EnforcerReport`: `GET /v1/enforcers`,
 * `interlock status`, the console's page). Nothing in it is a secret, and nothing comes from a client: names are those of configurations.
 */
import type { Static } from 'typebox';
import { Digest, Timestamp } from './common.ts';

const text = { type: 'string', maxLength: 256 } as const;
const count = { type: 'integer', minimum: 0 } as const;
const whole = { type: 'integer' } as const;
const nullable = <const S extends object>(schema: S): { readonly anyOf: readonly [S, { readonly type: 'null' }] } => ({
  anyOf: [schema, { type: 'null' }],
});
const object = <const P extends object, const R extends readonly (keyof P & string)[]>(
  properties: P,
  required: R,
): { readonly type: 'object'; readonly additionalProperties: false; readonly properties: P; readonly required: R } => ({
  type: 'object',
  additionalProperties: false,
  properties,
  required,
});

/** Everything that can be not ready. A closed set: metrics use it as a label. */
export const PROBLEMS = [
  'starting',
  'draining',
  'listener',
  'journal',
  'policies',
  'engine',
  'archive',
  'archive_full',
  'archive_drift',
  'clock',
  'projection',
  'approvals',
  'silent',
  'removed',
] as const;
export type ProblemCode = (typeof PROBLEMS)[number];

/** One thing that is not as it should be. `serious`: no new work is done because of it, or what is done may not be kept. */
export const Problem = object({ code: { enum: PROBLEMS }, detail: text, serious: { type: 'boolean' } }, ['code', 'detail', 'serious'] as const);
export type Problem = Static<typeof Problem>;

/** The way to the archive: what is in the enforcer's own journal and not acknowledged there yet. */
export const ArchiveReport = object(
  {
    mode: { enum: ['standard', 'strict'] },
    connected: { type: 'boolean' },
    /** Durable here, not acknowledged there. */ backlog_records: count,
    backlog_bytes: count,
    /** Age of the oldest of them; 0: none waits. */ backlog_age_ms: count,
    /** Reached its bound: new work is refused. */ full: { type: 'boolean' },
    /** The stream is configured otherwise than `interlock nats setup` would. */ drift: { type: 'boolean' },
  },
  ['mode', 'connected', 'backlog_records', 'backlog_bytes', 'backlog_age_ms', 'full', 'drift'] as const,
);
export type ArchiveReport = Static<typeof ArchiveReport>;

/** The private channel, as the enforcer sees it. */
export const ChannelReport = object(
  {
    connected: { type: 'boolean' },
    /** The engine's address; null: none just now. */ engine: nullable(text),
    rtt_us: nullable(count),
    /** The engine's wall clock minus ours. */ clock_offset_us: nullable(whole),
  },
  ['connected', 'engine', 'rtt_us', 'clock_offset_us'] as const,
);
export type ChannelReport = Static<typeof ChannelReport>;

export const JournalReport = object(
  {
    /** 32 hexadecimal digits, once something stands in it. */ journal: nullable(text),
    records: count,
    bytes: count,
    last_sync_us: count,
    /** Why it is dead; null: it can be written. */ fault: nullable(text),
    /** By which its checkpoints are signed: Ed25519, SPKI, DER, base64; absent: an older enforcer. */ key: text,
  },
  ['journal', 'records', 'bytes', 'last_sync_us', 'fault'] as const,
);
export type JournalReport = Static<typeof JournalReport>;

const SELF = {
  target: text,
  protocol: text,
  /** Where clients connect. */ address: text,
  version: text,
  judging: { enum: ['local', 'remote'] },
  /** Of the policies that judge here; null: none, or the engine judges. */ revision: nullable(Digest),
  /** Since they were last confirmed to be the newest. */ policy_age_ms: nullable(count),
  sessions: count,
  /** Of them, waiting for a verdict. */ held: count,
  draining: { type: 'boolean' },
  journal: JournalReport,
  /** null: in the engine's own process. */ channel: nullable(ChannelReport),
  /** null: nothing is forwarded. */ archive: nullable(ArchiveReport),
  problems: { type: 'array', maxItems: 32, items: Problem },
} as const;
const SELF_KEYS = [
  'target',
  'protocol',
  'address',
  'version',
  'judging',
  'revision',
  'policy_age_ms',
  'sessions',
  'held',
  'draining',
  'journal',
  'channel',
  'archive',
  'problems',
] as const;

/** What an enforcer says of itself for one of its targets. */
export const EnforcerSelf = object(SELF, SELF_KEYS);
export type EnforcerSelf = Static<typeof EnforcerSelf>;

export const HEALTH = ['ok', 'degraded', 'down'] as const;
export type Health = (typeof HEALTH)[number];

/** The same as the engine knows it: one for each enforcer and target. */
export const EnforcerReport = object(
  {
    ...SELF,
    /** Its registered name; in the engine's own process the target's. */ enforcer: text,
    home: { enum: ['here', 'apart'] },
    /** ok: takes new work; degraded: works, with problems; down: something is serious, or it is not heard of. */ health: { enum: HEALTH },
    /** Last heartbeat; null: not since this engine started. */ seen_at: nullable(Timestamp),
    /** Its wall clock minus the engine's. */ clock_offset_us: nullable(whole),
    rtt_us: nullable(count),
    /** Last moment of its certificate; null: it has none. */ certificate_until: nullable(Timestamp),
    /** How many records the engine's archive holds of its journal; null: it holds none. */ archived_records: nullable(count),
  },
  [...SELF_KEYS, 'enforcer', 'home', 'health', 'seen_at', 'clock_offset_us', 'rtt_us', 'certificate_until', 'archived_records'] as const,
);
export type EnforcerReport = Static<typeof EnforcerReport>;

export const EnforcerPage = object(
  {
    items: { type: 'array', items: EnforcerReport },
    /** Of the engine that answers: what remote revisions are compared with. */ revision: Digest,
  },
  ['items', 'revision'] as const,
);
export type EnforcerPage = Static<typeof EnforcerPage>;

/** By what is serious. */
export function healthOf(problems: readonly Pick<Problem, 'serious'>[]): Health {
  if (problems.some(({ serious }) => serious)) return 'down';
  return problems.length === 0 ? 'ok' : 'degraded';
}
