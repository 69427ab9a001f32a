/** The catalog of test/cases/mask/catalog.yaml, as enforcers/postgres/catalog.ts would read it. */
import type { Catalog, CatalogColumn, CatalogRelation, RelationKind } from '#schemas/catalog';
import { maskCases } from './mask.ts';

interface Short {
  readonly kind?: RelationKind;
  readonly columns?: readonly string[];
  readonly parents?: readonly string[];
  readonly reads?: readonly string[];
  readonly storesRowsOf?: readonly string[];
  readonly hasRules?: boolean;
  readonly callsCode?: boolean;
}

export function maskCatalog(): Catalog {
  const short = Object.entries(maskCases<Readonly<Record<string, Short>>>('catalog.yaml'));
  const oid = new Map(short.map(([name], index) => [name, String(16_384 + index)]));
  const oids = (names: readonly string[] | undefined): readonly string[] => (names ?? []).map((name) => oid.get(name) as string);
  const relations = short.map(([qualified, each]): CatalogRelation => {
    const dot = qualified.indexOf('.');
    const name = qualified.slice(dot + 1);
    return {
      oid: oid.get(qualified) as string,
      schema: qualified.slice(0, dot),
      name: name.startsWith('"') ? (JSON.parse(name.replaceAll('""', '\\"')) as string) : name,
      kind: each.kind ?? 'table',
      columns: (each.columns ?? []).map(column),
      parents: oids(each.parents),
      children: oids(short.filter(([, other]) => other.parents?.includes(qualified) === true).map(([child]) => child)),
      reads: oids(each.reads),
      storesRowsOf: oids(each.storesRowsOf),
      hasRules: each.hasRules ?? false,
      callsCode: each.callsCode ?? false,
    };
  });
  return { database: 'app', serverMajor: 15, fingerprint: 'fixture', cluster: '7/5', relations, systemRelations: SYSTEM };
}

const SYSTEM = ['pg_class', 'pg_attribute', 'pg_type', 'pg_stats', 'pg_statistic', 'pg_stat_activity', 'pg_largeobject'];

const CATEGORIES: Readonly<Record<string, string>> = {
  int4: 'N',
  numeric: 'N',
  date: 'D',
  uuid: 'U',
  jsonb: 'U',
  _text: 'A',
  mood: 'E',
  customers: 'C',
  wrapped: 'C',
};

/** `name`, `name type`, `name generated n`; a name may hold a blank, a type is one of the table above. */
function column(text: string, index: number): CatalogColumn {
  const generated = / generated (\d+)$/.exec(text);
  const typed = / (\w+)$/.exec(text)?.[1];
  const typeName = typed !== undefined && CATEGORIES[typed] !== undefined ? typed : 'text';
  const builtIn = !['mood', 'customers', 'wrapped'].includes(typeName);
  return {
    attnum: index + 1,
    name: generated !== null ? text.slice(0, generated.index) : typeName === 'text' ? text : text.slice(0, -typeName.length - 1),
    castType: `${builtIn ? 'pg_catalog' : 'public'}.${typeName.startsWith('_') ? `${typeName.slice(1)}[]` : typeName}`,
    category: CATEGORIES[typeName] ?? 'S',
    typeName,
    collation: null,
    generated: generated !== null,
    ...(generated === null ? {} : { generatedFrom: [Number(generated[1])] }),
  };
}
