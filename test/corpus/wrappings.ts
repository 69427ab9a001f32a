/** The same statement inside another one. Not for statements that must be allowed: their result would be another. */
import type { Step } from './case.ts';
import type { Mutation } from './mutation.ts';

export const WRAPPINGS: Readonly<Record<string, Mutation>> = {
  cte: wrapped(/^(select|insert|update|delete|values|table|with|merge)\b/i, (sql) =>
    /^(select|values|table|with)\b/i.test(sql)
      ? `WITH w AS (${sql}) SELECT * FROM w`
      : `WITH w AS (${/\breturning\b/i.test(sql) ? sql : `${sql} RETURNING 1`}) SELECT * FROM w`,
  ),
  explain: wrapped(/^(select|insert|update|delete|values|table|with|merge)\b/i, (sql) => `EXPLAIN (ANALYZE, VERBOSE) ${sql}`),
  do: wrapped(
    /^\w/,
    (sql) =>
      `DO $wrap$ DECLARE r record; BEGIN ${/^(select|values|table|with)\b/i.test(sql) ? `FOR r IN ${sql} LOOP RAISE NOTICE '%', r; END LOOP` : sql}; END $wrap$`,
  ),
  execute: wrapped(/^\w/, (sql) => `DO $wrap$ BEGIN EXECUTE ${literal(sql)}; END $wrap$`),
  prepare: wrapped(/^(select|insert|update|delete|values|table|with|merge)\b/i, (sql) => `PREPARE wrap AS ${sql}; EXECUTE wrap`, 'simple'),
  function: wrapped(
    /^\w/,
    (sql) =>
      `CREATE FUNCTION pg_temp.wrap() RETURNS void LANGUAGE plpgsql AS $wrap$ BEGIN EXECUTE ${literal(sql)}; END $wrap$; SELECT pg_temp.wrap()`,
    'simple',
  ),
  subquery: wrapped(/^(select|values|table)\b/i, (sql) => `SELECT * FROM (${sql}) AS w`),
  copy: wrapped(/^(select|values|table|with)\b/i, (sql) => `COPY (${sql}) TO STDOUT`, 'simple'),
  cursor: wrapped(/^(select|values|table|with)\b/i, (sql) => `BEGIN; DECLARE wrap CURSOR FOR ${sql}; FETCH ALL FROM wrap; COMMIT`, 'simple'),
  batch: wrapped(/^\w/, (sql) => `SELECT 1; ${sql}; SELECT 2`, 'simple'),
};

function wrapped(fits: RegExp, wrap: (sql: string) => string, mode?: 'simple'): Mutation {
  return (step: Step) => {
    if (step.sql === undefined || step.params !== undefined || step.copy_in !== undefined) return null;
    if (mode === 'simple' && step.mode === 'extended') return null;
    const sql = step.sql.trim().replace(/;$/, '');
    if (!fits.test(sql) || sql.includes('$wrap$') || sql.includes(';')) return null;
    return { ...step, sql: wrap(/--[^\n]*$/.test(sql) ? `${sql}\n` : sql) };
  };
}

const literal = (text: string): string => `'${text.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`.replace(/^'(?=[\s\S]*\\)/, "E'");
