import type { Catalog, CatalogColumn, CatalogRelation, RelationKind } from '#schemas/catalog';
import { CATALOG_FINGERPRINT_SQL, CATALOG_SQL, CLUSTER_SQL } from './catalog-sql.ts';

export { CATALOG_FINGERPRINT_SQL };

type Row = readonly (string | null)[];
/** Runs one SELECT over the gateway's own connection and answers its rows, every value in text format. Rejects on an error of the server. */
export type CatalogQuery = (sql: string) => Promise<readonly Row[]>;

/**
 * Reads the target's catalog: all relations outside the system schemas, with what masking needs to know of them (MASKING.md §2).
 * One statement, one snapshot; inside a transaction it sees that transaction's own DDL. Changes no setting of the connection.
 */
export async function readCatalog(query: CatalogQuery): Promise<Catalog> {
  const rows = sorted(await query(CATALOG_SQL));
  const head = rows.d[0];
  if (head === undefined) throw new Error('the catalog of the target answered no row about itself');
  const cluster = text(head, 4) === 'true' ? ((await query(CLUSTER_SQL))[0]?.[0] ?? '') : '';
  return {
    database: text(head, 1),
    serverMajor: Math.floor(Number(text(head, 2)) / 10_000),
    fingerprint: text(head, 3),
    cluster: `${cluster}/${text(head, 5)}`,
    relations: relations(rows),
    systemRelations: rows.y.map((row) => text(row, 1)).toSorted(),
  };
}

/** Whether anything that a reading covers was written since `known` was read. Much cheaper than reading. */
export async function catalogChanged(query: CatalogQuery, known: Catalog): Promise<boolean> {
  return (await query(CATALOG_FINGERPRINT_SQL))[0]?.[0] !== known.fingerprint;
}

const TAGS = ['d', 'r', 'c', 'i', 's', 'w', 'o', 'y'] as const;
type Sorted = Record<(typeof TAGS)[number], Row[]>;

function sorted(rows: readonly Row[]): Sorted {
  const by: Sorted = { d: [], r: [], c: [], i: [], s: [], w: [], o: [], y: [] };
  for (const row of rows) by[row[0] as keyof Sorted].push(row);
  return by;
}

const KINDS: Readonly<Record<string, RelationKind>> = {
  r: 'table',
  p: 'partitioned_table',
  v: 'view',
  m: 'materialized_view',
  f: 'foreign_table',
  S: 'sequence',
  i: 'index',
  I: 'index',
  c: 'composite',
  t: 'toast',
};

function relations(rows: Sorted): readonly CatalogRelation[] {
  const columns = grouped(rows.c, 1, column);
  const parents = grouped(rows.i, 1, (row) => text(row, 2));
  const children = grouped(rows.i, 2, (row) => text(row, 1));
  const stores = grouped(rows.s, 1, (row) => text(row, 2));
  const edges = grouped(rows.w, 1, (row) => text(row, 2));
  const unreadable = new Set(rows.o.map((row) => text(row, 1)));
  return rows.r.map((row) => {
    const oid = text(row, 1);
    const reached = closure(`r${oid}`, edges);
    return {
      oid,
      schema: text(row, 2),
      name: text(row, 3),
      kind: KINDS[text(row, 4)] ?? 'other',
      columns: (columns.get(oid) ?? []).toSorted((a, b) => a.attnum - b.attnum),
      parents: parents.get(oid) ?? [],
      children: children.get(oid) ?? [],
      reads: [...reached].filter((node) => node.startsWith('r')).map((node) => node.slice(1)),
      storesRowsOf: stores.get(oid) ?? [],
      hasRules: text(row, 5) === 'true',
      callsCode: unreadable.has(`r${oid}`) || [...reached].some((node) => unreadable.has(node)),
    };
  });
}

function column(row: Row): CatalogColumn {
  const from = row[9];
  return {
    attnum: Number(text(row, 2)),
    name: text(row, 3),
    castType: text(row, 4),
    category: text(row, 5),
    typeName: text(row, 6),
    collation: row[7] ?? null,
    generated: text(row, 8) === 'true',
    ...(typeof from === 'string' ? { generatedFrom: from.split(',').map(Number) } : {}),
  };
}

/** Everything reached from a view or rule's table, itself left out; functions with a parsed body are passed through. */
function closure(start: string, edges: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const seen = new Set<string>();
  const queue = [start];
  for (let node = queue.pop(); node !== undefined; node = queue.pop()) {
    for (const next of edges.get(node) ?? []) {
      if (next === start || seen.has(next)) continue;
      seen.add(next);
      queue.push(next);
    }
  }
  return seen;
}

function grouped<T>(rows: readonly Row[], key: number, make: (row: Row) => T): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const name = text(row, key);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [make(row)]);
    else group.push(make(row));
  }
  return groups;
}

function text(row: Row, index: number): string {
  const value = row[index];
  if (typeof value !== 'string') throw new Error(`the catalog of the target answered no text in column ${index} of a ${row[0] ?? '?'} row`);
  return value;
}
