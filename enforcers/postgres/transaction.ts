import type { TransactionState } from '#schemas/decision-request';
import { TRANSACTION } from './protocol.ts';
import { LIMITS } from '#enforcers/common/limits';
import type { Traits } from './traits.ts';

const NOTHING: readonly string[] = [];

/** Where the client's transaction stands: foreseen from what was sent, corrected by ReadyForQuery once everything is answered. */
export class Transaction {
  /** After BEGIN. */
  #explicit = false;
  /** Something but BEGIN, SET and transaction control ran in it. */
  #worked = false;
  /** The same for the implicit transaction that Sync ends. */
  #segmentWorked = false;
  failed = false;
  /** Counts up with everything that did work, in whatever transaction. */
  works = 0;
  /** We refused a statement in it: nothing else of it may run (P12). */
  refused = false;
  /** A setting was changed in it, and goes back if it does. */
  settingsTouched = false;
  /** Texts that did work in it; null: too many. */
  before: readonly string[] | null = NOTHING;
  /** Its catalog is not the one that was committed, and the masks are not made for it. */
  catalogDiffers = false;

  /** Nothing but its end can run. */
  get over(): boolean {
    return this.failed || this.refused;
  }

  get state(): TransactionState {
    if (this.over) return 'failed';
    if (this.#explicit) return this.#worked ? 'open' : 'fresh';
    return this.#segmentWorked ? 'open' : 'idle';
  }

  get none(): boolean {
    return !this.#explicit && !this.failed;
  }

  /** A statement with these commands was sent. */
  did(traits: Traits): void {
    for (const kind of traits.kinds) {
      if (kind === 'begin') {
        if (!this.#explicit) this.#worked = this.#segmentWorked;
        this.#explicit = true;
      } else if (kind === 'commit' || kind === 'rollback') {
        this.#explicit = false;
        this.#worked = false;
        this.#segmentWorked = false;
      } else if (!traits.idle) {
        this.works++;
        this.#worked = true;
        this.#segmentWorked = true;
      }
    }
  }

  /** For an approval that is asked for behind it (`approvals.in_transaction: any`). */
  remember(text: string): void {
    if (this.before === null) return;
    const bytes = this.before.reduce((sum, one) => sum + one.length, text.length);
    this.before = this.before.length < LIMITS.beforeStatements && bytes <= LIMITS.beforeChars ? [...this.before, text] : null;
  }

  segmentEnds(): void {
    this.#segmentWorked = false;
  }

  refuse(): void {
    if (this.#explicit) this.refused = true;
  }

  /** ReadyForQuery, with nothing unanswered. True: settings that were changed in it may have gone back. */
  settle(status: number): boolean {
    this.failed = status === TRANSACTION.failed;
    if (!this.failed) this.refused = false;
    this.#explicit = status !== TRANSACTION.idle;
    if (this.#explicit) return false;
    this.#worked = false;
    this.before = NOTHING;
    this.catalogDiffers = false;
    const touched = this.settingsTouched;
    this.settingsTouched = false;
    return touched;
  }
}
