/** Facts in a form that a case can state in a line. */
import { PostgresFacts } from '#engine/facts/postgres/reader';
import type { Catalog } from '#schemas/catalog';
import type { SqlFacts } from '#schemas/sql-facts';

export interface Brief {
  /** kind, then what is not as usual: `select where=bound limit=3 locking explain=plan copy=out/stdio` */
  readonly statements: readonly string[];
  /** `read public.orders`, `read public.customers via view:public.contact`, `?` after what is not surely so. */
  readonly effects: readonly string[];
  /** `public.orders.id output`, `?` as above. */
  readonly columns: readonly string[];
  /** `id <- public.orders.id`, `=` when it is the column itself. */
  readonly output: readonly string[];
  /** Those that are not pure: `pg_catalog.pg_sleep admin`. */
  readonly functions: readonly string[];
  /** `set search_path = evil`, `reset all`, `local` at the end. */
  readonly session: readonly string[];
  readonly opaque: readonly string[];
}

export function brief(facts: SqlFacts): Brief {
  const sure = (confidence: string): string => (confidence === 'named' ? '' : ' ?');
  return {
    statements: facts.statements.map((each) =>
      [
        each.kind,
        each.where === 'none' ? '' : `where=${each.where}`,
        each.limit === 'none' ? '' : `limit=${each.limit}`,
        each.locking ? 'locking' : '',
        each.explain === 'no' ? '' : `explain=${each.explain}`,
        each.copy === undefined ? '' : `copy=${each.copy.direction}/${each.copy.through}`,
      ]
        .filter((part) => part !== '')
        .join(' '),
    ),
    effects: facts.effects.map(
      ({ verb, object, via, confidence }) =>
        `${verb} ${object.kind === 'table' || object.kind === 'view' ? '' : `${object.kind} `}${object.qualified}${via.map((step) => ` via ${step.kind}:${step.name}`).join('')}${sure(confidence)}`,
    ),
    columns: facts.statements.flatMap((each) => each.columns.map((use) => `${use.column} ${use.in}${sure(use.confidence)}`)),
    output: facts.statements.flatMap((each) =>
      each.output.map((column) => `${column.name} ${column.direct ? '=' : '<-'} ${column.sources.join(', ')}`.trim()),
    ),
    functions: facts.statements.flatMap((each) => each.functions.filter((use) => use.class !== 'pure').map((use) => `${use.name} ${use.class}`)),
    session: facts.session.map(({ op, name, value, local }) => `${op} ${name}${value === null ? '' : ` = ${value}`}${local ? ' local' : ''}`),
    opaque: facts.opaque.map(({ code, detail }) => `${code}: ${detail}`),
  };
}

export interface Reading {
  readonly major?: number;
  readonly settings?: Readonly<Record<string, string>>;
  readonly catalog?: Catalog | null;
}

/** One reader for a test file. */
export function openFacts(): { read(sql: string | Uint8Array, reading?: Reading): Promise<SqlFacts>; close(): Promise<void> } {
  const reader = new PostgresFacts({ majors: [15, 17] });
  return {
    async read(sql, { major = 15, settings = { search_path: '"$user", public' }, catalog = null } = {}) {
      return reader.read(typeof sql === 'string' ? Buffer.from(sql) : sql, { major, database: 'shop', settings, catalog });
    },
    close: () => reader.close(),
  };
}
