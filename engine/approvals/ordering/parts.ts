/** Ordering: who was first. One engine asks its own journal; several ask a stream that all of them follow (ADR 0018). */
import type { EventDraft } from '#client/journal';
import type { DelegationEnded, DelegationOpened, Event, EventBase, EventBody } from '#schemas/event';
import type { Bound } from '../binding.ts';
import type { Deadline } from '../deadline.ts';
import type { ApprovalEvent } from '../record.ts';

export type OrderedKind = 'approval' | 'delegation' | 'enforcer' | 'agent';
export type OrderedDraft = Extract<EventDraft, { type: `${OrderedKind}.${string}` }>;
export type DelegationEvent = Pick<EventBase, 'seq' | 'time' | 'subject'> & (DelegationOpened | DelegationEnded);
/** Who is an enforcer: ordered here, judged elsewhere. */
export type EnforcerEvent = Pick<EventBase, 'seq' | 'time'> & Extract<EventBody, { type: `enforcer.${string}` }>;
/** Who is an agent: the same. */
export type AgentEvent = Pick<EventBase, 'seq' | 'time'> & Extract<EventBody, { type: `agent.${string}` }>;
export type OrderedEvent = ApprovalEvent | DelegationEvent | EnforcerEvent | AgentEvent;

/** One change: written whole or not at all. */
export interface Proposed {
  /** The id of the request or delegation, `enforcer:NAME`, `agent:NAME` or `agent-issuer:KEY`. */
  readonly stream: string;
  /** Its last position as the plan knew it; -1: it is new. */
  readonly expectedLast: number;
  /** At least one. */
  readonly drafts: readonly OrderedDraft[];
  /** Of a new request: what this engine holds beside the events. */
  readonly opening?: { readonly bound: Bound; readonly plan: string | null; readonly deadline: Deadline };
  /** The plan looked at what belongs to others too: nothing at all may have happened since. */
  readonly alone?: true;
}

/** What was written, in order. Durable here, and seen by nobody before. */
export interface Applied {
  readonly stream: string;
  readonly events: readonly OrderedEvent[];
  /** What stands beside the events, by digest, as far as it is kept in clear. */
  readonly bytes: ReadonlyMap<string, Uint8Array>;
  /** As this engine proposed it; null: another's, or from before a start. */
  readonly proposed: Proposed | null;
  /** Written by this engine, now or before its last start. */
  readonly here: boolean;
  /** Told at the start, of what was there already: what the journal saw last counts for it, and for nothing that came later. */
  readonly past: boolean;
}

export interface OrderedLog {
  /** Whether other engines write too. */
  readonly shared: boolean;
  /** Why nothing can be ordered now; null: it can. What waits for others' doing waits in vain meanwhile. */
  readonly trouble: Error | null;
  /** Called whenever `trouble` begins. */
  onTrouble(listener: (trouble: Error) => void): void;
  /**
   * Asks `plan` what to write, writes it, tells the listeners, resolves. `plan` is synchronous: what it reads is what is compared. It is asked again
   * when somebody else was faster, after what they did was told; null: there is nothing (more) to write. What `plan` throws is thrown.
   * @param owner whose doing it is: what one principal asked for is ordered together, so a plan may read all that is theirs
   * @throws InterlockError APPROVAL_UNAVAILABLE, JOURNAL_UNAVAILABLE: it may have been written, or may be yet
   */
  commit(owner: string, plan: () => Proposed | null): Promise<void>;
  /** One listener for each kind; told before `commit` resolves. */
  follow(kind: OrderedKind, listener: (applied: Applied) => void): void;
  /** What others have done before this call is told before it resolves. @throws InterlockError APPROVAL_UNAVAILABLE */
  catchUp(): Promise<void>;
  /** Whether a grant that was ordered at `position` may be used: nothing that was acknowledged can be missing here. Null, or why not. */
  whyIncomplete(position: number): string | null;
  /** Told by whoever sees how a use ended, for those who do not. */
  tellEnd(end: SharedEnd): void;
  onEnd(listener: (end: SharedEnd) => void): void;
}

/** How the statement of a use ended, where its enforcer said so. */
export interface SharedEnd {
  readonly approvalId: string;
  readonly statementId: string;
  readonly outcome: 'ok' | 'error' | 'aborted' | 'cancelled' | 'unknown';
  readonly rows?: number;
  readonly time: string;
}

/** A log that holds more than this engine has seen: what a start reads. */
export interface FollowedLog extends OrderedLog {
  /** Everything that is there, oldest first, told to the listeners as it comes; resolves when all of it was told. Then it follows, until `close`. */
  start(): Promise<void>;
  /** Hears every event of this engine's own journal, oldest first, before `start`. */
  remember(event: Event): void;
  /** Of which this engine's own journal knows more than the stream: what was lost of them may have been a use. To be closed before `speak`. */
  readonly forgotten: ReadonlySet<string>;
  /** From now on others may rely on what this engine says it did last. */
  speak(): void;
  /** What was lost, if the stream lost what it had acknowledged: this engine must end, and starts on what is left. */
  readonly lost: Promise<Error>;
  close(): Promise<void>;
}
