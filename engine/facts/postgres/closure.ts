/** What else is reached when a relation of the catalog is named: views read, parents and children share rows, row types are stored elsewhere. */
import type { CatalogRelation } from '#schemas/catalog';
import type { Via } from '#schemas/sql-facts';
import { refOf, type CatalogIndex, type Resolved } from './relations.ts';
import type { Report, Verb } from './report.ts';

const WRITES: ReadonlySet<Verb> = new Set(['insert', 'update', 'delete', 'truncate', 'lock']);
const REWRITTEN: ReadonlySet<Verb> = new Set(['insert', 'update', 'delete']);
/** Of rows: what holds for a child holds for its parents. */
const OF_ROWS: ReadonlySet<Verb> = new Set([...WRITES, 'read']);
/** A change of a parent is one of its children. */
const DOWNWARDS: ReadonlySet<Verb> = new Set([...OF_ROWS, 'alter', 'drop']);

export function reach(report: Report, statement: number, resolved: Resolved, verb: Verb, index: CatalogIndex | null): void {
  report.effect(statement, verb, resolved.ref, resolved.confidence);
  if (resolved.missing && verb !== 'create') report.unclear(statement, 'unknown_object', resolved.ref.qualified);
  if (resolved.known === null || index === null) return;
  const closure = new Closure(report, statement, verb, index);
  closure.around(resolved.known, []);
}

class Closure {
  readonly #report: Report;
  readonly #statement: number;
  readonly #verb: Verb;
  readonly #index: CatalogIndex;
  readonly #seen = new Set<string>();

  constructor(report: Report, statement: number, verb: Verb, index: CatalogIndex) {
    this.#report = report;
    this.#statement = statement;
    this.#verb = verb;
    this.#index = index;
  }

  around(relation: CatalogRelation, via: readonly Via[]): void {
    this.#seen.add(relation.oid);
    this.#notes(relation);
    if (DOWNWARDS.has(this.#verb)) this.#family(relation, 'children', via);
    if (!OF_ROWS.has(this.#verb)) return;
    if (relation.kind === 'view' || relation.kind === 'materialized_view') this.#view(relation, via);
    this.#family(relation, 'parents', via);
    for (const oid of relation.storesRowsOf) this.#also(oid, relation, 'inherits', 'read', via);
  }

  #notes(relation: CatalogRelation): void {
    const name = `${relation.schema}.${relation.name}`;
    if (relation.callsCode === true)
      this.#report.unclear(this.#statement, 'foreign_code', `${name} reads through functions whose bodies are not read`);
    // rules that are no view's only rewrite what writes
    if (relation.hasRules && REWRITTEN.has(this.#verb)) this.#report.unclear(this.#statement, 'foreign_code', `${name} has rules`);
    if (relation.kind === 'foreign_table') {
      this.#report.effect(this.#statement, 'connect_out', refOf('other', relation.schema, relation.name, undefined, relation), 'named');
    }
  }

  /** A write to a view goes to the table below it. */
  #view(view: CatalogRelation, via: readonly Via[]): void {
    for (const oid of view.reads) {
      this.#also(oid, view, 'view', 'read', via);
      if (WRITES.has(this.#verb) && view.kind === 'view') this.#also(oid, view, 'view', this.#verb, via);
    }
  }

  /** Parents and children, all the way: a row of one is a row of the other. */
  #family(relation: CatalogRelation, family: 'parents' | 'children', via: readonly Via[]): void {
    const pending = [...relation[family]];
    const met = new Set<string>();
    for (let oid = pending.pop(); oid !== undefined; oid = pending.pop()) {
      if (met.has(oid)) continue;
      met.add(oid);
      this.#also(oid, relation, 'inherits', this.#verb, via);
      pending.push(...(this.#index.byOid.get(oid)?.[family] ?? []));
    }
  }

  #also(oid: string, from: CatalogRelation, kind: Via['kind'], verb: Verb, via: readonly Via[]): void {
    const found = this.#index.byOid.get(oid);
    const path: readonly Via[] = [...via, { kind, name: `${from.schema}.${from.name}` }];
    if (found === undefined) {
      this.#report.unclear(this.#statement, 'unknown_object', `reached through ${from.schema}.${from.name}`);
      return;
    }
    this.#report.effect(
      this.#statement,
      verb,
      refOf(found.kind === 'view' ? 'view' : 'table', found.schema, found.name, undefined, found),
      'named',
      path,
    );
    // `reads` is closed over views; what those tables inherit from, or are stored in, is not in it
    if (kind === 'view' && !this.#seen.has(oid)) this.around(found, path);
  }
}
