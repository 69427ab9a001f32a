/** What a client's statements are judged under: settings, catalog and transaction as the target has them now. */
import type { DecisionService, Statement } from '#client/decision-service';
import type { Ids } from '#client/ids';
import type { Payload } from '#client/journal';
import type { Asked } from '#enforcers/common/asked';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { decodeParams, recordedParams } from './bind.ts';
import type { Line } from './line.ts';
import type { Way } from './look-again.ts';
import type { Portal, Prepared } from './namespace.ts';
import { SETTINGS_TEXTS, type SettingSets, type Settings } from './settings.ts';
import { PROTOCOL, unsupportedApproved } from './support.ts';
import type { Bound } from './surveyor.ts';
import { traitsOf, type Traits } from './traits.ts';
import { Transaction } from './transaction.ts';
import { unsupported } from './words.ts';

export interface JudgingParts {
  readonly decisions: DecisionService;
  readonly ids: Ids;
  readonly sets: SettingSets;
  readonly catalog: SessionCatalog;
  /** Approvals may be asked for in a transaction that did work: then what it did is kept, to be bound and shown. */
  readonly remembers: boolean;
}

/** The catalog of the session's database, as the gateway knows it. */
export interface SessionCatalog {
  /** Resolves once the decisions know it as it is now. */
  current(): Promise<void>;
  /** Counts up whenever another one was learned. */
  epoch(): number;
  /** Text of a query with one row and column, and what it answered at the last reading; null: there is none. */
  fingerprint(): { readonly text: string; readonly known: string } | null;
}

export class Judging {
  readonly transaction: Transaction = new Transaction();
  readonly #parts: JudgingParts;
  #settings: Settings;
  #settingsStale = false;
  #catalogStale = false;
  /** Of the execution that is being judged. */
  #portal: Portal | null = null;
  #rows = 0;
  statements = 0;

  constructor(parts: JudgingParts, settings: Settings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  simple(text: Payload): Asked {
    this.#portal = null;
    this.#rows = 0;
    return this.#asked('sql.execute', 'simple', text, null, null);
  }

  prepare(text: Payload): Asked {
    return this.#asked('sql.prepare', 'extended', text, null, null);
  }

  /** `rows`: the limit of Execute, 0: none. */
  execute(portal: Portal, rows: number): Asked {
    this.#portal = portal;
    this.#rows = rows;
    const { prepared } = portal;
    const known = prepared.settings === this.#settings && prepared.epoch === this.epoch ? prepared.statement : null;
    return this.#asked('sql.execute', 'extended', prepared.payload, portal, known);
  }

  /** Parameters of what is being judged, as they were bound; null: it has none. */
  get bound(): Bound | null {
    const portal = this.#portal;
    return portal === null || portal.params === null ? null : { types: portal.prepared.types, params: portal.params };
  }

  /** Whether it can run under an approval at all: a write runs in a transaction that may still be rolled back. */
  approvable(statement: Statement, behindApproved: boolean): Refusal | null {
    const traits = traitsOf(statement);
    if (traits.idle) return null;
    // what the transaction did since may have put other objects behind the names that were read at Bind
    if (this.#portal !== null && this.#portal.works !== this.transaction.works) return refusal('PREPARED_STALE');
    if (traits.onlyReads) return null;
    if (behindApproved) return unsupported(PROTOCOL.approvedTwice);
    if (traits.controlsTransaction) return unsupported(PROTOCOL.approvedTransaction);
    if (this.#rows > 0) return unsupported(PROTOCOL.approvedBatch);
    const trouble = unsupportedApproved(traits.kinds, statement.text);
    return trouble === null ? null : unsupported(trouble);
  }

  /** How an approved statement runs; null: there is nothing to look at. */
  wayOf(statement: Statement): Way | null {
    const traits = traitsOf(statement);
    if (traits.idle) return null;
    if (traits.onlyReads) return 'check';
    return this.transaction.none ? 'ours' : 'theirs';
  }

  /** The names of a portal were read when it was bound: under other settings they would be judged as something else. */
  reads(portal: Portal): boolean {
    return portal.settings === this.#settings || JSON.stringify(portal.settings) === JSON.stringify(this.#settings);
  }

  /** What a statement was read under, for a later execution. */
  get epoch(): string {
    return `${this.#parts.decisions.revision}/${this.#parts.catalog.epoch()}`;
  }

  get settings(): Settings {
    return this.#settings;
  }

  learned(prepared: Prepared, statement: Statement): void {
    prepared.statement = statement;
    prepared.settings = this.#settings;
    prepared.epoch = this.epoch;
  }

  /** What the protocol itself has against a statement, whatever policy says. */
  objection(statement: Statement, behindApproved: boolean): Refusal | null {
    const traits = traitsOf(statement);
    const { transaction } = this;
    if (transaction.refused && !traits.recovers) {
      return refusal('TRANSACTION_ABORTED', 'current transaction is aborted, commands ignored until end of transaction block');
    }
    if (traits.unsupported) return unsupported(traits.unsupported);
    if (behindApproved && traits.controlsTransaction) return unsupported(PROTOCOL.approvedTransaction);
    if (traits.pin !== null) return refusal('PIN_REFUSED', traits.pin);
    if (traits.kinds.length > 1 && traits.controlsTransaction && transaction.settingsTouched) return unsupported(PROTOCOL.settingsInside);
    if (!this.#parts.decisions.masksPossible) return null;
    if (traits.catalogInside || (transaction.catalogDiffers && traits.usesRelations)) return unsupported(PROTOCOL.catalogInside);
    return null;
  }

  /** A statement was sent. */
  sent(traits: Traits, asked: Asked): void {
    const { transaction } = this;
    transaction.did(traits);
    if (this.#parts.remembers && !traits.idle) transaction.remember(shown(asked));
    if (traits.touchesSettings || (traits.controlsTransaction && transaction.settingsTouched)) this.#settingsStale = true;
    if (traits.touchesSettings) transaction.settingsTouched = true;
    if ((traits.touchesCatalog && this.#parts.decisions.masksPossible) || (traits.controlsTransaction && transaction.catalogDiffers)) {
      this.#catalogStale = true;
    }
  }

  /** ReadyForQuery, with nothing unanswered: settings and catalog may have gone back with the transaction. */
  settle(status: number): void {
    const before = this.transaction.catalogDiffers;
    if (this.transaction.settle(status)) this.#settingsStale = true;
    if (before && !this.transaction.catalogDiffers) this.#catalogStale = true;
  }

  get current(): boolean {
    return !this.#settingsStale && !this.#catalogStale;
  }

  /**
   * Brings settings and catalog up to date before something is judged; null: they are, or cannot be just now (a failed transaction, in which
   * nothing but its end runs).
   */
  refresh(line: Line): Promise<void> | null {
    if (this.#settingsStale && !this.transaction.over) return this.#readSettings(line);
    if (this.#catalogStale && !this.transaction.over) return this.#readCatalog(line);
    return null;
  }

  async #readSettings(line: Line): Promise<void> {
    this.#settingsStale = false;
    const values = await line.ask(SETTINGS_TEXTS);
    if (values === null) this.#settingsStale = true;
    else this.#settings = this.#parts.sets.of(values);
  }

  /** Inside a transaction only the client's own connection sees what it did; the others learn of it once it is committed. */
  async #readCatalog(line: Line): Promise<void> {
    this.#catalogStale = false;
    const { catalog } = this.#parts;
    const inside = this.transaction.state !== 'idle' || line.open;
    // without an open transaction the statement before has to be over, or the reading may miss what it did
    if (!inside && !line.idle) await line.ask(['SHOW server_version']);
    await catalog.current();
    const fingerprint = inside ? catalog.fingerprint() : null;
    if (fingerprint === null) return;
    const [found] = (await line.ask([fingerprint.text])) ?? [];
    this.transaction.catalogDiffers = found !== fingerprint.known;
  }

  #asked(action: Asked['action'], mode: Asked['mode'], payload: Payload, portal: Portal | null, known: Statement | null): Asked {
    this.statements++;
    const raw = portal === null ? null : portal.params;
    return {
      statementId: this.#parts.ids.next('stm'),
      action,
      mode,
      payload,
      params: raw === null || portal === null ? null : { bytes: recordedParams(raw, portal.prepared.types), media: 'params' },
      decoded: raw === null || portal === null ? null : () => decodeParams(raw, portal.prepared.types),
      known,
      transaction: this.transaction.state,
      settings: this.#settings,
      before: this.transaction.before,
      approval: portal === null ? null : portal.approval,
    };
  }
}

function shown(asked: Asked): string {
  const text = Buffer.from(asked.payload.bytes).toString();
  return asked.params === null ? text : `${text} ${Buffer.from(asked.params.bytes).toString()}`;
}
