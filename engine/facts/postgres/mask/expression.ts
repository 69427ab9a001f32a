import type { CatalogColumn } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';
import { REFUSALS } from './refusal.ts';

/** How long a kept end may be; more is no mask. */
const KEEP_MAX = 32;
const KEEP_DEFAULT = 4;

/**
 * The SQL expression that stands for a masked column (MASKING.md §3). Every type, function and operator is qualified; the cast to the base
 * type keeps RowDescription and inferred parameter types; a constant never touches the raw column.
 * @throws Refusal when the method cannot be fulfilled for this type
 */
export function maskExpression(column: CatalogColumn, mask: Mask, inner: string, full: string): string {
  const collate = column.collation === null ? '' : ` COLLATE ${column.collation}`;
  switch (mask.using) {
    case 'null':
      return `CAST(NULL AS ${column.castType})${collate}`;
    case 'redact':
      return `CAST(${redacted(column)} AS ${column.castType})${collate}`;
    case 'partial':
      if (!PLAIN_STRINGS.has(column.typeName) || (column.typeName !== 'citext' && !column.castType.startsWith('pg_catalog.')))
        throw REFUSALS.method(mask.using, full);
      return `CAST(${partial(`${inner}.${quoteIdentifier(column.name)}`, mask.keep, full)} AS ${column.castType})${collate}`;
    case 'hash':
    case 'tokenize':
    case 'bucket':
      throw REFUSALS.method(mask.using, full);
  }
}

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A cast to text of any other type may be somebody's own function, which would see the raw value. */
const PLAIN_STRINGS: ReadonlySet<string> = new Set(['text', 'varchar', 'bpchar', 'name', 'citext']);

/** Built-in types whose constant is not their category's. */
const BY_TYPE: Readonly<Record<string, string>> = {
  uuid: `'00000000-0000-0000-0000-000000000000'`,
  json: `'null'`,
  jsonb: `'null'`,
  bytea: `''`,
  time: `'00:00:00'`,
  timetz: `'00:00:00+00'`,
  date: `'1970-01-01'`,
  timestamp: `'1970-01-01 00:00:00'`,
  timestamptz: `'1970-01-01 00:00:00+00'`,
  bool: `'false'`,
  oidvector: `''`,
  int2vector: `''`,
};

/** A constant of the type; NULL where none is as good as another (enum, network, interval, xml, ranges, composites, foreign types). */
function redacted(column: CatalogColumn): string {
  if (column.category === 'S') return `'***'`;
  const builtIn = column.castType.startsWith('pg_catalog.');
  if (column.castType.endsWith('[]')) return `'{}'`;
  if (!builtIn) return 'NULL';
  if (column.category === 'N') return `'0'`;
  return BY_TYPE[column.typeName] ?? 'NULL';
}

/** At most half of a value is kept, so that short ones do not appear whole; NULL looks like a short one. */
function partial(raw: string, keep: number | undefined, full: string): string {
  const kept = keep ?? KEEP_DEFAULT;
  if (!Number.isInteger(kept) || kept < 0 || kept > KEEP_MAX) throw REFUSALS.method(`partial (keep ${kept})`, full);
  const text = `CAST(${raw} AS pg_catalog.text)`;
  return (
    `CASE WHEN pg_catalog.length(${text}) OPERATOR(pg_catalog.>=) ${Math.max(1, 2 * kept)} ` +
    `THEN CAST('***' AS pg_catalog.text) OPERATOR(pg_catalog.||) pg_catalog.right(${text}, ${kept}) ELSE CAST('***' AS pg_catalog.text) END`
  );
}
