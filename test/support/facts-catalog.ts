/** A catalog for facts: what is named gets its oid by its place. */
import type { Catalog, CatalogColumn, CatalogRelation, RelationKind } from '#schemas/catalog';

export interface RelationSketch {
  readonly name: string;
  readonly kind?: RelationKind;
  readonly columns?: readonly string[];
  readonly parents?: readonly string[];
  readonly reads?: readonly string[];
  readonly storesRowsOf?: readonly string[];
  readonly hasRules?: boolean;
  readonly callsCode?: boolean;
  /** column → the columns that it is generated from */
  readonly generated?: Readonly<Record<string, readonly string[]>>;
}

/** Names are `schema.name`, public unless said. */
export function catalogOf(...sketches: readonly RelationSketch[]): Catalog {
  const qualified = (name: string): string => (name.includes('.') ? name : `public.${name}`);
  const names = sketches.map((sketch) => qualified(sketch.name));
  const oid = (name: string): string => String(16_384 + names.indexOf(qualified(name)));
  const relations = sketches.map((sketch): CatalogRelation => {
    const [schema = '', name = ''] = qualified(sketch.name).split('.');
    const columns = sketch.columns ?? [];
    return {
      oid: oid(sketch.name),
      schema,
      name,
      kind: sketch.kind ?? 'table',
      columns: columns.map(
        (column, at): CatalogColumn => ({
          attnum: at + 1,
          name: column,
          castType: 'pg_catalog.text',
          category: 'S',
          typeName: 'text',
          collation: null,
          generated: sketch.generated?.[column] !== undefined,
          ...(sketch.generated?.[column] === undefined ? {} : { generatedFrom: sketch.generated[column].map((from) => columns.indexOf(from) + 1) }),
        }),
      ),
      parents: (sketch.parents ?? []).map(oid),
      children: sketches.filter((other) => (other.parents ?? []).map(qualified).includes(qualified(sketch.name))).map((other) => oid(other.name)),
      reads: (sketch.reads ?? []).map(oid),
      storesRowsOf: (sketch.storesRowsOf ?? []).map(oid),
      hasRules: sketch.hasRules ?? false,
      ...(sketch.callsCode === undefined ? {} : { callsCode: sketch.callsCode }),
    };
  });
  return { database: 'shop', serverMajor: 15, fingerprint: 'test', relations };
}
