/** The approval book: every method is one straight line of checks and at most one change of one request. */
import type { ApprovalDraft, Receipt, Ticket } from '#client/approvals';
import { type Clock, timestamp } from '#client/clock';
import { type ClockWatch, watchClock } from '#client/clock-watch';
import type { ApprovalView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import { type Bound, boundOf, differing, joinKey } from './binding.ts';
import { chainOf, isAsked, sharesIdentity } from './chain.ts';
import { type Deadline, isPast, parseUs } from './deadline.ts';
import { Denials } from './denials.ts';
import { conclusion, consumedEvent, type Outcome, requestedEvent, settledEvent, type Use, verdictEvents } from './drafts.ts';
import { isLive } from './fold.ts';
import type { ApprovalRecord } from './record.ts';
import type { ApprovalLimits } from './limits.ts';
import type { ApprovalBook, ApprovalFilter, ApprovalOptions } from './parts.ts';
import { Quota } from './quota.ts';
import { receiptOf } from './receipt.ts';
import { summarise } from './sentence.ts';
import { ApprovalStore, type Entry, sizeOf } from './store.ts';
import { stageFor, type VerdictInput } from './verdict.ts';
import { ticketOf, viewOf, whyVoid } from './view.ts';
import { Waits } from './waits.ts';

const SWEEP_MS = 1_000;

export class Book implements ApprovalBook {
  readonly #options: ApprovalOptions & { readonly limits: ApprovalLimits };
  readonly #clock: Clock;
  readonly #store: ApprovalStore;
  readonly #waits: Waits;
  readonly #quota: Quota;
  /** Live requests by what may join them. */
  readonly #joinable = new Map<string, string>();
  readonly #denials: Denials;
  readonly #watch: ClockWatch;
  readonly #timer: NodeJS.Timeout;
  #closed: InterlockError | null = null;

  constructor(options: ApprovalOptions & { readonly limits: ApprovalLimits }) {
    const { journal, clock, log, limits } = options;
    this.#options = options;
    this.#clock = clock;
    this.#waits = new Waits(limits.waitsMax);
    this.#quota = new Quota(limits);
    this.#denials = new Denials(clock, options.rememberDenialMs, limits.closedMax);
    this.#store = new ApprovalStore({ journal, clock, log, limits, onChange: (entry) => this.#changed(entry) });
    this.#watch = watchClock(clock, { onJump: (jumpMs) => this.#jumped(jumpMs) });
    this.#timer = setInterval(() => void this.#sweep(), SWEEP_MS).unref();
    journal.onFault((fault) => this.#waits.rejectAll(unavailable('the journal cannot be written', fault)));
  }

  get open(): number {
    let open = 0;
    for (const { record } of this.#store.all()) open += record.state === 'open' ? 1 : 0;
    return open;
  }

  async restore(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      this.#store.put(entry);
      if (isLive(entry.record)) this.#quota.add(entry.record.subject.id, sizeOf(entry));
      if (entry.bound && isLive(entry.record)) this.#joinable.set(joinKey(entry.bound), entry.record.approvalId);
      if (entry.record.state === 'denied') this.#denials.restore(entry, this.#ticket(entry));
      await this.#finish(entry);
    }
  }

  async request(draft: ApprovalDraft): Promise<Ticket> {
    this.#checkUsable();
    if (draft.requirement.grant.of === 'shape') throw new InterlockError('UNSUPPORTED', 'a grant for a statement shape is not supported yet');
    const bound = boundOf(draft, draft.requirement.bind_session);
    const key = joinKey(bound);
    return this.#guarded(() =>
      this.#store.serial.run(`join ${key}`, async () => this.#denials.find(bound) ?? this.#ticket(await this.#findOrOpen(draft, bound, key))),
    );
  }

  async settled(approvalId: string, signal: AbortSignal): Promise<Ticket> {
    this.#checkUsable();
    signal.throwIfAborted();
    const entry = this.#known(approvalId);
    await this.#guarded(() => this.#expireIfPast(entry));
    signal.throwIfAborted();
    // Once more: what ended all waits meanwhile did not see this one.
    this.#checkOpen();
    return entry.record.state === 'open' ? this.#waits.wait(approvalId, signal) : this.#ticket(entry);
  }

  async consume(approvalId: string, use: Use): Promise<Receipt> {
    this.#checkUsable();
    const entry = this.#known(approvalId);
    return this.#guarded(async () => {
      await this.#expireIfPast(entry);
      return this.#store.serial.run(approvalId, () => this.#consume(entry, use));
    });
  }

  async cancel(approvalId: string, by: string): Promise<void> {
    const entry = this.#known(approvalId);
    const { id, properties } = entry.record.subject;
    const owner = properties.on_behalf_of;
    if (![id, properties.login, owner?.id, owner?.login].includes(by)) {
      throw new InterlockError('VERDICT_NOT_ELIGIBLE', 'only the requester cancels a request');
    }
    await this.#guarded(() => this.#settle(entry, 'cancelled', `cancelled by ${by}`));
  }

  async supersede(approvalId: string, detail: string): Promise<void> {
    const entry = this.#known(approvalId);
    await this.#guarded(() => this.#settle(entry, 'superseded', cut(detail, this.#options.limits.summaryCharsMax)));
  }

  list(filter: ApprovalFilter = {}): readonly ApprovalView[] {
    return [...this.#store.all()]
      .filter(({ record }) => matches(record, filter))
      .toSorted((a, b) => b.record.first - a.record.first)
      .map((entry) => viewOf(entry));
  }

  show(approvalId: string): ApprovalView {
    return viewOf(this.#found(approvalId));
  }

  ticket(approvalId: string): Ticket | null {
    const entry = this.#store.get(approvalId);
    return entry ? this.#ticket(entry) : null;
  }

  async verdict(approvalId: string, input: VerdictInput): Promise<ApprovalView> {
    this.#checkUsable();
    const entry = this.#found(approvalId);
    if ((input.comment?.length ?? 0) > this.#options.limits.commentCharsMax) {
      throw new InterlockError('USAGE', `a comment has at most ${this.#options.limits.commentCharsMax} characters`);
    }
    return this.#guarded(async () => {
      await this.#expireIfPast(entry);
      await this.#store.serial.run(approvalId, () => this.#verdict(entry, input));
      return viewOf(entry);
    });
  }

  close(): void {
    clearInterval(this.#timer);
    this.#watch.close();
    this.#closed ??= new InterlockError('DRAINING', 'the gateway is shutting down; the request stays open');
    this.#waits.rejectAll(this.#closed);
  }

  async #findOrOpen(draft: ApprovalDraft, bound: Bound, key: string): Promise<Entry> {
    const before = this.#store.get(this.#joinable.get(key) ?? '');
    if (!before) return this.#open(draft, bound, key);
    await this.#expireIfPast(before);
    if (isLive(before.record) && before.record.requirement.digest === bound.requirement) return before;
    if (!isLive(before.record)) return this.#open(draft, bound, key);
    await this.#settle(before, 'superseded', otherRequirement(before.record, draft));
    return this.#open(draft, bound, key, before.record.approvalId);
  }

  async #open(draft: ApprovalDraft, bound: Bound, key: string, supersedes: string | null = null): Promise<Entry> {
    const { limits, ids, journal, expireMs } = this.#options;
    const { requirement, subject } = draft;
    const bytes = bound.payload.length + (bound.params?.length ?? 0);
    this.#quota.take(subject.id, bytes);
    try {
      const approvalId = ids.next('apr');
      const lengthMs = Math.min(expireMs, requirement.expires_in_s * 1000);
      const expiresAt = timestamp(this.#clock.wallUs() + lengthMs * 1000);
      const opening = { approvalId, expiresAt, supersedes, summary: shortened(summarise(draft.facts), limits.summaryCharsMax) };
      const event = requestedEvent(draft, bound, opening, journal);
      const entry = await this.#store.open(event, bound, lengthMs);
      this.#joinable.set(key, approvalId);
      return entry;
    } catch (error) {
      this.#quota.give(subject.id, bytes);
      throw error;
    }
  }

  async #consume(entry: Entry, use: Use): Promise<Receipt> {
    const { approvalId, requirement } = entry.record;
    const bound = boundOf(use.draft, requirement.bind_session);
    const differs = entry.bound ? differing(entry.bound, bound) : 'payload';
    if (differs === 'requirement') {
      await this.#settleHere(entry, 'superseded', otherRequirement(entry.record, use.draft));
    }
    if (differs !== null) throw voided(approvalId, `its ${differs} is another`);
    let receipt = '';
    await this.#store.change(entry, (record) => {
      const earlier = record.uses.find(({ nonce }) => nonce === use.nonce);
      receipt = earlier?.receipt ?? receiptOf(record, use);
      if (earlier) return repeated(record, earlier, use);
      this.#checkGrant(record, entry.deadline);
      return [consumedEvent(record, use, receipt)];
    });
    return { approvalId, receipt };
  }

  /** Judged again at use: the state, both clocks, and the quorum of distinct humans who were asked. */
  #checkGrant(record: ApprovalRecord, deadline: Deadline): void {
    if (record.state !== 'approved') throw voided(record.approvalId, whyVoid(record));
    if (isPast(this.#clock, deadline)) throw voided(record.approvalId, 'it is expired');
    if (!chainOf(record).complete) throw voided(record.approvalId, 'its quorum is not met');
  }

  async #verdict(entry: Entry, input: VerdictInput): Promise<void> {
    await this.#store.change(entry, (record) => {
      const stage = stageFor(record, input, this.#clock);
      if (input.outcome === 'deny') entry.comment = input.comment ?? null;
      return verdictEvents(record, input, stage.id, this.#clock.wallUs());
    });
  }

  /** After a start: what the process before could not finish, and what ended while nobody watched. */
  async #finish(entry: Entry): Promise<void> {
    const { record } = entry;
    if (!isLive(record)) return;
    if (!entry.bound) return this.#settle(entry, 'superseded', 'its text is not kept in clear, so nobody can decide on it after a restart');
    if (isPast(this.#clock, entry.deadline)) return this.#settle(entry, 'expired');
    const verdict = record.verdicts.at(-1);
    if (record.state !== 'open' || !verdict) return;
    await this.#store.serial.run(record.approvalId, () => this.#store.change(entry, (now) => conclusion(now, parseUs(verdict.time))));
    await this.#expireIfPast(entry);
  }

  async #settle(entry: Entry, outcome: Outcome, detail?: string): Promise<void> {
    await this.#store.serial.run(entry.record.approvalId, () => this.#settleHere(entry, outcome, detail));
  }

  async #settleHere(entry: Entry, outcome: Outcome, detail?: string): Promise<void> {
    await this.#store.change(entry, (record) => (isLive(record) ? [settledEvent(record, outcome, detail)] : []));
  }

  async #expireIfPast(entry: Entry): Promise<void> {
    if (isLive(entry.record) && isPast(this.#clock, entry.deadline)) await this.#settle(entry, 'expired');
  }

  /** Called once a new state is durable. */
  #changed(entry: Entry): void {
    const { record } = entry;
    if (record.state === 'denied') this.#denials.add(entry, this.#ticket(entry));
    if (!isLive(record)) {
      this.#quota.give(record.subject.id, sizeOf(entry));
      const key = entry.bound && joinKey(entry.bound);
      if (key !== null && this.#joinable.get(key) === record.approvalId) this.#joinable.delete(key);
    }
    this.#waits.settle(record.approvalId, this.#ticket(entry));
  }

  async #sweep(): Promise<void> {
    if (this.#options.journal.fault) return;
    this.#denials.forgetPast();
    const past = [...this.#store.all()].filter(({ record, deadline }) => isLive(record) && isPast(this.#clock, deadline));
    try {
      for (const entry of past) await this.#expireIfPast(entry);
    } catch (error) {
      // Every use looks at the clocks itself, so nothing runs because of this.
      this.#options.log.error({ err: error }, 'an approval could not be expired');
    }
  }

  #jumped(jumpMs: number): void {
    const message = `the wall clock was set by ${jumpMs} ms: what waited for approval must ask again`;
    const waits = this.#waits.rejectAll(new InterlockError('CLOCK', message, { hint: 'run the statement again; the request is still open' }));
    this.#options.log.error({ jump_ms: jumpMs, waits }, 'the wall clock was set; open waits are closed');
  }

  #ticket(entry: Entry): Ticket {
    return ticketOf(entry, this.#options.publicUrl);
  }

  #known(approvalId: string): Entry {
    const entry = this.#store.get(approvalId);
    if (!entry) throw voided(approvalId, 'it is not known (any more)');
    return entry;
  }

  #found(approvalId: string): Entry {
    const entry = this.#store.get(approvalId);
    if (!entry) throw new InterlockError('APPROVAL_NOT_FOUND', `there is no approval request ${approvalId.slice(0, 64)}`);
    return entry;
  }

  #checkUsable(): void {
    this.#checkOpen();
    this.#watch.check();
  }

  #checkOpen(): void {
    if (this.#closed) throw this.#closed;
    const { fault } = this.#options.journal;
    if (fault) throw unavailable('the journal cannot be written', fault);
  }

  /** Trouble of ours has one name; what is said on purpose passes. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof InterlockError && error.code !== 'JOURNAL_UNAVAILABLE' && error.code !== 'INTERNAL') throw error;
      throw unavailable('the approval could not be recorded', error);
    }
  }
}

function matches(record: ApprovalRecord, filter: ApprovalFilter): boolean {
  const { state, requestedBy, waitingFor } = filter;
  if (state !== undefined && record.state !== state) return false;
  if (requestedBy && !sharesIdentity(record.subject, requestedBy)) return false;
  if (!waitingFor) return true;
  const { current, approvedBy } = chainOf(record);
  const done = [record.subject, ...approvedBy].some((one) => sharesIdentity(one, waitingFor));
  return record.state === 'open' && !done && current !== null && isAsked(current.stage, waitingFor);
}

function repeated(record: ApprovalRecord, earlier: { readonly statementId: string; readonly enforcer: string }, use: Use): [] {
  if (earlier.statementId === use.statementId && earlier.enforcer === use.enforcer) return [];
  throw voided(record.approvalId, 'this nonce was used for another statement');
}

function otherRequirement(record: ApprovalRecord, draft: ApprovalDraft): string {
  return `policy asks for something else now: requested under revision ${record.revision ?? 'unknown'}, used under ${draft.decision.revision}`;
}

function cut(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`;
}

/** A reviewer must not take a part of the sentence for the whole. */
function shortened(sentence: string, charsMax: number): string {
  if (sentence.length <= charsMax) return sentence;
  const note = `… and more: this sentence is cut, it has ${sentence.length} characters`;
  return sentence.slice(0, Math.max(0, charsMax - note.length)) + note;
}

function voided(approvalId: string, why: string): InterlockError {
  return new InterlockError('APPROVAL_VOID', `approval ${approvalId} no longer fits: ${why}`, { hint: 'run the statement again to ask anew' });
}

function unavailable(what: string, cause: unknown): InterlockError {
  return new InterlockError('APPROVAL_UNAVAILABLE', what, { cause });
}
