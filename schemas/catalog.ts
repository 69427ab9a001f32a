/** What the gateway reads of a PostgreSQL target's catalog over its own connection, because masking is unsound without it (MASKING.md §2). */

export type RelationKind =
  | 'table'
  | 'partitioned_table'
  | 'view'
  | 'materialized_view'
  | 'foreign_table'
  | 'sequence'
  | 'index'
  | 'composite'
  | 'toast'
  | 'other';

export interface CatalogColumn {
  readonly attnum: number;
  readonly name: string;
  /** Base type with its schema and typmod, ready to stand in a CAST: `pg_catalog.varchar(20)`. Domains are resolved. */
  readonly castType: string;
  /** pg_type.typcategory of the base type: `S` string, `N` numeric, `D` date … */
  readonly category: string;
  readonly typeName: string;
  /** Quoted, schema-qualified collation, where it differs from the type's. */
  readonly collation: string | null;
  readonly generated: boolean;
  /** attnums of the columns that a generated column is computed from. */
  readonly generatedFrom?: readonly number[];
}

export interface CatalogRelation {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  /** In attnum order, without dropped ones. Present for ordinary, partitioned and foreign tables, views and materialised views outside the system schemas. */
  readonly columns: readonly CatalogColumn[];
  /** oids: direct parents and children by pg_inherits. */
  readonly parents: readonly string[];
  readonly children: readonly string[];
  /** oids of relations that this view, materialised view or rule's table reads, transitively closed, by pg_depend of pg_rewrite. */
  readonly reads: readonly string[];
  /** oids of relations whose row type (or an array or domain over it) is the type of one of this relation's columns. */
  readonly storesRowsOf: readonly string[];
  /** A rule, other than a view's own, rewrites statements on this relation. */
  readonly hasRules: boolean;
  /** It reads through functions whose bodies cannot be read: what they read is unknown. */
  readonly callsCode?: boolean;
}

export interface Catalog {
  readonly database: string;
  readonly serverMajor: number;
  /** Equal when nothing that this reading covers changed. */
  readonly fingerprint: string;
  readonly relations: readonly CatalogRelation[];
  /** Names of the relations of pg_catalog: they stand before search_path, so only these may be named without a schema and not be in `relations`. */
  readonly systemRelations?: readonly string[];
  /** System identifier and database oid: whose oids these are. */
  readonly cluster?: string;
}
