import type { Fields, ParseTree } from '../parser.ts';
import { REFUSALS } from './refusal.ts';
import type { Places } from './splice.ts';
import { columnParts, isFields, list, STAR, unwrap } from './tree.ts';
import type { Site } from './walk.ts';

/** The tree of a site's template, parsed alone. */
export type TemplateTree = (site: Site) => Fields;

/**
 * Walks both trees in step (MASKING.md §5): at each site exactly the sub-select that was meant, everywhere else equality, missing keys
 * included, and every location where the edits have moved it. @throws Refusal on any other difference
 */
export function compareTrees(original: ParseTree, rewritten: ParseTree, sites: readonly Site[], places: Places, template: TemplateTree): void {
  const comparison = new Comparison(sites, places, template);
  comparison.equal(original.stmts, rewritten.stmts, 'statements');
  if (comparison.used !== sites.length) throw REFUSALS.mismatch(`${comparison.used} of ${sites.length} places`);
}

class Comparison {
  used = 0;
  readonly #sites: ReadonlyMap<Fields, Site>;
  readonly #stars: ReadonlySet<unknown>;
  readonly #places: Places;
  readonly #template: TemplateTree;

  constructor(sites: readonly Site[], places: Places, template: TemplateTree) {
    this.#sites = new Map(sites.map((site) => [site.node, site]));
    this.#stars = new Set(sites.flatMap(({ star }) => (star === null ? [] : [star])));
    this.#places = places;
    this.#template = template;
  }

  equal(before: unknown, after: unknown, where: string): void {
    if (Array.isArray(before)) return this.#lists(before, after, where);
    if (!isFields(before)) {
      if (before !== after) throw REFUSALS.mismatch(where);
      return;
    }
    const site = this.#sites.get(before);
    if (site !== undefined) return this.#site(site, after);
    if (!isFields(after)) throw REFUSALS.mismatch(where);
    this.#fields(before, after);
  }

  #lists(before: readonly unknown[], after: unknown, where: string): void {
    if (!Array.isArray(after) || after.length !== before.length) throw REFUSALS.mismatch(where);
    if (this.#stars.has(before)) return onlyStar(after);
    for (let index = 0; index < before.length; index += 1) this.equal(before[index], after[index], where);
  }

  #fields(before: Fields, after: Fields): void {
    for (const key of Object.keys(before)) {
      if (POSITIONS.has(key)) continue;
      if (!Object.hasOwn(after, key)) throw REFUSALS.mismatch(key);
      this.equal(before[key], after[key], key);
    }
    for (const key of Object.keys(after)) if (!POSITIONS.has(key) && !Object.hasOwn(before, key)) throw REFUSALS.mismatch(key);
    this.#location(before['location'], after['location']);
    this.#location(before['stmt_location'], after['stmt_location']);
    if (before['stmt_len'] !== undefined || after['stmt_len'] !== undefined) {
      const end = (fields: Fields): number => Number(fields['stmt_location'] ?? 0) + Number(fields['stmt_len'] ?? 0);
      if (before['stmt_len'] === undefined || this.#places.toRewritten(end(before)) !== end(after)) throw REFUSALS.mismatch('stmt_len');
    }
  }

  /** A location of zero is left out, so is the one of a node that has none; unknown is -1. */
  #location(before: unknown, after: unknown): void {
    const was = Number(before ?? 0);
    if ((was < 0 ? was : this.#places.toRewritten(was)) !== Number(after ?? 0) && !(before === undefined && after === undefined)) {
      throw REFUSALS.mismatch('a location');
    }
  }

  #site(site: Site, after: unknown): void {
    this.used += 1;
    const node = unwrap(after);
    if (node?.[0] !== 'RangeSubselect') throw REFUSALS.mismatch('a place that was not replaced');
    const { subquery, alias, ...rest } = node[1];
    if (Object.keys(rest).length > 0) throw REFUSALS.mismatch('a sub-select with more than a query and an alias');
    same(alias, site.range.alias ?? { aliasname: site.range.relname }, 0);
    const base = this.#places.templateAt(site.range.location ?? 0);
    if (base === null) throw REFUSALS.mismatch('a place without an edit');
    same(subquery, this.#template(site), base);
  }
}

const POSITIONS: ReadonlySet<string> = new Set(['location', 'stmt_location', 'stmt_len']);

/** Equal trees, every known location moved by the same distance. */
function same(found: unknown, wanted: unknown, distance: number): void {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(found) || found.length !== wanted.length) throw REFUSALS.mismatch('the sub-select');
    for (let index = 0; index < wanted.length; index += 1) same(found[index], wanted[index], distance);
    return;
  }
  if (!isFields(wanted)) {
    if (found !== wanted) throw REFUSALS.mismatch('the sub-select');
    return;
  }
  if (!isFields(found)) throw REFUSALS.mismatch('the sub-select');
  for (const key of Object.keys(found)) if (key !== 'location' && !Object.hasOwn(wanted, key)) throw REFUSALS.mismatch('the sub-select');
  for (const key of Object.keys(wanted)) {
    if (key !== 'location') same(found[key], wanted[key], distance);
    else if (Number(wanted[key]) >= 0 && Number(found[key] ?? 0) !== Number(wanted[key]) + distance) throw REFUSALS.mismatch('the sub-select');
    else if (Number(wanted[key]) < 0 && found[key] !== wanted[key]) throw REFUSALS.mismatch('the sub-select');
  }
}

/** What `SELECT *` has where `TABLE` has a star without a place. */
function onlyStar(items: readonly unknown[]): void {
  const target = unwrap(items[0]);
  const value = unwrap(target?.[1]['val']);
  const plain = target?.[0] === 'ResTarget' && Object.keys(target[1]).every((key) => key === 'val' || key === 'location');
  if (!plain || value?.[0] !== 'ColumnRef' || list(value[1]['fields']).length !== 1 || columnParts(value[1])[0] !== STAR)
    throw REFUSALS.mismatch('TABLE');
}
