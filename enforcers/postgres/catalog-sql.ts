/**
 * What the gateway asks a target about its catalog. One statement, so one snapshot and one round trip. Nothing in it depends on search_path:
 * every relation, function and type is qualified, and so is every operator (`==` and `!=` below are spelled out), because a role may have a
 * path on which somebody's own operator stands before the built-in one.
 */

/** Ordinary schemas: nobody can create one whose name starts with `pg_`, so temporary and toast schemas are outside too. */
const USER_SCHEMAS = `(SELECT oid, nspname FROM pg_catalog.pg_namespace
  WHERE NOT pg_catalog.starts_with(CAST(nspname AS pg_catalog.text), 'pg_') AND nspname != 'information_schema')`;

/** Changes whenever a row that the reading looks at was written: xmin names the transaction that did it. */
const FINGERPRINT = `SELECT pg_catalog.md5(pg_catalog.string_agg(part, ',')) FROM (
  SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(n.oid, ':', n.xmin, ':', n.nspname), ',' ORDER BY n.oid)) AS part FROM pg_catalog.pg_namespace n
    WHERE n.oid OPERATOR(pg_catalog.=) ANY (SELECT oid FROM ${USER_SCHEMAS} s)
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(c.oid, ':', c.xmin), ',' ORDER BY c.oid)) FROM pg_catalog.pg_class c
    JOIN ${USER_SCHEMAS} s ON s.oid == c.relnamespace
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(a.attrelid, '.', a.attnum, ':', a.xmin), ',' ORDER BY a.attrelid, a.attnum))
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid == a.attrelid JOIN ${USER_SCHEMAS} s ON s.oid == c.relnamespace
    WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND c.relkind != 'i'
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(i.inhrelid, '.', i.inhparent, ':', i.xmin), ',' ORDER BY i.inhrelid, i.inhparent)) FROM pg_catalog.pg_inherits i
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(r.oid, ':', r.xmin), ',' ORDER BY r.oid)) FROM pg_catalog.pg_rewrite r
    JOIN pg_catalog.pg_class c ON c.oid == r.ev_class JOIN ${USER_SCHEMAS} s ON s.oid == c.relnamespace
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(d.oid, ':', d.xmin), ',' ORDER BY d.oid)) FROM pg_catalog.pg_attrdef d
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(t.oid, ':', t.xmin), ',' ORDER BY t.oid)) FROM pg_catalog.pg_type t
    JOIN ${USER_SCHEMAS} s ON s.oid == t.typnamespace
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(l.oid, ':', l.xmin), ',' ORDER BY l.oid)) FROM pg_catalog.pg_collation l
    JOIN ${USER_SCHEMAS} s ON s.oid == l.collnamespace
  UNION ALL SELECT pg_catalog.md5(pg_catalog.string_agg(pg_catalog.concat(p.oid, ':', p.xmin), ',' ORDER BY p.oid)) FROM pg_catalog.pg_proc p
    JOIN ${USER_SCHEMAS} s ON s.oid == p.pronamespace
  ) parts`;

/** Row types, through domains, arrays and ranges over them. */
const ROW_TYPES = `rowtype(column_type, inner_type) AS (
  SELECT DISTINCT a.atttypid, a.atttypid FROM cols a
  UNION SELECT o.column_type, step.next FROM rowtype o JOIN (
    SELECT t.oid AS type, t.typbasetype AS next FROM pg_catalog.pg_type t WHERE t.typtype == 'd'
    UNION ALL SELECT t.oid, t.typelem FROM pg_catalog.pg_type t WHERE t.typelem != 0 AND t.typlen == -1
    UNION ALL SELECT g.rngtypid, g.rngsubtype FROM pg_catalog.pg_range g
    UNION ALL SELECT g.rngmultitypid, g.rngsubtype FROM pg_catalog.pg_range g) step ON step.type == o.inner_type)`;

/** `pg_catalog.varchar(20)`: never format_type's own spelling, whose schema depends on search_path. Interval alone has words for its typmod, and those are keywords. */
const castType = (type: string, schema: string): string => `CASE WHEN ${type}.oid == 1186 THEN pg_catalog.format_type(${type}.oid, b.typmod)
  ELSE pg_catalog.concat(pg_catalog.quote_ident(CAST(${schema}.nspname AS pg_catalog.text)), '.', pg_catalog.quote_ident(CAST(${type}.typname AS pg_catalog.text)),
    CASE WHEN b.typmod OPERATOR(pg_catalog.>=) 0 THEN pg_catalog."substring"(pg_catalog.format_type(${type}.oid, b.typmod), '[(][^)]*[)]') END) END`;

/** What a dependency leads to: another relation, or code; an operator is its function. */
const READ_NODE = `CASE WHEN d.refclassid == CAST('pg_catalog.pg_class' AS pg_catalog.regclass) THEN pg_catalog.concat('r', d.refobjid)
  WHEN d.refclassid == CAST('pg_catalog.pg_proc' AS pg_catalog.regclass) THEN pg_catalog.concat('p', d.refobjid)
  ELSE (SELECT pg_catalog.concat('p', CAST(o.oprcode AS pg_catalog.oid)) FROM pg_catalog.pg_operator o WHERE o.oid == d.refobjid) END`;
const READ_CLASSES = `(d.refclassid == CAST('pg_catalog.pg_class' AS pg_catalog.regclass) OR d.refclassid == CAST('pg_catalog.pg_proc' AS pg_catalog.regclass)
  OR d.refclassid == CAST('pg_catalog.pg_operator' AS pg_catalog.regclass))`;

/**
 * Built-in functions that run SQL from a string or read what is beside tables, and relations that hold values of others. Dependencies on built-in
 * objects are not recorded, so the parsed rule is searched for them.
 */
const READS_ANYTHING = `SELECT pg_catalog.concat('id|relid) (', pg_catalog.string_agg(m.id, '|'), ') ') FROM (
  SELECT CAST(p.oid AS pg_catalog.text) AS id FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid == p.pronamespace
  WHERE n.nspname == 'pg_catalog' AND CAST(p.proname AS pg_catalog.text) OPERATOR(pg_catalog.~) '^(query|cursor|table|schema|database)_to_xml|^ts_stat$|^ts_rewrite$|^lo_get$|^loread$|^pg_read_|^pg_stat_get_activity$|^pg_logical_slot_|^pg_event_trigger'
  UNION ALL SELECT CAST(c.oid AS pg_catalog.text) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid == c.relnamespace
  WHERE n.nspname == 'pg_catalog' AND CAST(c.relname AS pg_catalog.text) OPERATOR(pg_catalog.~) '^pg_stats|^pg_statistic$|^pg_statistic_ext_data$|^pg_largeobject$|^pg_stat_activity$') m`;

/** Functions of extensions in C that run SQL from a string or read pages; other C functions compute. */
const RUNS_SQL = '^dblink|^crosstab|^connectby$|^xpath_table$|^get_raw_page$|^bt_page_|^pgstattuple|^pgrowlocks$';

const READING = `WITH RECURSIVE
rels AS (SELECT c.oid, s.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN ${USER_SCHEMAS} s ON s.oid == c.relnamespace),
cols AS (SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation, a.attgenerated
  FROM pg_catalog.pg_attribute a JOIN rels r ON r.oid == a.attrelid
  WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped AND r.relkind OPERATOR(pg_catalog.=) ANY (CAST('{r,p,v,m,f,c}' AS pg_catalog."char"[]))),
base(type, base, typmod) AS (
  SELECT DISTINCT c.atttypid, c.atttypid, CAST(NULL AS pg_catalog.int4) FROM cols c
  UNION ALL SELECT b.type, t.typbasetype, t.typtypmod FROM base b JOIN pg_catalog.pg_type t ON t.oid == b.base WHERE t.typtype == 'd'),
${ROW_TYPES}
SELECT 'd' AS tag, CAST(pg_catalog.current_database() AS pg_catalog.text) AS a, pg_catalog.current_setting('server_version_num') AS b, (${FINGERPRINT}) AS c,
  CAST(pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS pg_catalog.text) AS d,
  CAST((SELECT o.oid FROM pg_catalog.pg_database o WHERE o.datname == pg_catalog.current_database()) AS pg_catalog.text) AS e,
  CAST(NULL AS pg_catalog.text) AS f, CAST(NULL AS pg_catalog.text) AS g, CAST(NULL AS pg_catalog.text) AS h, CAST(NULL AS pg_catalog.text) AS i
UNION ALL SELECT 'r', CAST(r.oid AS pg_catalog.text), CAST(r.nspname AS pg_catalog.text), CAST(r.relname AS pg_catalog.text), CAST(r.relkind AS pg_catalog.text),
  CAST(EXISTS (SELECT FROM pg_catalog.pg_rewrite w WHERE w.ev_class == r.oid AND w.rulename != '_RETURN') AS pg_catalog.text), NULL, NULL, NULL, NULL FROM rels r
UNION ALL SELECT 'c', CAST(c.attrelid AS pg_catalog.text), CAST(c.attnum AS pg_catalog.text), CAST(c.attname AS pg_catalog.text), t.cast_type,
  CAST(t.typcategory AS pg_catalog.text), CAST(t.typname AS pg_catalog.text),
  CASE WHEN c.attcollation != 0 AND c.attcollation != t.typcollation THEN (
    SELECT pg_catalog.concat(pg_catalog.quote_ident(CAST(n.nspname AS pg_catalog.text)), '.', pg_catalog.quote_ident(CAST(l.collname AS pg_catalog.text)))
    FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid == l.collnamespace WHERE l.oid == c.attcollation) END,
  CAST(c.attgenerated != '' AS pg_catalog.text),
  CASE WHEN c.attgenerated != '' THEN (SELECT pg_catalog.string_agg(CAST(d.refobjsubid AS pg_catalog.text), ',' ORDER BY d.refobjsubid)
    FROM pg_catalog.pg_attrdef f JOIN pg_catalog.pg_depend d ON d.classid == CAST('pg_catalog.pg_attrdef' AS pg_catalog.regclass) AND d.objid == f.oid
      AND d.refclassid == CAST('pg_catalog.pg_class' AS pg_catalog.regclass) AND d.refobjid == c.attrelid AND d.refobjsubid != c.attnum
    WHERE f.adrelid == c.attrelid AND f.adnum == c.attnum) END
  FROM cols c JOIN LATERAL (
    SELECT bt.typcategory, bt.typname, bt.typcollation,
      CASE WHEN el.oid IS NULL THEN ${castType('e', 'en')} ELSE pg_catalog.concat(${castType('el', 'eln')}, '[]') END AS cast_type
    FROM (SELECT k.base, COALESCE(k.typmod, c.atttypmod) AS typmod FROM base k WHERE k.type == c.atttypid) b
    JOIN pg_catalog.pg_type bt ON bt.oid == b.base AND bt.typtype != 'd'
    JOIN pg_catalog.pg_type e ON e.oid == bt.oid JOIN pg_catalog.pg_namespace en ON en.oid == e.typnamespace
    LEFT JOIN pg_catalog.pg_type el ON el.oid == bt.typelem AND el.typarray == bt.oid LEFT JOIN pg_catalog.pg_namespace eln ON eln.oid == el.typnamespace
  ) t ON true
UNION ALL SELECT 'y', CAST(c.relname AS pg_catalog.text), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid == c.relnamespace
  WHERE n.nspname == 'pg_catalog' AND c.relkind OPERATOR(pg_catalog.=) ANY (CAST('{r,v,p,m}' AS pg_catalog."char"[]))
UNION ALL SELECT 'i', CAST(i.inhrelid AS pg_catalog.text), CAST(i.inhparent AS pg_catalog.text), NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM pg_catalog.pg_inherits i
UNION ALL SELECT DISTINCT 's', CAST(c.attrelid AS pg_catalog.text), CAST(t.typrelid AS pg_catalog.text), NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM cols c JOIN rowtype o ON o.column_type == c.atttypid JOIN pg_catalog.pg_type t ON t.oid == o.inner_type AND t.typrelid != 0
UNION ALL SELECT DISTINCT 'w', pg_catalog.concat('r', w.ev_class), ${READ_NODE}, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_rewrite w JOIN rels r ON r.oid == w.ev_class
  JOIN pg_catalog.pg_depend d ON d.classid == CAST('pg_catalog.pg_rewrite' AS pg_catalog.regclass) AND d.objid == w.oid AND ${READ_CLASSES}
UNION ALL SELECT DISTINCT 'w', pg_catalog.concat('p', p.oid), ${READ_NODE}, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_proc p JOIN ${USER_SCHEMAS} s ON s.oid == p.pronamespace
  JOIN pg_catalog.pg_depend d ON d.classid == CAST('pg_catalog.pg_proc' AS pg_catalog.regclass) AND d.objid == p.oid AND ${READ_CLASSES}
UNION ALL SELECT DISTINCT 'o', pg_catalog.concat('r', w.ev_class), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_rewrite w JOIN rels r ON r.oid == w.ev_class
  WHERE CAST(w.ev_action AS pg_catalog.text) OPERATOR(pg_catalog.~) pg_catalog.concat(':(func', (${READS_ANYTHING}))
UNION ALL SELECT 'o', pg_catalog.concat('p', p.oid), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
  FROM pg_catalog.pg_proc p JOIN ${USER_SCHEMAS} s ON s.oid == p.pronamespace JOIN pg_catalog.pg_language l ON l.oid == p.prolang
  WHERE (p.prosqlbody IS NULL AND l.lanname != 'c' AND l.lanname != 'internal')
    OR (l.lanname == 'c' AND CAST(p.proname AS pg_catalog.text) OPERATOR(pg_catalog.~) '${RUNS_SQL}')`;

/** One row, one column. A session start asks this alone and reads the rest only when the answer is another than `Catalog.fingerprint`. */
export const CATALOG_FINGERPRINT_SQL: string = spelledOut(FINGERPRINT);
export const CATALOG_SQL: string = spelledOut(READING);
/** Asked only where the role may: which cluster this is. */
export const CLUSTER_SQL = 'SELECT CAST(system_identifier AS pg_catalog.text) FROM pg_catalog.pg_control_system()';

function spelledOut(sql: string): string {
  return sql.replaceAll(' == ', ' OPERATOR(pg_catalog.=) ').replaceAll(' != ', ' OPERATOR(pg_catalog.<>) ');
}
