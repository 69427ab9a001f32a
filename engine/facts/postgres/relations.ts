/** Names of relations → what they mean: by the text and search_path alone, or looked up in the catalog that was read. */
import type { Catalog, CatalogRelation } from '#schemas/catalog';
import type { Confidence, ObjectRef } from '#schemas/sql-facts';
import type { Names } from './names.ts';
import { text } from './tree.ts';
import type { Fields } from './parser.ts';

export interface Resolved {
  readonly ref: ObjectRef;
  readonly confidence: Confidence;
  readonly known: CatalogRelation | null;
  /** Not in the catalog that was read, nor one of the server's own. */
  readonly missing: boolean;
}

export interface CatalogIndex {
  readonly byName: ReadonlyMap<string, CatalogRelation>;
  readonly byOid: ReadonlyMap<string, CatalogRelation>;
}

const indexes = new WeakMap<Catalog, CatalogIndex>();

export function indexOf(catalog: Catalog): CatalogIndex {
  const made = indexes.get(catalog);
  if (made) return made;
  const index: CatalogIndex = {
    byName: new Map(catalog.relations.map((relation) => [`${relation.schema}\0${relation.name}`, relation])),
    byOid: new Map(catalog.relations.map((relation) => [relation.oid, relation])),
  };
  indexes.set(catalog, index);
  return index;
}

export class Relations {
  readonly #names: Names;
  readonly #database: string;
  readonly #index: CatalogIndex | null;
  #path: SearchPath;

  constructor(names: Names, database: string, catalog: Catalog | null, searchPath: string | undefined) {
    this.#names = names;
    this.#database = database;
    this.#index = catalog === null ? null : indexOf(catalog);
    this.#path = parseSearchPath(searchPath ?? '"$user", public');
  }

  get index(): CatalogIndex | null {
    return this.#index;
  }

  /** Whether a schema of somebody else's comes before pg_catalog: then no bare name is surely built in. */
  get shadowed(): boolean {
    return this.#path.shadowed;
  }

  /** The schema that a bare name of no known home is given; null: the path is empty or cannot be told. */
  get home(): string | null {
    return this.#path.schemas[0] ?? null;
  }

  /** Later statements of the same text see it; null: a value that the text does not tell. */
  follow(searchPath: string | null): void {
    this.#path = searchPath === null ? { schemas: [], shadowed: true } : parseSearchPath(searchPath);
  }

  /** A RangeVar, not a CTE. */
  resolve(rangeVar: Fields): Resolved {
    const database = text(rangeVar['catalogname']) ?? undefined;
    const temporary = rangeVar['relpersistence'] === 't';
    return this.named(text(rangeVar['schemaname']) ?? (temporary ? 'pg_temp' : undefined), text(rangeVar['relname']) ?? '', database);
  }

  named(schema: string | undefined, name: string, database?: string): Resolved {
    const foreign = database !== undefined && database !== this.#database;
    if (schema === undefined) return this.#bare(name);
    const known = this.#index?.byName.get(`${schema}\0${name}`) ?? null;
    const system = this.#isSystem(schema, name);
    return {
      ref: refOf(kindOf(known, this.#names, schema, name), schema, name, foreign ? database : undefined, known),
      confidence: 'named',
      known: foreign ? null : known,
      missing: foreign || (this.#index !== null && known === null && !system),
    };
  }

  #bare(name: string): Resolved {
    const known = this.#path.schemas.map((schema) => this.#index?.byName.get(`${schema}\0${name}`)).find((each) => each !== undefined) ?? null;
    if (this.#names.relations.has(name) && !(this.#path.shadowed && known !== null)) return this.named('pg_catalog', name);
    if (known !== null) return this.named(known.schema, name);
    const home = this.home;
    return {
      ref: refOf('table', home ?? undefined, name, undefined, null),
      confidence: home === null ? 'unknown' : 'named',
      known: null,
      missing: this.#index !== null || home === null,
    };
  }

  #isSystem(schema: string, name: string): boolean {
    if (schema === 'information_schema') return this.#names.informationSchema.has(name);
    return schema === 'pg_catalog' && this.#names.relations.has(name);
  }
}

function kindOf(known: CatalogRelation | null, names: Names, schema: string, name: string): ObjectRef['kind'] {
  if (known === null)
    return schema === 'information_schema' || (schema === 'pg_catalog' && SYSTEM_VIEWS.test(name) && names.relations.has(name)) ? 'view' : 'table';
  switch (known.kind) {
    case 'view':
    case 'materialized_view':
      return 'view';
    case 'table':
    case 'partitioned_table':
    case 'foreign_table':
      return 'table';
    default:
      return 'other';
  }
}

const SYSTEM_VIEWS = /^pg_(stat|statio|stats|settings|tables|views|indexes|matviews|rules|roles|user|group|shadow|locks|policies|sequences)/;

export function refOf(
  kind: ObjectRef['kind'],
  schema: string | undefined,
  name: string,
  database?: string,
  known?: CatalogRelation | null,
): ObjectRef {
  return {
    kind,
    ...(database === undefined ? {} : { database }),
    ...(schema === undefined ? {} : { schema }),
    name,
    ...(known ? { oid: known.oid } : {}),
    qualified: schema === undefined ? name : `${schema}.${name}`,
  };
}

interface SearchPath {
  /** Without "$user", pg_catalog and pg_temp. */
  readonly schemas: readonly string[];
  readonly shadowed: boolean;
}

/** Sessions hardly ever have another one than the last. */
let last: { readonly value: string; readonly path: SearchPath } | null = null;

function parseSearchPath(value: string): SearchPath {
  if (last?.value !== value) last = { value, path: readSearchPath(value) };
  return last.path;
}

/** A list of identifiers as SHOW search_path prints it: folded unless quoted. */
function readSearchPath(value: string): SearchPath {
  const listed: string[] = [];
  for (const [, quoted, bare] of value.matchAll(/"((?:[^"]|"")*)"|([^",\s]+)/g)) {
    listed.push(quoted === undefined ? (bare ?? '').toLowerCase() : quoted.replaceAll('""', '"'));
  }
  const at = listed.indexOf('pg_catalog');
  return {
    schemas: listed.filter((schema) => schema !== '' && schema !== '$user' && schema !== 'pg_catalog' && schema !== 'pg_temp'),
    shadowed: listed.slice(0, Math.max(at, 0)).some((schema) => schema !== ''),
  };
}
