import type { Catalog, CatalogRelation } from '#schemas/catalog';

/** How many columns are remembered; beyond it every catalog with a changed column is refused rather than trusted. */
const BOUND_MAX = 100_000;

/**
 * Masks name columns, values live at (relation oid, attribute number). Remembers where each named mask was first seen, for as long as this object
 * lives, so that a column or table that was renamed or swapped away (MASKING.md §6.1, M13) is found and refused instead of read raw.
 */
export class MaskBindings {
  /** cluster → oid → attnum → the name of the mask */
  readonly #bound = new Map<string, Map<string, Map<number, string>>>();
  #count = 0;

  /** Binds a relation's masked columns, each by the name of its mask, as the catalog shows them now. */
  bind(catalog: Catalog, relation: CatalogRelation, columns: ReadonlyMap<string, string>): void {
    const cluster = getOrMake(this.#bound, clusterOf(catalog), () => new Map<string, Map<number, string>>());
    const known = getOrMake(cluster, relation.oid, () => new Map<number, string>());
    for (const column of relation.columns) {
      const mask = columns.get(column.name);
      if (mask === undefined || known.has(column.attnum)) continue;
      if (this.#count >= BOUND_MAX) throw new RangeError('too many masked columns to remember');
      this.#count += 1;
      known.set(column.attnum, mask);
    }
  }

  /** Whether a column that one of these masks was bound to is no longer under any of them. */
  drifted(
    catalog: Catalog,
    relation: CatalogRelation,
    masks: ReadonlyMap<string, unknown>,
    masked: ReadonlyMap<string, unknown> | undefined,
  ): boolean {
    const known = this.#bound.get(clusterOf(catalog))?.get(relation.oid);
    if (known === undefined) return false;
    return relation.columns.some((column) => {
      const mask = known.get(column.attnum);
      return mask !== undefined && masks.has(mask) && masked?.has(column.name) !== true;
    });
  }
}

function clusterOf(catalog: Catalog): string {
  return `${catalog.cluster ?? ''}/${catalog.database}`;
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
