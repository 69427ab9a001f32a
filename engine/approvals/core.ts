/** What every verb of the book stands on: the requests, the clocks and the limits, how a request ends, and how trouble is told. */
import type { Ticket } from '#client/approvals';
import type { Clock } from '#client/clock';
import { type ClockWatch, watchClock } from '#client/clock-watch';
import type { ApprovalView } from '#schemas/approval';
import type { Requirement } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import { joinKey } from './binding.ts';
import { type Chain, chainOf } from './chain.ts';
import { isPast } from './deadline.ts';
import { Denials } from './denials.ts';
import { type Outcome, settledEvent, type Settling } from './drafts.ts';
import { Followers } from './followers.ts';
import { isLive } from './fold.ts';
import type { ApprovalLimits } from './limits.ts';
import { Listeners } from './listeners.ts';
import { LocalLog } from './ordering/local-log.ts';
import type { OrderedLog } from './ordering/parts.ts';
import type { ApprovalOptions } from './parts.ts';
import { payersOf, Quota } from './quota.ts';
import type { ApprovalEvent, ApprovalRecord } from './record.ts';
import { Rules } from './rules.ts';
import { ApprovalStore, type Entry, type OnChange, sizeOf } from './store.ts';
import { ticketOf, viewOf, whyVoid } from './view.ts';
import { Waits } from './waits.ts';
import { type Asking, refsOf, tokensOnly, type World, type Worlds } from './world.ts';

export type CoreOptions = ApprovalOptions & { readonly limits: ApprovalLimits };

export class Core {
  readonly options: CoreOptions;
  readonly clock: Clock;
  readonly ordered: OrderedLog;
  readonly store: ApprovalStore;
  readonly waits: Waits;
  readonly quota: Quota;
  readonly denials: Denials;
  readonly followers: Followers;
  readonly listeners: Listeners;
  /** What the data documents in force say about using an approval. */
  readonly rules: Rules;
  /** Live requests by what may join them. */
  readonly joinable: Map<string, string> = new Map();
  /** Uses that have not ended, by statement. */
  readonly running: Map<string, Entry> = new Map();
  readonly #watch: ClockWatch;
  readonly #worlds: Worlds;
  #closed: InterlockError | null = null;
  /** What is told is history: nobody else hears of it. */
  restoring = false;

  constructor(options: CoreOptions) {
    const { journal, clock, log, limits, rememberDenialMs } = options;
    this.options = options;
    this.clock = clock;
    this.waits = new Waits(limits.waitsMax);
    this.quota = new Quota(limits);
    this.denials = new Denials(clock, rememberDenialMs, limits.closedMax);
    this.followers = new Followers(clock, rememberDenialMs, limits.closedMax);
    this.listeners = new Listeners(log);
    this.rules = new Rules(options);
    this.#worlds = options.worlds ?? tokensOnly;
    this.ordered = options.ordered ?? new LocalLog(journal, clock);
    const onChange: OnChange = (entry, before, events, own) => this.#changed(entry, before, events, own);
    this.store = new ApprovalStore({ ordered: this.ordered, clock, log, limits, onChange });
    this.#watch = watchClock(clock, { onJump: (jumpMs) => this.#jumped(jumpMs) });
    journal.onFault((fault) => this.waits.rejectAll(unavailable('the journal cannot be written', fault)));
    this.ordered.onTrouble((trouble) => this.waits.rejectAll(unavailable(CUT_OFF, trouble)));
  }

  close(): void {
    this.#watch.close();
    this.#closed ??= new InterlockError('DRAINING', 'the gateway is shutting down; the request stays open');
    this.waits.rejectAll(this.#closed);
  }

  /** Whoever names a request may have it from another engine: that it is not known is said after everything was heard. */
  async hear(approvalId: string): Promise<void> {
    if (!this.store.get(approvalId)) await this.guarded(() => this.ordered.catchUp());
  }

  /** For enforcers. */
  async knownSoon(approvalId: string): Promise<Entry> {
    await this.hear(approvalId);
    return this.known(approvalId);
  }

  /** For people. */
  async foundSoon(approvalId: string): Promise<Entry> {
    await this.hear(approvalId);
    return this.found(approvalId);
  }

  /** For enforcers: they hold an id that we gave them. */
  known(approvalId: string): Entry {
    const entry = this.store.get(approvalId);
    if (!entry) throw voided(approvalId, 'it is not known (any more)');
    return entry;
  }

  /** For people. */
  found(approvalId: string): Entry {
    const entry = this.store.get(approvalId);
    if (!entry) throw new InterlockError('APPROVAL_NOT_FOUND', `there is no approval request ${approvalId.slice(0, 64)}`);
    return entry;
  }

  ticket(entry: Entry): Ticket {
    return ticketOf(entry, this.options.publicUrl, this.chain(entry.record));
  }

  view(entry: Entry): ApprovalView {
    const { record } = entry;
    const world = this.world(record);
    return viewOf(entry, { chain: chainOf(record, world), world, followedBy: this.followers.followedBy(record.approvalId) });
  }

  /** Before anything is judged of this request: what its references name is read again. Never rejects. */
  prepare({ record }: Entry): Promise<void> {
    const reviewers = (record.glass?.reviewers ?? []).flatMap((approver) => ('ref' in approver ? [approver.ref] : []));
    return this.#worlds.prepare(record, [...refsOf(record.requirement), ...reviewers]);
  }

  /** The same for what is no request yet. */
  async worldFor(asking: Asking, requirement: Requirement): Promise<World> {
    await this.#worlds.prepare(asking, refsOf(requirement));
    return this.#worlds.of(asking);
  }

  world(record: ApprovalRecord): World {
    return this.#worlds.of(record);
  }

  /** Judged now, not as it was when the verdicts were given. */
  chain(record: ApprovalRecord): Chain {
    return chainOf(record, this.world(record));
  }

  async settle(entry: Entry, outcome: Outcome, settling: Settling = {}): Promise<void> {
    await this.store.serial.run(entry.record.approvalId, () => this.settleHere(entry, outcome, settling));
  }

  /** Inside `serial.run` of the request. What has ended stays what it is. */
  async settleHere(entry: Entry, outcome: Outcome, settling: Settling = {}): Promise<void> {
    await this.store.change(entry, (record) => (isLive(record) ? [settledEvent(record, outcome, settling)] : []));
  }

  async expireIfPast(entry: Entry): Promise<void> {
    if (isLive(entry.record) && isPast(this.clock, entry.deadline)) await this.settle(entry, 'expired');
  }

  /** @throws InterlockError DRAINING, APPROVAL_UNAVAILABLE */
  checkUsable(): void {
    this.checkOpen();
    this.#watch.check();
  }

  checkOpen(): void {
    if (this.#closed) throw this.#closed;
    const { fault } = this.options.journal;
    if (fault) throw unavailable('the journal cannot be written', fault);
    if (this.ordered.trouble) throw unavailable(CUT_OFF, this.ordered.trouble);
  }

  /** @throws InterlockError USAGE */
  checkWords(words: string | undefined): void {
    const { commentCharsMax } = this.options.limits;
    if ((words?.length ?? 0) > commentCharsMax) throw new InterlockError('USAGE', `a comment has at most ${commentCharsMax} characters`);
  }

  /** Trouble of ours has one name; what is said on purpose passes. */
  async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof InterlockError && error.code !== 'JOURNAL_UNAVAILABLE' && error.code !== 'INTERNAL') throw error;
      throw unavailable('the approval could not be recorded', error);
    }
  }

  /** Called once a new state is durable. */
  #changed(entry: Entry, before: ApprovalRecord | null, events: readonly ApprovalEvent[], own: boolean): void {
    const { record } = entry;
    if (before === null) this.opened(entry, own);
    else if (before.state !== record.state) this.#left(entry, before);
    if (!this.restoring) this.listeners.tell(record, events, own);
  }

  /** What is opened here was counted when it was asked for. */
  opened(entry: Entry, own: boolean): void {
    const { record, bound } = entry;
    const { approvalId, follows, subject, target } = record;
    if (follows !== null) this.followers.answered(follows, approvalId, subject.id, target);
    if (!isLive(record)) return;
    if (!own) this.quota.add(payersOf(subject, record.binding.settings), sizeOf(entry));
    if (bound) this.joinable.set(joinKey(bound), approvalId);
  }

  #left(entry: Entry, before: ApprovalRecord): void {
    const { record } = entry;
    if (isLive(before) && !isLive(record)) {
      this.quota.give(payersOf(record.subject, record.binding.settings), sizeOf(entry));
      const key = entry.bound && joinKey(entry.bound);
      if (key !== null && this.joinable.get(key) === record.approvalId) this.joinable.delete(key);
    }
    if (this.restoring) return;
    if (record.state === 'denied' || record.state === 'changes_requested') this.denials.add(entry, this.ticket(entry));
    if (record.state === 'changes_requested') this.followers.expect(entry);
    this.waits.settle(record.approvalId, this.ticket(entry));
  }

  #jumped(jumpMs: number): void {
    const message = `the wall clock was set by ${jumpMs} ms: what waited for approval must ask again`;
    const waits = this.waits.rejectAll(new InterlockError('CLOCK', message, { hint: 'run the statement again; the request is still open' }));
    this.options.log.error({ jump_ms: jumpMs, waits }, 'the wall clock was set; open waits are closed');
  }
}

const CUT_OFF = 'what other engines do to approvals cannot be seen';

export function voided(approvalId: string, why: string): InterlockError {
  return new InterlockError('APPROVAL_VOID', `approval ${approvalId} no longer fits: ${why}`, { hint: 'run the statement again to ask anew' });
}

export function closed(record: ApprovalRecord): InterlockError {
  return new InterlockError('VERDICT_CLOSED', `the request is no longer open: ${whyVoid(record)}`);
}

function unavailable(what: string, cause: unknown): InterlockError {
  return new InterlockError('APPROVAL_UNAVAILABLE', what, { cause });
}
