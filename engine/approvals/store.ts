/** The requests in memory, and the one way to change them: compare-and-append, durable, and only then the new state. */
import type { Clock } from '#client/clock';
import { timestamp } from '#client/clock';
import type { EventDraft, Journal, Payload } from '#client/journal';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { Event, PayloadRef } from '#schemas/event';
import type { Bound } from './binding.ts';
import { type Deadline, deadlineAfterRestart, deadlineIn } from './deadline.ts';
import { fold, isLive } from './fold.ts';
import type { ApprovalEvent, ApprovalRecord } from './record.ts';
import type { ApprovalLimits } from './limits.ts';
import type { StatementEnd } from './record.ts';
import { Serial } from './serial.ts';

/** What the approvals need of a journal beside writing: its history, for the fold at start. */
export interface ApprovalJournal extends Journal {
  /** Every durable event, oldest first. */
  events(): AsyncIterable<Event>;
  /** The bytes beside a record; null when they are not kept in clear. */
  payload(ref: PayloadRef): Promise<Uint8Array | null>;
  /** The same for many in one pass, by digest; what is not kept is not in it. Without it, only what is still needed is read at start. */
  payloads?(refs: readonly PayloadRef[]): Promise<ReadonlyMap<string, Uint8Array>>;
}

export type ApprovalEventDraft = Extract<EventDraft, { type: `approval.${string}` }>;

export interface Entry {
  record: ApprovalRecord;
  /** null: the text is no longer held, so the request is closed and only its outline is shown. */
  readonly bound: Bound | null;
  /** What people wrote to it, by the digest of the payload. */
  readonly words: Map<string, string>;
  /** The target's plan, where it is kept in clear. */
  readonly plan: string | null;
  /** What became of its uses, by statement. */
  readonly executions: Map<string, Execution>;
  /** End of waiting while open, end of the grant while approved. */
  deadline: Deadline;
}

export interface Execution {
  readonly outcome: 'running' | StatementEnd['outcome'];
  readonly rows?: number;
  readonly time: string;
}

/** What was written, in order; `before` is null for a new request. Seen by nobody before it is durable. */
export type OnChange = (entry: Entry, before: ApprovalRecord | null, events: readonly ApprovalEvent[]) => void;

/** Another writer on the stream is met at most this often before we give up. */
const ATTEMPTS_MAX = 3;

export class ApprovalStore {
  readonly #entries = new Map<string, Entry>();
  readonly #closed = new Map<string, number>();
  readonly #journal: ApprovalJournal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limits: ApprovalLimits;
  readonly #onChange: OnChange;
  readonly serial: Serial = new Serial();
  #closedBytes = 0;

  constructor(options: { journal: ApprovalJournal; clock: Clock; log: Log; limits: ApprovalLimits; onChange: OnChange }) {
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#limits = options.limits;
    this.#onChange = options.onChange;
  }

  get(approvalId: string): Entry | undefined {
    return this.#entries.get(approvalId);
  }

  all(): IterableIterator<Entry> {
    return this.#entries.values();
  }

  /** One that is durable already. */
  put(entry: Entry): void {
    this.#entries.set(entry.record.approvalId, entry);
    if (!isLive(entry.record)) this.#retire(entry);
  }

  /** The first event of a stream. `deadline` counts from before it was written. */
  async open(
    event: Extract<ApprovalEventDraft, { type: 'approval.requested' }>,
    bound: Bound,
    plan: string | null,
    lengthMs: number,
  ): Promise<Entry> {
    const deadline = deadlineIn(this.#clock, lengthMs);
    const stream = event.approval_id;
    const position = this.#journal.appendIf(event, { stream, expectedLast: -1 });
    const written = position === null ? null : this.#written(event, position);
    const record = written && fold(null, written);
    if (position === null || !record) throw new InterlockError('APPROVAL_UNAVAILABLE', `${stream} exists already`);
    await this.#journal.durable(position);
    const entry: Entry = { record, bound, words: new Map(), plan, executions: new Map(), deadline };
    this.put(entry);
    this.#onChange(entry, null, [written]);
    return entry;
  }

  /**
   * Call inside `serial.run(approvalId, …)`. `plan` sees the record as it stands and says what follows, or throws; it is asked again when another
   * writer was faster. The new state is seen by nobody before it is durable.
   */
  async change(entry: Entry, plan: (record: ApprovalRecord) => readonly ApprovalEventDraft[]): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const drafts = plan(entry.record);
      const placed = this.#place(entry.record, drafts);
      if (placed) {
        const { record, events } = placed;
        if (events.length === 0) return;
        await this.#journal.durable(record.last);
        for (const draft of drafts) this.#remember(entry, draft);
        this.#apply(entry, record, events);
        return;
      }
      await this.#refresh(entry);
    }
    throw new InterlockError('APPROVAL_UNAVAILABLE', `${entry.record.approvalId} is being changed by others`);
  }

  #place(record: ApprovalRecord, drafts: readonly ApprovalEventDraft[]): { record: ApprovalRecord; events: readonly ApprovalEvent[] } | null {
    let next = record;
    const events: ApprovalEvent[] = [];
    for (const draft of drafts) {
      const position = this.#journal.appendIf(draft, { stream: record.approvalId, expectedLast: next.last });
      if (position === null) return null;
      const event = this.#written(draft, position);
      events.push(event);
      next = fold(next, event) ?? next;
    }
    return { record: next, events };
  }

  #apply(entry: Entry, record: ApprovalRecord, events: readonly ApprovalEvent[]): void {
    const before = entry.record;
    entry.record = record;
    if (before.state !== 'approved' && record.state === 'approved') entry.deadline = grantEnd(this.#clock, record);
    if (before.fault === null && record.fault !== null)
      this.#log.error({ approval_id: record.approvalId, fault: record.fault }, 'approval history does not fit');
    this.#onChange(entry, before, events);
    if (!isLive(record)) this.#retire(entry);
  }

  /** Somebody else wrote on this stream (never within one engine): take what the journal says. */
  async #refresh(entry: Entry): Promise<void> {
    const id = entry.record.approvalId;
    await this.#journal.durable(this.#journal.lastOf(id));
    let record: ApprovalRecord | null = null;
    const news: ApprovalEvent[] = [];
    for await (const event of this.#journal.events()) {
      if (!isApprovalEvent(event) || event.approval_id !== id) continue;
      record = fold(record, event);
      if (event.seq > entry.record.last && event.type !== 'approval.viewed') news.push(event);
    }
    if (!record) throw new InterlockError('APPROVAL_UNAVAILABLE', `the journal does not know ${id}`);
    this.#apply(entry, record, news);
  }

  #remember(entry: Entry, draft: ApprovalEventDraft): void {
    for (const value of Object.values(draft)) {
      if (isPayload(value) && value.media === 'comment') entry.words.set(this.#journal.digestOf(value), utf8.decode(value.bytes));
    }
  }

  /** A broken glass whose review is open stays, however many came after it: it blocks the next one. */
  #retire(entry: Entry): void {
    const id = entry.record.approvalId;
    if (this.#closed.has(id) || needsReview(entry.record)) return;
    const bytes = sizeOf(entry);
    this.#closed.set(id, bytes);
    this.#closedBytes += bytes;
    for (const [oldest, size] of this.#closed) {
      if (this.#closed.size <= this.#limits.closedMax && this.#closedBytes <= this.#limits.closedBytesMax) break;
      this.#closed.delete(oldest);
      this.#entries.delete(oldest);
      this.#closedBytes -= size;
    }
  }

  /** The event as a reader will see it; its time may differ by the microseconds between the two calls. */
  #written(event: ApprovalEventDraft, seq: number): ApprovalEvent {
    const fields = Object.entries(event).map(([key, value]) => [key, this.#asStored(value)]);
    return { ...Object.fromEntries(fields), seq, time: timestamp(this.#clock.wallUs()) } as ApprovalEvent;
  }

  #asStored(value: unknown): unknown {
    if (isPayload(value)) return this.#reference(value);
    // The estimate holds its plan.
    if (typeof value !== 'object' || value === null || !('plan' in value) || !isPayload(value.plan)) return value;
    return { ...value, plan: this.#reference(value.plan) };
  }

  #reference(payload: Payload): PayloadRef {
    return { digest: this.#journal.digestOf(payload), bytes: payload.bytes.length, form: 'clear' };
  }
}

export function isApprovalEvent(event: Event): event is Event & ApprovalEvent {
  return event.type.startsWith('approval.');
}

export function sizeOf({ record }: Entry): number {
  return record.payload.bytes + (record.params?.bytes ?? 0) + (record.estimate?.plan?.bytes ?? 0);
}

export function needsReview(record: ApprovalRecord): boolean {
  return record.glass !== null && record.glass.review === null;
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** By what the record says: a verdict that is concluded after a restart grants no more time than it did. */
function grantEnd(clock: Clock, { validUntil, requirement }: ApprovalRecord): Deadline {
  return deadlineAfterRestart(clock, validUntil ?? '', requirement.valid_for_s * 1000, 0);
}

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array;
}
