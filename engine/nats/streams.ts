/** How the streams must be set up (SECURITY N2). What differs from this is drift. */
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';
import type { NatsSettings } from './settings.ts';

export type Wanted = Readonly<
  Pick<
    StreamConfig,
    | 'name'
    | 'subjects'
    | 'description'
    | 'storage'
    | 'retention'
    | 'discard'
    | 'discard_new_per_subject'
    | 'max_age'
    | 'max_msgs'
    | 'max_msgs_per_subject'
    | 'max_bytes'
    | 'max_msg_size'
    | 'max_consumers'
    | 'no_ack'
    | 'deny_delete'
    | 'deny_purge'
    | 'allow_rollup_hdrs'
    | 'allow_direct'
    | 'mirror_direct'
    | 'sealed'
    | 'num_replicas'
    | 'duplicate_window'
  >
>;

/** One for the journals, one for approvals that several engines order. */
export function wantedStreams(settings: Pick<NatsSettings, 'streams' | 'replicas' | 'duplicateWindowMs'>): readonly Wanted[] {
  const { streams, replicas, duplicateWindowMs } = settings;
  const common = {
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    // a full stream refuses what is new, which refuses new work: never does it lose what is old
    discard: DiscardPolicy.New,
    discard_new_per_subject: false,
    max_age: 0,
    max_msgs: -1,
    max_msgs_per_subject: -1,
    max_bytes: -1,
    max_msg_size: -1,
    max_consumers: -1,
    no_ack: false,
    deny_delete: true,
    deny_purge: true,
    allow_rollup_hdrs: false,
    // an enforcer reads the last message of its own journal by this, and nothing else
    allow_direct: true,
    mirror_direct: false,
    sealed: false,
    num_replicas: replicas,
    duplicate_window: duplicateWindowMs * 1_000_000,
  } as const;
  return [
    { ...common, name: streams.audit, subjects: [`${AUDIT}.*`], description: 'Interlock: journals, as they are stored' },
    // what is older is in the journals of the engines; no request, grant or delegation lives as long
    {
      ...common,
      name: streams.approvals,
      subjects: [`${APPROVALS}.>`],
      description: 'Interlock: approvals, in the order of all engines',
      max_age: APPROVALS_AGE_DAYS * 86_400_000_000_000,
      max_bytes: APPROVALS_BYTES_MAX,
    },
  ];
}

export const AUDIT = 'audit';
export const APPROVALS = 'approvals';
/** What engines tell each other, by topic: in no stream. */
export const ENGINES = 'engines';

const APPROVALS_AGE_DAYS = 100;
const APPROVALS_BYTES_MAX = 1024 ** 3;

/** Each difference in words, sorted; what the server adds by itself is none. */
export function differences(wanted: Wanted, found: Partial<StreamConfig>): readonly string[] {
  const keys = Object.keys(wanted).filter((key) => key !== 'description') as (keyof Wanted)[];
  const differing = keys.filter((key) => JSON.stringify(found[key] ?? ABSENT[key]) !== JSON.stringify(wanted[key]));
  const said = differing.map((key) => `${key} is ${JSON.stringify(found[key] ?? ABSENT[key] ?? null)}, must be ${JSON.stringify(wanted[key])}`);
  const mode = (found as { readonly persist_mode?: string }).persist_mode ?? 'default';
  const unsafe = mode === 'default' || mode === '' ? [] : [`persist_mode is ${mode}: it acknowledges what is not written`];
  return [
    ...said,
    ...unsafe,
    ...FOREIGN.filter((key) => set((found as Readonly<Record<string, unknown>>)[key])).map((key) => `${key} is set, must not be`),
  ].sort();
}

/** What a field that the server leaves out means. */
const ABSENT: Partial<Record<keyof StreamConfig, unknown>> = {
  discard_new_per_subject: false,
  no_ack: false,
  deny_delete: false,
  deny_purge: false,
  allow_rollup_hdrs: false,
  allow_direct: false,
  mirror_direct: false,
  sealed: false,
};

/** Ways in which messages could come in, leave, change or go away beside those that are meant. */
const FOREIGN = [
  'sources',
  'mirror',
  'republish',
  'subject_transform',
  'subject_delete_marker_ttl',
  'allow_msg_ttl',
  'allow_msg_counter',
  'allow_msg_schedules',
  'allow_atomic',
  'allow_batched',
] as const;

function set(value: unknown): boolean {
  return value !== undefined && value !== null && value !== false && value !== 0 && !(Array.isArray(value) && value.length === 0);
}
