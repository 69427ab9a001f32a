/** Writes engine/facts/postgres/data/names-<major>.json from a running server of that major with every contrib extension: `node tools/postgres-names/main.ts` */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { POSTGRES_MAJORS, startPostgres, type PostgresServer } from '#test/support/postgres';
import { classOf } from './rules.ts';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** Worst first: overloads of one name share the worst class. */
const WORST = ['file', 'network', 'sql', 'admin', 'session', 'catalog', 'pure'] as const;

for (const major of POSTGRES_MAJORS) {
  await using server = await startPostgres({ major });
  const database = await withExtensions(server);
  const names = {
    major,
    functions: await functions(server, database, false),
    extension_functions: await functions(server, database, true),
    operators: await column(server, database, `SELECT DISTINCT oprname AS name FROM pg_operator`),
    types: await column(server, database, typesWhere(`n.nspname = 'pg_catalog' AND d.objid IS NULL`)),
    extension_types: await column(server, database, typesWhere(`d.objid IS NOT NULL`)),
    relations: await column(server, database, relationsOf('pg_catalog')),
    information_schema: await column(server, database, relationsOf('information_schema')),
  };
  writeFileSync(join(root, 'engine/facts/postgres/data', `names-${major}.json`), `${JSON.stringify(names, null, 2)}\n`);
}

/** Extensions whose libraries this build cannot load (languages) ship no function that SQL would name. */
async function withExtensions(server: PostgresServer): Promise<string> {
  await server.query('CREATE DATABASE everything');
  const { rows } = await server.query<{ name: string }>('SELECT name FROM pg_available_extensions ORDER BY 1');
  for (const { name } of rows) {
    await server.query(`CREATE EXTENSION IF NOT EXISTS "${name}" CASCADE`, 'everything').catch((error: Error) => {
      if (!/pl(perl|python|tcl)/.test(name)) throw error;
    });
  }
  return 'everything';
}

interface FunctionRow {
  readonly name: string;
  readonly extension: string | null;
  readonly volatility: 'i' | 's' | 'v';
  readonly language: string;
  readonly support: boolean;
  /** Names of its OUT columns. */
  readonly columns: readonly string[];
  /** It gives rows, or whatever it is given. */
  readonly row: boolean;
  /** Alone in brackets it takes any row: `f(c)`, which may be written `c.f`. */
  readonly takesRow: boolean;
}

/** name → "class volatility", and what it gives if that may be a row: `r`, or its columns; `w` if it takes one. */
async function functions(server: PostgresServer, database: string, ofExtensions: boolean): Promise<Record<string, string>> {
  const { rows } = await server.query<FunctionRow>(
    `SELECT p.proname AS name, e.extname AS extension, p.provolatile AS volatility, l.lanname AS language,
            pg_get_function_arguments(p.oid) || ' ' || coalesce(pg_get_function_result(p.oid), '')
              ~ '\\m(internal|trigger|event_trigger|language_handler|fdw_handler|index_am_handler|table_am_handler|tsm_handler)\\M' AS support,
            ARRAY(SELECT a.name::text FROM unnest(p.proargnames, p.proargmodes) a(name, mode) WHERE a.mode IN ('o', 'b', 't')) AS columns,
            t.typtype = 'c' OR t.typname ~ '^(record|any.*)$' AND t.typname !~ 'array' AS row,
            p.pronargs - p.pronargdefaults <= 1 AND p.pronargs >= 1 AND p.proargtypes[0]::regtype::text ~ '^(record|anyelement|anynonarray|anycompatible|anycompatiblenonarray|"any")$' AS "takesRow"
       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang JOIN pg_type t ON t.oid = p.prorettype
       LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' LEFT JOIN pg_extension e ON e.oid = d.refobjid
      WHERE n.nspname <> 'information_schema' AND (e.oid IS NOT NULL) = ${ofExtensions} ORDER BY p.proname COLLATE "C"`,
    database,
  );
  const found = new Map<string, { class: (typeof WORST)[number]; volatility: string; columns: readonly string[]; row: boolean; takesRow: boolean }>();
  for (const row of rows) {
    const given = classOf(row);
    if (given === null)
      throw new Error(
        `PostgreSQL ${server.major}: no rule for ${row.extension ?? 'core'} function ${row.name}; add one to tools/postgres-names/rules.ts`,
      );
    const known = found.get(row.name);
    found.set(row.name, {
      class: WORST.find((each) => each === given || each === known?.class) ?? 'admin',
      volatility: ['v', 's', 'i'].find((each) => each === row.volatility || each === known?.volatility) ?? 'v',
      columns: [...new Set([...(known?.columns ?? []), ...row.columns])].sort(),
      row: (row.row && row.columns.length === 0) || known?.row === true,
      takesRow: row.takesRow || known?.takesRow === true,
    });
  }
  const gives = (use: { columns: readonly string[]; row: boolean }): string =>
    use.row ? ' r' : use.columns.length > 0 ? ` ${use.columns.join()}` : '';
  return Object.fromEntries([...found].map(([name, use]) => [name, `${use.class} ${use.volatility}${use.takesRow ? ' w' : ''}${gives(use)}`]));
}

function typesWhere(condition: string): string {
  // row types of relations and array types are not named by themselves
  return `SELECT DISTINCT t.typname AS name FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_depend d ON d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
    WHERE t.typrelid = 0 AND t.typname !~ '^_' AND ${condition}`;
}

function relationsOf(schema: string): string {
  return `SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
    WHERE n.nspname = '${schema}' AND c.relkind IN ('r', 'v', 'm', 'S', 'p', 'f') AND d.objid IS NULL`;
}

async function column(server: PostgresServer, database: string, sql: string): Promise<readonly string[]> {
  const { rows } = await server.query<{ name: string }>(sql, database);
  return rows.map((row) => row.name).sort();
}
