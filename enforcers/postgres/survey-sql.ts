/**
 * What the gateway asks a target about the names of one statement, and how many rows a transaction has touched. As in catalog-sql.ts nothing
 * depends on search_path (`==` and `!=` are spelled out) but the question what a name alone means on it. Definitions are hashed as the server
 * stores them, not as it prints them: what it prints depends on search_path again.
 */

export interface AskedName {
  readonly schema: string | null;
  readonly name: string;
}

/** Letters and digits for the server whatever its settings: E'' reads a backslash always the same way. */
export function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

const listed = (names: readonly AskedName[]): string =>
  `(VALUES ${[{ schema: null, name: '' }, ...names].map(({ schema, name }) => `(CAST(${schema === null ? 'NULL' : literal(schema)} AS pg_catalog.text), CAST(${literal(name)} AS pg_catalog.text))`).join(', ')})`;

/** One row, one column: a JSON document (`SurveyDocument` in survey.ts). Takes a snapshot: ask after locking. */
export function surveySql(relations: readonly AskedName[], functions: readonly AskedName[]): string {
  return `WITH RECURSIVE asked(schema, name) AS ${listed(relations)}, called(schema, name) AS ${listed(functions)},\n${SURVEY}`;
}

/** Objects of the server itself are not looked at: nobody changes them under a running server. */
const OWN = `OPERATOR(pg_catalog.>=) 16384`;
const text = (expression: string): string => `CAST(${expression} AS pg_catalog.text)`;
const list = (expression: string, order: string): string => `pg_catalog.string_agg(${expression}, ';' ORDER BY ${order})`;
const sha256 = (expression: string): string => `pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(${expression}, 'UTF8')), 'hex')`;
const concat = (...parts: string[]): string => `pg_catalog.concat_ws('|', ${parts.map((part) => `COALESCE(${text(part)}, '-')`).join(', ')})`;
const CLASS = (name: string): string => `CAST('pg_catalog.${name}' AS pg_catalog.regclass)`;

/** What a relation leads to: what a view or rule reads or writes, its children, and the tables that a foreign key takes along. */
const LEADS = `SELECT d.refobjid AS next FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d ON d.classid == ${CLASS('pg_rewrite')} AND d.objid == w.oid
    AND d.refclassid == ${CLASS('pg_class')} WHERE w.ev_class == r.oid AND d.refobjid != r.oid
  UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent == r.oid
  UNION ALL SELECT k.conrelid FROM pg_catalog.pg_constraint k WHERE k.contype == 'f' AND k.confrelid == r.oid
    AND (k.confdeltype OPERATOR(pg_catalog.=) ANY ('{c,n,d}') OR k.confupdtype OPERATOR(pg_catalog.=) ANY ('{c,n,d}'))`;

/** Whatever belongs to a relation and may call code. */
const PARTS = `SELECT ${CLASS('pg_rewrite')} AS classid, w.oid, w.ev_class AS relation FROM pg_catalog.pg_rewrite w
  UNION ALL SELECT ${CLASS('pg_attrdef')}, a.oid, a.adrelid FROM pg_catalog.pg_attrdef a
  UNION ALL SELECT ${CLASS('pg_policy')}, p.oid, p.polrelid FROM pg_catalog.pg_policy p
  UNION ALL SELECT ${CLASS('pg_constraint')}, k.oid, k.conrelid FROM pg_catalog.pg_constraint k WHERE k.conrelid != 0`;

const COLUMNS = `SELECT ${list(concat('a.attnum', 'a.attname', 'a.atttypid', 'a.atttypmod', 'a.attcollation', 'a.attnotnull', 'a.attgenerated', 'a.attidentity', 'f.adbin'), 'a.attnum')}
  FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid == a.attrelid AND f.adnum == a.attnum
  WHERE a.attrelid == c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped`;
const CONSTRAINTS = `SELECT ${list(concat('k.contype', 'k.conkey', 'k.condeferrable', 'k.condeferred', 'k.confrelid', 'k.confkey', 'k.confupdtype', 'k.confdeltype', 'k.conbin', 'k.connamespace', 'k.conrelid'), 'k.oid')}
  FROM pg_catalog.pg_constraint k WHERE (k.conrelid == c.oid OR k.confrelid == c.oid) AND k.contype != 't'`;
const RULES = `SELECT ${list(concat('w.ev_type', 'w.ev_enabled', 'w.is_instead', 'w.ev_qual', 'w.ev_action'), 'w.rulename')} FROM pg_catalog.pg_rewrite w WHERE w.ev_class == c.oid`;
const TRIGGERS = `SELECT ${list(concat('t.tgname', 't.tgfoid', 't.tgtype', 't.tgenabled', 't.tgdeferrable', 't.tginitdeferred', 't.tgattr', "pg_catalog.encode(t.tgargs, 'hex')", 't.tgqual'), 't.tgname')}
  FROM pg_catalog.pg_trigger t WHERE t.tgrelid == c.oid AND NOT t.tgisinternal`;
const POLICIES = `SELECT ${list(concat('p.polname', 'p.polcmd', 'p.polpermissive', 'p.polroles', 'p.polqual', 'p.polwithcheck'), 'p.polname')} FROM pg_catalog.pg_policy p WHERE p.polrelid == c.oid`;
const DEFINITION = sha256(
  concat(
    'c.relkind',
    'c.relpersistence',
    'c.relowner',
    'c.relispartition',
    'c.relpartbound',
    'c.relrowsecurity',
    'c.relforcerowsecurity',
    'c.reloptions',
    `(${COLUMNS})`,
    `(${CONSTRAINTS})`,
    `(${RULES})`,
    `(${TRIGGERS})`,
    `(${POLICIES})`,
  ),
);
const BODY = sha256(
  concat(
    'p.prosrc',
    'p.probin',
    'p.prosqlbody',
    'p.prosecdef',
    'p.proconfig',
    'p.proowner',
    'p.prolang',
    'p.provolatile',
    'p.proargtypes',
    'p.prorettype',
    'p.proargdefaults',
  ),
);

const WRITE = "'INSERT, UPDATE, DELETE, TRUNCATE'";
/**
 * ROW EXCLUSIVE conflicts with what ALTER, DROP, CREATE RULE and CREATE TRIGGER take (A3). It needs a right to write, on a view of its owner too
 * and on all below; without it ACCESS SHARE still keeps the name and the definition.
 */
const LOCK = `CASE WHEN c.relkind OPERATOR(pg_catalog.<>) ALL ('{r,p,v}') THEN NULL
  WHEN pg_catalog.has_table_privilege(c.oid, ${WRITE}) AND (c.relkind != 'v' OR COALESCE((
    SELECT pg_catalog.bool_and(b.relkind == 'r' AND pg_catalog.has_table_privilege(c.relowner, b.oid, ${WRITE})) FROM pg_catalog.pg_rewrite w
    JOIN pg_catalog.pg_depend d ON d.classid == ${CLASS('pg_rewrite')} AND d.objid == w.oid AND d.refclassid == ${CLASS('pg_class')} AND d.refobjid != c.oid
    JOIN pg_catalog.pg_class b ON b.oid == d.refobjid WHERE w.ev_class == c.oid), false)) THEN 'ROW EXCLUSIVE'
  WHEN pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN 'ACCESS SHARE' END`;

const SURVEY: string = spelledOut(`meant(oid) AS (SELECT DISTINCT c.oid FROM asked n JOIN pg_catalog.pg_class c ON ${text('c.relname')} == n.name
  JOIN pg_catalog.pg_namespace s ON s.oid == c.relnamespace
  WHERE c.oid ${OWN} AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f,S}')
    AND (pg_catalog.pg_table_is_visible(c.oid) OR ${text('s.nspname')} == n.schema OR (n.schema == 'pg_temp' AND s.oid == pg_catalog.pg_my_temp_schema()))),
reached(oid) AS (SELECT oid FROM meant UNION SELECT e.next FROM reached r CROSS JOIN LATERAL (${LEADS}) e WHERE e.next ${OWN}),
path(oid) AS (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(false))),
code(oid, how) AS (
  SELECT p.oid, 'called' FROM called f JOIN pg_catalog.pg_proc p ON ${text('p.proname')} == f.name
    WHERE p.pronamespace OPERATOR(pg_catalog.=) ANY (SELECT oid FROM path) OR p.pronamespace OPERATOR(pg_catalog.=) ANY (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE ${text('n.nspname')} == f.schema)
  UNION SELECT t.tgfoid, 'trigger' FROM pg_catalog.pg_trigger t JOIN reached r ON r.oid == t.tgrelid WHERE NOT t.tgisinternal
  UNION SELECT COALESCE(CAST(o.oprcode AS pg_catalog.oid), d.refobjid), 'inside' FROM (${PARTS}) x JOIN reached r ON r.oid == x.relation
    JOIN pg_catalog.pg_depend d ON d.classid == x.classid AND d.objid == x.oid
    LEFT JOIN pg_catalog.pg_operator o ON d.refclassid == ${CLASS('pg_operator')} AND o.oid == d.refobjid
    WHERE d.refclassid == ${CLASS('pg_proc')} OR (d.refclassid == ${CLASS('pg_operator')} AND o.oid IS NOT NULL)),
overloads AS (
  SELECT ${concat('o.oid', 'o.oprname', 'o.oprleft', 'o.oprright', 'o.oprcode')} AS line, o.oprcode AS oid FROM pg_catalog.pg_operator o
    WHERE o.oid ${OWN} AND o.oprnamespace OPERATOR(pg_catalog.=) ANY (SELECT oid FROM path)
  UNION ALL SELECT ${concat('k.oid', 'k.castsource', 'k.casttarget', 'k.castfunc', 'k.castcontext')}, k.castfunc FROM pg_catalog.pg_cast k WHERE k.oid ${OWN})
SELECT ${text(`pg_catalog.json_build_object(
  'relations', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('oid', ${text('c.oid')}, 'kind', c.relkind, 'schema', n.nspname, 'name', c.relname,
      'named', EXISTS (SELECT FROM meant m WHERE m.oid == c.oid), 'definition', ${DEFINITION}, 'lock', ${LOCK}) ORDER BY c.oid)
    FROM reached r JOIN pg_catalog.pg_class c ON c.oid == r.oid JOIN pg_catalog.pg_namespace n ON n.oid == c.relnamespace),
  'functions', (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('oid', ${text('p.oid')}, 'schema', n.nspname, 'name', p.proname, 'arguments', p.pronargs,
      'definer', p.prosecdef, 'how', x.how, 'body', ${BODY}) ORDER BY p.oid)
    FROM (SELECT oid, pg_catalog.min(how) AS how FROM code GROUP BY oid) x JOIN pg_catalog.pg_proc p ON p.oid == x.oid AND p.oid ${OWN}
    JOIN pg_catalog.pg_namespace n ON n.oid == p.pronamespace),
  'overloads', (SELECT pg_catalog.json_build_object('count', pg_catalog.count(*), 'hash', ${sha256("pg_catalog.string_agg(o.line, ';' ORDER BY o.line)")},
      'code', pg_catalog.count(*) FILTER (WHERE l.lanname OPERATOR(pg_catalog.<>) ALL ('{c,internal}')))
    FROM overloads o LEFT JOIN pg_catalog.pg_proc p ON p.oid == o.oid LEFT JOIN pg_catalog.pg_language l ON l.oid == p.prolang),
  'settings', pg_catalog.json_build_object(${['search_path', 'role', 'session_replication_role', 'row_security'].map((name) => `'${name}', pg_catalog.current_setting('${name}')`).join(', ')}))`)}`);

/** One row, one column: rows written by table so far, those of this server process that are not counted yet; only differences tell. */
export const TOUCHED_SQL: string =
  spelledOut(`SELECT ${text(`COALESCE(pg_catalog.json_object_agg(pg_catalog.concat(n.nspname, '.', t.relname), t.rows), '{}')`)} FROM (
  SELECT c.relname, c.relnamespace, pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) OPERATOR(pg_catalog.+) pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
    OPERATOR(pg_catalog.+) pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) AS rows
  FROM pg_catalog.pg_class c WHERE c.oid ${OWN} AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}')) t
  JOIN pg_catalog.pg_namespace n ON n.oid == t.relnamespace WHERE t.rows OPERATOR(pg_catalog.>) 0`);

function spelledOut(sql: string): string {
  return sql.replaceAll(' == ', ' OPERATOR(pg_catalog.=) ').replaceAll(' != ', ' OPERATOR(pg_catalog.<>) ');
}
