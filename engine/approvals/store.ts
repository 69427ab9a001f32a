/** The requests in memory, and the one way to change them: compare-and-append, durable, and only then the new state. */
import type { Clock } from '#client/clock';
import type { EventDraft, Journal } from '#client/journal';
import type { Log } from '#client/log';
import type { Event, PayloadRef } from '#schemas/event';
import type { Bound } from './binding.ts';
import { deadlineIn } from './deadline.ts';
import { entryOf, grantEnd } from './entries.ts';
import type { Entry } from './entry.ts';
import { fold, isLive } from './fold.ts';
import type { Applied, OrderedLog } from './ordering/parts.ts';
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

export type { Entry, Execution } from './entry.ts';

/** What was written, in order; `before` is null for a new request, `own` says whether it was opened here. Seen by nobody before it is durable. */
export type OnChange = (entry: Entry, before: ApprovalRecord | null, events: readonly ApprovalEvent[], own: boolean) => void;

/** A request that is to be. */
export interface Opening {
  readonly event: Extract<ApprovalEventDraft, { type: 'approval.requested' }>;
  readonly bound: Bound;
  readonly plan: string | null;
  readonly lengthMs: number;
}

export class ApprovalStore {
  readonly #entries = new Map<string, Entry>();
  readonly #closed = new Map<string, number>();
  readonly #ordered: OrderedLog;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limits: ApprovalLimits;
  readonly #onChange: OnChange;
  readonly serial: Serial = new Serial();
  #closedBytes = 0;
  /** When the journal had last seen anything at the start, as its clock stood; 0: never. */
  seenUs = 0;

  constructor(options: { ordered: OrderedLog; clock: Clock; log: Log; limits: ApprovalLimits; onChange: OnChange }) {
    this.#ordered = options.ordered;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#limits = options.limits;
    this.#onChange = options.onChange;
    options.ordered.follow('approval', (applied) => this.#apply(applied));
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

  /**
   * The first event of a stream. `plan` is asked as `change` asks its own: null, if there is nothing to open any more; then null is answered.
   * The deadline counts from before it was written.
   */
  async open(owner: string, plan: () => Opening | null): Promise<Entry | null> {
    let opened: string | null = null;
    await this.#ordered.commit(owner, () => {
      const opening = plan();
      opened = opening?.event.approval_id ?? null;
      if (opening === null) return null;
      const { event, bound, plan: shown, lengthMs } = opening;
      const deadline = deadlineIn(this.#clock, lengthMs);
      return { stream: event.approval_id, expectedLast: -1, drafts: [event], opening: { bound, plan: shown, deadline } };
    });
    return opened === null ? null : (this.#entries.get(opened) ?? null);
  }

  /**
   * Call inside `serial.run(approvalId, …)`. `plan` sees the record as it stands and says what follows, or throws; it is asked again when another
   * writer was faster. The new state is seen by nobody before it is durable.
   * @param alone what the plan reads is not this requester's alone
   */
  async change(entry: Entry, plan: (record: ApprovalRecord) => readonly ApprovalEventDraft[], alone: boolean = false): Promise<void> {
    const { approvalId: stream, subject } = entry.record;
    await this.#ordered.commit(subject.id, () => {
      const drafts = plan(entry.record);
      return drafts.length === 0 ? null : { stream, expectedLast: entry.record.last, drafts, ...(alone && { alone }) };
    });
  }

  #apply(applied: Applied): void {
    const events = applied.events as readonly ApprovalEvent[];
    const entry = this.#entries.get(applied.stream);
    if (!entry) return this.#opened(applied, events);
    let record = entry.record;
    for (const event of events) record = fold(record, event) ?? record;
    remember(entry, events, applied.bytes);
    this.#changed(entry, record, applied);
  }

  /** What does not begin with a request is of one that was forgotten: it had ended. */
  #opened({ bytes, proposed, here, past }: Applied, events: readonly ApprovalEvent[]): void {
    let record: ApprovalRecord | null = null;
    for (const event of events) record = fold(record, event);
    if (!record) return;
    const entry = { ...entryOf(record, bytes, this.#clock, this.#seen(past)), ...proposed?.opening, here };
    remember(entry, events, bytes);
    this.put(entry);
    this.#complain(null, record);
    this.#onChange(entry, null, events, proposed !== null);
  }

  #changed(entry: Entry, record: ApprovalRecord, { events, proposed, past }: Applied): void {
    const before = entry.record;
    entry.record = record;
    if (before.state !== 'approved' && record.state === 'approved') entry.deadline = grantEnd(this.#clock, record, this.#seen(past));
    this.#complain(before, record);
    this.#onChange(entry, before, events as readonly ApprovalEvent[], proposed !== null);
    if (!isLive(record)) this.#retire(entry);
  }

  /** A wall clock that leapt ahead while the process before lived ends nothing that was asked for since. */
  #seen(past: boolean): number {
    return past ? this.seenUs : 0;
  }

  #complain(before: ApprovalRecord | null, { approvalId, fault }: ApprovalRecord): void {
    if ((before?.fault ?? null) === null && fault !== null) this.#log.error({ approval_id: approvalId, fault }, 'approval history does not fit');
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
}

/** What reviewers wrote, for who reads it later. */
function remember(entry: Entry, events: readonly ApprovalEvent[], bytes: ReadonlyMap<string, Uint8Array>): void {
  for (const { digest } of events.flatMap(wordsIn)) {
    const words = bytes.get(digest);
    if (words) entry.words.set(digest, utf8.decode(words));
  }
}

function wordsIn(event: ApprovalEvent): readonly PayloadRef[] {
  if (event.type === 'approval.glass_broken') return [event.reason];
  if (event.type !== 'approval.verdict' && event.type !== 'approval.glass_reviewed') return [];
  return event.comment ? [event.comment] : [];
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
