/** What the data phase needs to know of a statement beside its decision, read from its facts once. */
import type { Statement } from '#client/decision-service';
import { sqlOf } from '#schemas/facts';
import type { SqlFacts } from '#schemas/sql-facts';
import type { SqlKind } from '#schemas/sql-kinds';
import { isPinned, pinTrouble } from './pins.ts';
import { PROTOCOL, unsupportedKind, type Unsupported } from './support.ts';

export interface Traits {
  /** Top-level commands in order. */
  readonly kinds: readonly SqlKind[];
  readonly unsupported: Unsupported | null;
  /** A pinned setting that would change, as the message says it; null: none. */
  readonly pin: string | null;
  /** May change settings that later statements are read under. */
  readonly touchesSettings: boolean;
  /** May change what the catalog says. */
  readonly touchesCatalog: boolean;
  /** A command that may change the catalog stands before one that uses relations. */
  readonly catalogInside: boolean;
  readonly usesRelations: boolean;
  /** Does no work: leaves a fresh transaction fresh. */
  readonly idle: boolean;
  /** Ends a transaction or goes back to a savepoint, and nothing else: allowed where a transaction has failed. */
  readonly recovers: boolean;
  readonly controlsTransaction: boolean;
  /** Changes nothing, as far as the text and what is known of its functions tell. */
  readonly onlyReads: boolean;
  /** DEALLOCATE or CLOSE: names that are private at the target. */
  readonly forgetsName: boolean;
}

const CACHE = new WeakMap<SqlFacts, Traits>();

export function traitsOf(statement: Statement): Traits {
  const facts = sqlOf(statement.facts);
  const known = CACHE.get(facts);
  if (known) return known;
  const traits = read(facts);
  CACHE.set(facts, traits);
  return traits;
}

/** May stand where a transaction has failed. */
const RECOVERS: ReadonlySet<SqlKind> = new Set<SqlKind>(['commit', 'rollback', 'rollback_to']);
const CODE: ReadonlySet<SqlKind> = new Set<SqlKind>(['do', 'call', 'execute', 'unknown']);

function read(facts: SqlFacts): Traits {
  const top = facts.statements.filter((one) => one.parent === null);
  const kinds = top.map((one) => one.kind);
  const runsCode = facts.opaque.length > 0 || facts.statements.some(isCode);
  const byFunction = facts.statements.some((one) => one.functions.some((use) => use.class === 'session'));
  const setsMeaning = byFunction || facts.session.some((effect) => effect.op === 'discard' || !isHarmless(effect.name));
  const controlsTransaction = top.some((one) => one.class === 'transaction');
  return {
    kinds,
    unsupported: unsupported(facts, top, setsMeaning),
    pin: pinTrouble(facts.session),
    touchesSettings: setsMeaning || runsCode || facts.session.some((effect) => OF_LITERALS.has(effect.name.toLowerCase())),
    touchesCatalog: runsCode || facts.statements.some(isDefinition),
    catalogInside: catalogInside(top),
    usesRelations: facts.opaque.length > 0 || top.some(usesRelations),
    idle: top.length > 0 && top.every((one) => one.class === 'transaction' || one.class === 'session'),
    recovers: kinds.length > 0 && kinds.every((kind) => RECOVERS.has(kind)),
    controlsTransaction,
    onlyReads: !runsCode && facts.statements.every(onlyReads) && facts.effects.every(({ verb }) => verb === 'read'),
    forgetsName: kinds.length === 1 && (kinds[0] === 'deallocate' || kinds[0] === 'close_cursor'),
  };
}

type One = SqlFacts['statements'][number];

/** Runs text or functions that the facts cannot see into. */
function isCode(one: One): boolean {
  return CODE.has(one.kind) || one.functions.some((use) => use.class === 'user' || use.class === 'sql' || use.class === 'unknown');
}

function onlyReads(one: One): boolean {
  return (
    one.class === 'read' && !one.locking && one.explain !== 'analyze' && one.functions.every((use) => use.class === 'pure' || use.class === 'catalog')
  );
}

function isDefinition(one: One): boolean {
  return one.class === 'ddl' || one.class === 'admin' || one.class === 'dcl';
}

function usesRelations(one: One): boolean {
  return one.class === 'read' || one.class === 'write' || isCode(one) || one.kind === 'create_table_as' || one.kind === 'select_into';
}

function catalogInside(top: readonly One[]): boolean {
  const first = top.findIndex((one) => isCode(one) || isDefinition(one));
  return first >= 0 && top.slice(first + 1).some(usesRelations);
}

function unsupported(facts: SqlFacts, top: SqlFacts['statements'], setsMeaning: boolean): Unsupported | null {
  for (const one of facts.statements) {
    const trouble = unsupportedKind(one.kind, one.copy);
    if (trouble) return trouble;
  }
  if (top.length > 1 && top.some((one) => one.kind === 'deallocate' || one.kind === 'close_cursor')) return PROTOCOL.deallocateForm;
  // the facts follow a search_path that is written in the text
  const followed = facts.session.every((effect) => isHarmless(effect.name) || (effect.name === 'search_path' && effect.value !== null));
  return setsMeaning && !followed && changesInside(top) ? PROTOCOL.settingsInside : null;
}

/** The names in a text are read under the settings before it: nothing that has names may stand behind a change of what names mean. */
function changesInside(top: SqlFacts['statements']): boolean {
  const first = top.findIndex((one) => one.class === 'session' || one.functions.some((use) => use.class === 'session'));
  return top.slice(first + 1).some((one) => one.class !== 'session' && one.class !== 'transaction');
}

/** '01/02/2026' is another day under another one. */
const OF_LITERALS: ReadonlySet<string> = new Set(['datestyle', 'intervalstyle', 'timezone']);

/** Settings under which no name means another thing. */
const HARMLESS: ReadonlySet<string> = new Set([
  'application_name',
  ...OF_LITERALS,
  'extra_float_digits',
  'bytea_output',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'idle_session_timeout',
  'client_min_messages',
  'work_mem',
  'jit',
  'synchronous_commit',
  'transaction_isolation',
  'transaction_read_only',
  'transaction_deferrable',
  'transaction_snapshot',
  'default_transaction_isolation',
  'default_transaction_deferrable',
]);

function isHarmless(name: string): boolean {
  return HARMLESS.has(name.toLowerCase()) || isPinned(name);
}
