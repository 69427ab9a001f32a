/** What was read, and under which circumstances: catalogs, contexts and statements as the same objects for the same things. */
import type { Catalog } from '#schemas/catalog';
import type { Facts } from '#schemas/facts';
import { isCatalog, type HttpCatalog, type Knowledge, type McpCatalog } from '#schemas/knowledge';
import type { SessionScope } from '#client/decision-service';
import { canonical } from './canonical.ts';
import type { ReadContext } from './ports.ts';
import { ReadStatement } from './statement.ts';

const CONTEXTS_MAX = 1_024;

/** Most facts are those of one request and one context: a place on them costs a fraction of what a weak map does, to V8's collector too. */
const STATEMENT = Symbol('statement');
interface Remembering {
  [STATEMENT]?: ReadStatement;
}

export class Readings {
  readonly #paramsAreRead: () => boolean;
  readonly #catalogs = new Map<string, Catalog>();
  /** By target: of the database that was read first. */
  readonly #newest = new Map<string, Catalog>();
  /** By target: what is known of those that are no databases. */
  readonly #knowledge = new Map<string, HttpCatalog | McpCatalog>();
  /** Of facts that are read in a further context: by that, and by the identity of the facts. */
  readonly #statements = new WeakMap<ReadContext, WeakMap<Facts, ReadStatement>>();
  /** By the identity of a set of settings, then by everything else; equal contexts are one object, across sessions. */
  readonly #contexts = new WeakMap<object, Map<string, ReadContext>>();
  readonly #equalContexts = new Map<string, ReadContext>();
  #generation = 0;

  constructor(paramsAreRead: () => boolean) {
    this.#paramsAreRead = paramsAreRead;
  }

  /** Another number after each reading of a catalog. */
  get generation(): number {
    return this.#generation;
  }

  learn(target: string, known: Knowledge): void {
    this.#generation++;
    if (isCatalog(known)) {
      this.#catalogs.set(`${target}\n${known.database}`, known);
      const first = this.#newest.get(target)?.database ?? known.database;
      if (first === known.database) this.#newest.set(target, known);
    } else this.#knowledge.set(target, known);
  }

  /** What is known of a target; null: nothing, here. */
  knowledgeOf(target: string): Knowledge | null {
    return this.#knowledge.get(target) ?? this.catalogOf(target);
  }

  /** What was read last of a target's first database; null: nothing was. */
  catalogOf(target: string): Catalog | null {
    return this.#newest.get(target) ?? null;
  }

  statement(text: Uint8Array, facts: Facts, context: ReadContext): ReadStatement {
    const placed = (facts as Remembering)[STATEMENT];
    // a copy of facts is other facts
    if (placed === undefined || placed.facts !== facts) return ((facts as Remembering)[STATEMENT] = this.#read(text, facts, context));
    if (placed.context === context && isOf(placed, text)) return placed;
    let byFacts = this.#statements.get(context);
    if (!byFacts) this.#statements.set(context, (byFacts = new WeakMap()));
    const known = byFacts.get(facts);
    if (known !== undefined && isOf(known, text)) return known;
    const statement = this.#read(text, facts, context);
    byFacts.set(facts, statement);
    return statement;
  }

  #read(text: Uint8Array, facts: Facts, context: ReadContext): ReadStatement {
    return new ReadStatement(text, facts, context, this.#paramsAreRead);
  }

  /** The same object for the same set, so that the facts can be cached by it. */
  contextOf(scope: SessionScope, settings: Readonly<Record<string, string>>): ReadContext {
    const database = scope.resource.properties.database ?? '';
    const catalog = this.#catalogs.get(`${scope.resource.id}\n${database}`) ?? null;
    const major = Number.parseInt(scope.resource.properties.server_version ?? '', 10) || (catalog?.serverMajor ?? 0);
    let known = this.#contexts.get(settings);
    if (!known) this.#contexts.set(settings, (known = new Map()));
    const { id: target, type: dialect } = scope.resource;
    const knowledge = this.#knowledge.get(target) ?? null;
    const key = `${dialect}\n${target}\n${database}\n${major}\n${catalog?.fingerprint ?? knowledge?.fingerprint ?? ''}`;
    let context = known.get(key);
    if (!context) known.set(key, (context = this.#equalContext(key, { dialect, target, major, database, settings, catalog, knowledge })));
    return context;
  }

  #equalContext(key: string, context: ReadContext): ReadContext {
    const text = `${key}\n${canonical(context.settings)}`;
    const known = this.#equalContexts.get(text);
    if (known && known.catalog === context.catalog && known.knowledge === context.knowledge) return known;
    if (this.#equalContexts.size >= CONTEXTS_MAX) this.#equalContexts.clear();
    this.#equalContexts.set(text, context);
    return context;
  }
}

function isOf(statement: ReadStatement, text: Uint8Array): boolean {
  return statement.text === text || Buffer.compare(statement.text, text) === 0;
}
