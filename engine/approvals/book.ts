/** The approval book: its verbs, each in a file of its own, around the same requests. */
import type { ApprovalDraft, Receipt, Ticket } from '#client/approvals';
import type { Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import type { Ability, StoryLine } from '#schemas/review';
import { abilitiesOf, concerns } from './abilities.ts';
import { Core, type CoreOptions } from './core.ts';
import type { Use } from './drafts.ts';
import { cancel, supersede, withdraw } from './ending.ts';
import { ended, endedElsewhere, told } from './executions.ts';
import { breakGlass, review } from './glass.ts';
import { listed, paged } from './listing.ts';
import { request } from './opening.ts';
import type { FollowedLog } from './ordering/parts.ts';
import type { Act, ApprovalBook, ApprovalChange, ApprovalFilter, ApprovalPage, VerdictGiven } from './parts.ts';
import type { StatementEnd } from './record.ts';
import { restore, resume } from './restoring.ts';
import type { Entry, Execution } from './store.ts';
import { storyOf } from './story.ts';
import { Sweep } from './sweep.ts';
import { consume } from './using.ts';
import { decide } from './deciding.ts';

export class Book implements ApprovalBook {
  readonly #core: Core;
  readonly #sweep: Sweep;

  constructor(options: CoreOptions) {
    this.#core = new Core(options);
    this.#core.ordered.onEnd((end) => endedElsewhere(this.#core, end));
    this.#sweep = new Sweep(this.#core);
  }

  get open(): number {
    let open = 0;
    for (const { record } of this.#core.store.all()) open += record.state === 'open' ? 1 : 0;
    return open;
  }

  /** @param seenUs when the journal last saw anything */
  async restore(entries: readonly Entry[], seenUs: number): Promise<void> {
    await restore(this.#core, entries);
    this.#sweep.begin(seenUs);
  }

  /** What the log of all engines tells, from its beginning; from then on it tells of what happens. @param seenUs as above, of this engine's journal */
  async follow(ordered: FollowedLog, seenUs: number, uses: ReadonlyMap<string, Execution>): Promise<void> {
    const { store } = this.#core;
    store.seenUs = seenUs;
    this.#core.restoring = true;
    await ordered.start();
    this.#core.restoring = false;
    for (const { record, executions } of store.all()) told(record, executions, uses);
    await resume(this.#core, ordered.forgotten);
    ordered.speak();
    this.#sweep.begin(seenUs);
  }

  request(draft: ApprovalDraft): Promise<Ticket> {
    return request(this.#core, draft);
  }

  async settled(approvalId: string, signal: AbortSignal): Promise<Ticket> {
    const core = this.#core;
    core.checkUsable();
    signal.throwIfAborted();
    const entry = await core.knownSoon(approvalId);
    await core.guarded(() => core.expireIfPast(entry));
    signal.throwIfAborted();
    // Once more: what ended all waits meanwhile did not see this one.
    core.checkOpen();
    return entry.record.state === 'open' ? core.waits.wait(approvalId, signal) : core.ticket(entry);
  }

  consume(approvalId: string, use: Use): Promise<Receipt> {
    return consume(this.#core, approvalId, use);
  }

  cancel(approvalId: string, by: string | Act): Promise<void> {
    return cancel(this.#core, approvalId, by);
  }

  supersede(approvalId: string, detail: string): Promise<void> {
    return supersede(this.#core, approvalId, detail);
  }

  withdraw(approvalId: string, act: Act): Promise<ApprovalView> {
    return withdraw(this.#core, approvalId, act);
  }

  verdict(approvalId: string, given: VerdictGiven): Promise<ApprovalView> {
    return decide(this.#core, approvalId, given);
  }

  breakGlass(approvalId: string, act: { readonly by: Principal; readonly reason: string }): Promise<ApprovalView> {
    return breakGlass(this.#core, approvalId, act);
  }

  review(approvalId: string, given: Parameters<ApprovalBook['review']>[1]): Promise<ApprovalView> {
    return review(this.#core, approvalId, given);
  }

  list(filter: ApprovalFilter = {}): readonly ApprovalView[] {
    return listed(this.#core, filter);
  }

  page(filter: ApprovalFilter, paging: { readonly limit: number; readonly cursor?: string | null }): ApprovalPage {
    return paged(this.#core, filter, paging);
  }

  hear(approvalId: string): Promise<void> {
    return this.#core.hear(approvalId);
  }

  show(approvalId: string): ApprovalView {
    return this.#core.view(this.#core.found(approvalId));
  }

  concerns(approvalId: string, principal: Principal): Promise<boolean> {
    return concerns(this.#core, this.#core.found(approvalId), principal);
  }

  abilities(approvalId: string, principal: Principal): Promise<readonly Ability[]> {
    return abilitiesOf(this.#core, this.#core.found(approvalId), principal);
  }

  story(approvalId: string): readonly StoryLine[] {
    return storyOf(this.#core.found(approvalId));
  }

  onChange(listener: (change: ApprovalChange) => void): () => void {
    return this.#core.listeners.add(listener);
  }

  runs(statementId: string): boolean {
    return this.#core.running.has(statementId);
  }

  ended(end: StatementEnd): void {
    ended(this.#core, end);
  }

  sweep(): Promise<void> {
    return this.#sweep.run();
  }

  ticket(approvalId: string): Ticket | null {
    const entry = this.#core.store.get(approvalId);
    return entry ? this.#core.ticket(entry) : null;
  }

  close(): void {
    this.#sweep.close();
    this.#core.close();
  }
}
