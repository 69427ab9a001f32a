import type { Catalog, CatalogRelation } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';
import type { Fields } from '../parser.ts';
import type { MaskBindings } from './binding.ts';
import { maskExpression, quoteIdentifier } from './expression.ts';
import { REFUSALS } from './refusal.ts';

/** A relation whose reference in FROM is replaced. */
export interface MaskedRelation {
  readonly relation: CatalogRelation;
  /** Masked column → its mask. */
  readonly masks: ReadonlyMap<string, Mask>;
  /** Masked column → the name under which policy asked for it: `public.customers.ssn`. */
  readonly keys: ReadonlyMap<string, string>;
  /** `public.customers` */
  readonly qualified: string;
}

export type Verdict =
  | { readonly is: 'clean'; readonly relation: CatalogRelation }
  | { readonly is: 'masked'; readonly masked: MaskedRelation; readonly relation: CatalogRelation }
  /** Its rows may hold masked values that no substitution reaches. */
  | { readonly is: 'tainted'; readonly relation: CatalogRelation; readonly taint: Taint };

interface Taint {
  readonly why: string;
  /** Whether it goes on to parents and children: stored and foreign rows do; that a sibling shares a parent with a masked table does not concern it. */
  readonly carries: boolean;
  readonly drifted: boolean;
}

/** What one set of masks means on one reading of the catalog. */
export class MaskPlan {
  readonly catalog: Catalog;
  readonly #verdicts: ReadonlyMap<string, ReadonlyMap<string, Verdict>>;
  readonly #system: ReadonlySet<string> | null;
  readonly #templates = new Map<string, string>();
  /** Templates parsed alone, by their text: at most two for each masked relation. */
  readonly trees: Map<string, Fields> = new Map();

  constructor(masks: ReadonlyMap<string, Mask>, catalog: Catalog, bindings: MaskBindings) {
    this.catalog = catalog;
    this.#system = catalog.systemRelations === undefined ? null : new Set(catalog.systemRelations);
    this.#verdicts = byName(verdicts(masks, catalog, bindings));
  }

  find(schema: string, name: string): Verdict | null {
    return this.#verdicts.get(name)?.get(schema) ?? null;
  }

  /** Whether a name without a schema is one of pg_catalog's. */
  isSystem(name: string): boolean {
    return this.#system?.has(name) ?? name.startsWith('pg_');
  }

  /** All relations of that name, by schema. */
  named(name: string): ReadonlyMap<string, Verdict> {
    return this.#verdicts.get(name) ?? NONE;
  }

  /** Whether a schema holds anything that is not clean. */
  *unclean(): IterableIterator<Verdict> {
    for (const schemas of this.#verdicts.values()) for (const verdict of schemas.values()) if (verdict.is !== 'clean') yield verdict;
  }

  /** The sub-select that stands for a relation, without its brackets and alias. @throws Refusal for a method that cannot be fulfilled */
  template(masked: MaskedRelation, only: boolean): string {
    const key = `${only ? 'o' : ' '}${masked.relation.oid}`;
    let text = this.#templates.get(key);
    if (text === undefined) {
      text = subSelect(masked, only);
      this.#templates.set(key, text);
    }
    return text;
  }
}

const NONE: ReadonlyMap<string, Verdict> = new Map();
const INNER = '_m';

function subSelect(masked: MaskedRelation, only: boolean): string {
  const { relation } = masked;
  const list = relation.columns.map((column) => {
    const name = quoteIdentifier(column.name);
    const mask = masked.masks.get(column.name);
    if (mask === undefined) return `${INNER}.${name}`;
    return `${maskExpression(column, mask, INNER, `${masked.qualified}.${column.name}`)} AS ${name}`;
  });
  return `SELECT ${list.join(', ')} FROM ${only ? 'ONLY ' : ''}${quoteIdentifier(relation.schema)}.${quoteIdentifier(relation.name)} AS ${INNER}`;
}

function byName(all: readonly Verdict[]): ReadonlyMap<string, ReadonlyMap<string, Verdict>> {
  const names = new Map<string, Map<string, Verdict>>();
  for (const verdict of all) {
    const { name, schema } = verdict.relation;
    const schemas = names.get(name);
    if (schemas === undefined) names.set(name, new Map([[schema, verdict]]));
    else schemas.set(schema, verdict);
  }
  return names;
}

/** Masks of each relation, then everything that reaches the same values another way, to a fixed point. */
function verdicts(masks: ReadonlyMap<string, Mask>, catalog: Catalog, bindings: MaskBindings): readonly Verdict[] {
  const family = new Family(catalog);
  const masked = new Map<string, MaskedRelation>();
  const tainted = new Map<string, Taint>();
  for (const [oid, columns] of masksByRelation(masks, catalog)) {
    const relation = family.byOid.get(oid) as CatalogRelation;
    const missing = [...columns.keys()].find((name) => !relation.columns.some((column) => column.name === name));
    if (missing !== undefined) tainted.set(oid, taint(`has a mask on ${missing}, a column that it does not have`));
    const byColumn = new Map([...columns].map(([name, { mask }]) => [name, mask]));
    const keys = new Map([...columns].map(([name, { key }]) => [name, key]));
    masked.set(oid, { relation, masks: byColumn, keys, qualified: `${relation.schema}.${relation.name}` });
    if (!bindings.drifted(catalog, relation, masks, byColumn)) bindings.bind(catalog, relation, keys);
  }
  for (const relation of catalog.relations) {
    if (bindings.drifted(catalog, relation, masks, masked.get(relation.oid)?.masks))
      tainted.set(relation.oid, { why: 'was renamed, or a column of it, since its masks were bound', carries: true, drifted: true });
    else if (relation.kind === 'foreign_table') tainted.set(relation.oid, taint('is a foreign table, whose rows come from elsewhere'));
    else if (relation.callsCode === true) tainted.set(relation.oid, taint('reads through functions whose code is not read'));
  }
  for (const one of masked.values()) taintFamily(one, masked, family, tainted);
  spread(catalog, masked, tainted);
  return catalog.relations.map((relation) => {
    const found = tainted.get(relation.oid);
    if (found !== undefined) return { is: 'tainted', relation, taint: found };
    const one = masked.get(relation.oid);
    return one === undefined ? { is: 'clean', relation } : { is: 'masked', masked: one, relation };
  });
}

interface NamedMask {
  readonly mask: Mask;
  /** As the policy spells it. */
  readonly key: string;
}

/** `schema.table.column`; `*` stands for all columns; without a schema, the tables of that name in every schema. */
function masksByRelation(masks: ReadonlyMap<string, Mask>, catalog: Catalog): ReadonlyMap<string, ReadonlyMap<string, NamedMask>> {
  const relations = new Map<string, CatalogRelation[]>();
  const put = (key: string, relation: CatalogRelation): void => {
    const at = relations.get(key);
    if (at === undefined) relations.set(key, [relation]);
    else at.push(relation);
  };
  for (const relation of catalog.relations) {
    put(`${relation.schema}.${relation.name}`, relation);
    put(relation.name, relation);
  }
  const found = new Map<string, Map<string, NamedMask>>();
  const add = (relation: CatalogRelation, column: string, mask: NamedMask): void => {
    const columns = found.get(relation.oid) ?? new Map<string, NamedMask>();
    found.set(relation.oid, columns.set(column, mask));
  };
  const wide: [CatalogRelation, NamedMask][] = [];
  for (const [name, using] of masks) {
    const mask = { mask: using, key: name };
    // a name may itself hold dots: every place where table ends and column begins is tried
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      for (const relation of relations.get(name.slice(0, dot)) ?? []) {
        const column = name.slice(dot + 1);
        const guess = column.includes('.') && !relation.columns.some((each) => each.name === column);
        if (guess) continue;
        if (column === '*') wide.push([relation, mask]);
        else add(relation, column, mask);
      }
    }
  }
  for (const [relation, mask] of wide) {
    for (const column of relation.columns) if (found.get(relation.oid)?.has(column.name) !== true) add(relation, column.name, mask);
  }
  return found;
}

class Family {
  readonly byOid: ReadonlyMap<string, CatalogRelation>;
  constructor(catalog: Catalog) {
    this.byOid = new Map(catalog.relations.map((relation) => [relation.oid, relation]));
  }

  reach(from: CatalogRelation, edge: 'parents' | 'children'): readonly CatalogRelation[] {
    const seen = new Set<string>([from.oid]);
    const found: CatalogRelation[] = [];
    const queue = [...from[edge]];
    for (let oid = queue.pop(); oid !== undefined; oid = queue.pop()) {
      const relation = this.byOid.get(oid);
      if (relation === undefined || seen.has(oid)) continue;
      seen.add(oid);
      found.push(relation);
      queue.push(...relation[edge]);
    }
    return found;
  }
}

/** Parents show a masked table's rows and children hold them: each needs the same masks, by column name, or is refused. */
function taintFamily(one: MaskedRelation, masked: ReadonlyMap<string, MaskedRelation>, family: Family, tainted: Map<string, Taint>): void {
  const { relation, masks, qualified } = one;
  const children = family.reach(relation, 'children');
  for (const relative of [...children, ...family.reach(relation, 'parents')]) {
    const own = masked.get(relative.oid)?.masks;
    if (relative.columns.some((column) => masks.has(column.name) && own?.has(column.name) !== true)) {
      tainted.set(relative.oid, taint(`inherits from, or is inherited by, ${qualified}, which has masked columns`, false));
    }
  }
  for (const holder of [relation, ...children]) {
    const raw = new Set(holder.columns.filter((column) => masks.has(column.name)).map((column) => column.attnum));
    const leaky = holder.columns.find(
      (column) =>
        column.generated &&
        !masks.has(column.name) &&
        relation.columns.some(({ name }) => name === column.name) &&
        (column.generatedFrom ?? [...raw]).some((attnum) => raw.has(attnum)),
    );
    if (leaky !== undefined)
      tainted.set(relation.oid, taint(`has a column (${leaky.name}) that is generated from a masked one: it needs a mask too`));
  }
}

/** Whatever reads, or stores rows of, something masked or tainted is tainted. */
function spread(catalog: Catalog, masked: ReadonlyMap<string, MaskedRelation>, tainted: Map<string, Taint>): void {
  const hot = (oid: string): boolean => masked.has(oid) || tainted.has(oid);
  const name = new Map(catalog.relations.map((relation) => [relation.oid, `${relation.schema}.${relation.name}`]));
  for (let changed = true; changed; ) {
    changed = false;
    for (const relation of catalog.relations) {
      if (tainted.has(relation.oid)) continue;
      const read = relation.reads.find(hot);
      const stored = relation.storesRowsOf.find(hot);
      const kin = masked.has(relation.oid)
        ? undefined
        : [...relation.parents, ...relation.children].find((oid) => tainted.get(oid)?.carries === true);
      if (read !== undefined) tainted.set(relation.oid, taint(`reads ${name.get(read)}, which has masked columns`));
      else if (stored !== undefined) tainted.set(relation.oid, taint(`stores rows of ${name.get(stored)}, which has masked columns`));
      else if (kin !== undefined) tainted.set(relation.oid, taint(`inherits from, or is inherited by, ${name.get(kin)}, which cannot be masked`));
      else continue;
      changed = true;
    }
  }
}

function taint(why: string, carries = true): Taint {
  return { why, carries, drifted: false };
}

export function refuseTainted(verdict: Extract<Verdict, { is: 'tainted' }>): never {
  const name = `${verdict.relation.schema}.${verdict.relation.name}`;
  throw verdict.taint.drifted ? REFUSALS.drifted(name) : REFUSALS.tainted(name, verdict.taint.why);
}
