/** What notification is built from, and what it offers. */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Journal } from '#client/journal';
import type { Log } from '#client/log';
import type { ApprovalState, ApprovalView, DelegationView } from '#schemas/approval';
import type { NotifyAbout, NotifyField } from '#schemas/config';
import type { Approver } from '#schemas/decision';
import type { Event } from '#schemas/event';
import type { NotificationView } from '#schemas/notification';
import type { NotifyLimits } from './limits.ts';

export type About = NotifyAbout | 'test';

/** What is told: a pointer, never the text, its parameters or a masked value. All words are safe to show on one line; markup is each channel's to escape. */
export interface Message {
  readonly about: About;
  /** For templates. */
  readonly fields: Readonly<Record<NotifyField, string>>;
  readonly facts: readonly (readonly [label: string, value: string])[];
  readonly url: string;
  /** For programs. */
  readonly data: Readonly<Record<string, string | number | null>>;
  readonly route: { readonly target: string | null; readonly stages: readonly string[]; readonly groups: readonly string[] };
  readonly audience: { readonly approvers: readonly Approver[]; readonly logins: readonly string[] };
}

/** One message for one channel. The same `id` for the same message, also after a restart: receivers recognise a repetition by it. */
export interface Letter {
  readonly id: string;
  readonly message: Message;
  /** First line, from the template; safe to show, markup not escaped. */
  readonly headline: string;
  readonly at: Date;
}

export interface Attempt {
  /** Aborted when it takes too long, or everything ends. */
  readonly signal: AbortSignal;
  /** When it is made. */
  readonly now: Date;
}

/** A way to somebody. */
export interface Transport {
  readonly kind: 'slack' | 'teams' | 'smtp' | 'webhook';
  /** Whether there is anybody to tell. */
  reaches(message: Message): boolean;
  /** @throws DeliveryFailed */
  send(letter: Letter, attempt: Attempt): Promise<void>;
}

export interface Channel {
  readonly name: string;
  readonly transport: Transport;
  /** null: everything. */
  readonly on: readonly NotifyAbout[] | null;
  readonly stages: readonly string[] | null;
  readonly targets: readonly string[] | null;
  readonly groups: readonly string[] | null;
  readonly templates: Readonly<Partial<Record<NotifyAbout, string>>>;
}

/** The approvals, as far as notification looks at them. */
export interface Requests {
  /** @throws when it is not known (any more) */
  show(approvalId: string): ApprovalView;
  list(filter: { readonly state: ApprovalState }): readonly ApprovalView[];
  onChange(listener: (change: RequestChange) => void): () => void;
}

export interface RequestChange {
  readonly approvalId: string;
  readonly about: string;
  /** After the change. */
  readonly state: ApprovalState;
  readonly stage?: string;
}

export interface NotifyJournal extends Pick<Journal, 'append' | 'durable' | 'fault'> {
  /** Every durable event, oldest first, behind `since` if given. */
  events(from?: { readonly since?: number }): AsyncIterable<Event>;
}

/** Who an approver is now: whom a reference names, and who stands for somebody; for one request, at one moment. */
export type Named = (approver: Approver) => readonly Approver[];

export interface NotifyOptions {
  readonly journal: NotifyJournal;
  readonly clock: Clock;
  readonly log: Log;
  /** What messages point to. */
  readonly publicUrl: string;
  readonly channels: readonly Channel[];
  /** Looked up before somebody is asked. Absent: references name nobody. */
  readonly people?: (view: ApprovalView) => Promise<Named>;
  readonly limits?: Partial<NotifyLimits>;
  /** From 0 up to 1, for the jitter. */
  readonly random?: () => number;
}

/** For the API and the command. */
export interface Notifications {
  /** Newest first: what waits, what is dead, and the last ones that were delivered. */
  list(filter?: { readonly state?: NotificationView['state'] }): readonly NotificationView[];
  /** A dead message is tried again from the start; recorded with who asked for it. @throws InterlockError NOTIFICATION_NOT_FOUND, APPROVAL_NOT_FOUND */
  resend(notificationId: string, by: Principal): Promise<void>;
  /** One attempt now, without repetition. @throws InterlockError NOTIFICATION_NOT_FOUND: no such channel */
  test(channel: string): Promise<NotificationView>;
  status(): NotifyStatus;
}

export interface NotifyStatus {
  readonly channels: number;
  readonly waiting: number;
  readonly dead: number;
}

export interface Notifier extends Notifications {
  /** Passes on what somebody else reads of the journal before `start`, and remembers what it needs: to read a long journal twice is to start twice as slowly. */
  remembering(events: AsyncIterable<Event>, heeds?: (event: Event) => boolean): AsyncGenerator<Event>;
  /** Follows the requests from now on, and tells what was not told before the start. Resolves when that is queued; nothing waits for it. */
  start(requests: Requests): Promise<void>;
  /** Somebody handed their place to another; durable already. */
  delegated(delegation: DelegationView): void;
  /** Ends attempts and timers; what was not delivered is found again at the next start. */
  close(): void;
}
