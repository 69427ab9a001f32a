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
  /** The reviewer's words at a denial. */
  comment: string | null;
  /** End of waiting while open, end of the grant while approved. */
  deadline: Deadline;
}

/** Another writer on the stream is met at most this often before we give up. */
const ATTEMPTS_MAX = 3;

export class ApprovalStore {
  readonly #entries = new Map<string, Entry>();
  readonly #closed = new Map<string, number>();
  readonly #journal: ApprovalJournal;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limits: ApprovalLimits;
  readonly #onChange: (entry: Entry) => void;
  readonly serial: Serial = new Serial();
  #closedBytes = 0;

  constructor(options: { journal: ApprovalJournal; clock: Clock; log: Log; limits: ApprovalLimits; onChange: (entry: Entry) => void }) {
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

  /** The first event of a stream. */
  async open(event: Extract<ApprovalEventDraft, { type: 'approval.requested' }>, bound: Bound, lengthMs: number): Promise<Entry> {
    const deadline = deadlineIn(this.#clock, lengthMs);
    const stream = event.approval_id;
    const position = this.#journal.appendIf(event, { stream, expectedLast: -1 });
    const record = position === null ? null : fold(null, this.#written(event, position));
    if (position === null || !record) throw new InterlockError('APPROVAL_UNAVAILABLE', `${stream} exists already`);
    await this.#journal.durable(position);
    const entry: Entry = { record, bound, comment: null, deadline };
    this.put(entry);
    return entry;
  }

  /**
   * Call inside `serial.run(approvalId, …)`. `plan` sees the record as it stands and says what follows, or throws; it is asked again when another
   * writer was faster. The new state is seen by nobody before it is durable.
   */
  async change(entry: Entry, plan: (record: ApprovalRecord) => readonly ApprovalEventDraft[]): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const placed = this.#place(entry.record, plan(entry.record));
      if (placed) {
        if (placed.last === entry.record.last) return;
        await this.#journal.durable(placed.last);
        this.#apply(entry, placed);
        return;
      }
      await this.#refresh(entry);
    }
    throw new InterlockError('APPROVAL_UNAVAILABLE', `${entry.record.approvalId} is being changed by others`);
  }

  #place(record: ApprovalRecord, events: readonly ApprovalEventDraft[]): ApprovalRecord | null {
    let next = record;
    for (const event of events) {
      const position = this.#journal.appendIf(event, { stream: record.approvalId, expectedLast: next.last });
      if (position === null) return null;
      next = fold(next, this.#written(event, position)) ?? next;
    }
    return next;
  }

  #apply(entry: Entry, record: ApprovalRecord): void {
    const before = entry.record;
    entry.record = record;
    if (before.state === record.state) return;
    if (record.state === 'approved') entry.deadline = grantEnd(this.#clock, record);
    if (isLive(before) && !isLive(record)) this.#retire(entry);
    if (record.fault !== null) this.#log.error({ approval_id: record.approvalId, fault: record.fault }, 'approval history does not fit');
    this.#onChange(entry);
  }

  /** Somebody else wrote on this stream (never within one engine): take what the journal says. */
  async #refresh(entry: Entry): Promise<void> {
    const id = entry.record.approvalId;
    await this.#journal.durable(this.#journal.lastOf(id));
    let record: ApprovalRecord | null = null;
    for await (const event of this.#journal.events()) {
      if (isApprovalEvent(event) && event.approval_id === id) record = fold(record, event);
    }
    if (!record) throw new InterlockError('APPROVAL_UNAVAILABLE', `the journal does not know ${id}`);
    this.#apply(entry, record);
  }

  #retire(entry: Entry): void {
    const bytes = sizeOf(entry);
    this.#closed.set(entry.record.approvalId, bytes);
    this.#closedBytes += bytes;
    for (const [id, size] of this.#closed) {
      if (this.#closed.size <= this.#limits.closedMax && this.#closedBytes <= this.#limits.closedBytesMax) break;
      this.#closed.delete(id);
      this.#entries.delete(id);
      this.#closedBytes -= size;
    }
  }

  /** The event as a reader will see it; its time may differ by the microseconds between the two calls. */
  #written(event: ApprovalEventDraft, seq: number): ApprovalEvent {
    const fields = Object.entries(event).map(([key, value]) => [key, isPayload(value) ? this.#reference(value) : value]);
    return { ...Object.fromEntries(fields), seq, time: timestamp(this.#clock.wallUs()) } as ApprovalEvent;
  }

  #reference(payload: Payload): PayloadRef {
    return { digest: this.#journal.digestOf(payload), bytes: payload.bytes.length, form: 'clear' };
  }
}

export function isApprovalEvent(event: Event): event is Event & ApprovalEvent {
  return event.type.startsWith('approval.');
}

export function sizeOf(entry: Entry): number {
  return entry.record.payload.bytes + (entry.record.params?.bytes ?? 0);
}

/** By what the record says: a verdict that is concluded after a restart grants no more time than it did. */
function grantEnd(clock: Clock, { validUntil, requirement }: ApprovalRecord): Deadline {
  return deadlineAfterRestart(clock, validUntil ?? '', requirement.valid_for_s * 1000, 0);
}

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array;
}
