/** The shape of WHERE: does the text bind a column of the target relation in every branch? */
import type { Fields } from './parser.ts';
import { weakest, type Where } from './report.ts';
import { as, constantOf, fields, items, nameParts, text } from './tree.ts';

/** Names that a bound column may be qualified with; `alone`: nothing else is in FROM, so a bare name is the target's. */
export interface Target {
  readonly names: ReadonlySet<string>;
  readonly alone: boolean;
  /** Other items of FROM whose rows the text itself lists: `(VALUES (1), (2)) v(id)`, `unnest($1) v(id)`. */
  readonly listed: ReadonlySet<string>;
  /** Tables beside it in FROM; a WHERE may bind them. */
  readonly beside: ReadonlySet<string>;
  /** The relation's own name, unless a WITH may have taken it. */
  readonly self: { readonly schema: unknown; readonly name: unknown } | null;
}

export function whereOf(clause: unknown, target: Target | null): Where {
  if (clause === undefined || clause === null) return 'none';
  if (binds(clause, target)) return 'bound';
  return namesNothing(clause) ? 'constant' : 'other';
}

/** Of a whole SELECT: any relation in FROM may be bound; of a set operation the weaker arm counts. */
export function whereOfSelect(node: Fields): Where {
  if (node['op'] !== undefined && node['op'] !== 'SETOP_NONE')
    return weakest(whereOfSelect(fields(node['larg']) ?? {}), whereOfSelect(fields(node['rarg']) ?? {}));
  return whereOf(node['whereClause'], null);
}

function binds(value: unknown, target: Target | null): boolean {
  const junction = as('BoolExpr', value);
  if (junction !== null) {
    const args = items(junction['args']);
    if (junction['boolop'] === 'AND_EXPR') {
      const within = joined(args, target);
      return args.some((arg) => binds(arg, within));
    }
    return junction['boolop'] === 'OR_EXPR' && args.length > 0 && args.every((arg) => binds(arg, target));
  }
  const membership = as('SubLink', value);
  if (membership !== null) {
    const equality = membership['operName'] === undefined || nameParts(membership['operName']).join() === '=';
    return (
      membership['subLinkType'] === 'ANY_SUBLINK' && equality && isColumn(membership['testexpr'], target) && ownRows(membership['subselect'], target)
    );
  }
  const comparison = as('A_Expr', value);
  if (comparison === null || nameParts(comparison['name']).at(-1) !== '=') return false;
  const operator = nameParts(comparison['name']);
  if (operator.length > 1 && operator[0] !== 'pg_catalog') return false;
  const { lexpr: left, rexpr: right } = comparison;
  switch (comparison['kind']) {
    case 'AEXPR_OP':
      return equals(left, right, target) || equals(right, left, target);
    case 'AEXPR_IN': {
      const list = items(as('List', right)?.['items']);
      return list.length > 0 && list.every((item) => equals(left, item, target));
    }
    case 'AEXPR_OP_ANY':
      return isColumn(left, target) && isValue(right);
    default:
      return false;
  }
}

/** `o.customer_id = p.customer_id AND p.id = 1`: what equals a column of a table that is bound is bound too. One step, no more. */
function joined(args: readonly unknown[], target: Target | null): Target | null {
  if (target === null || target.beside.size === 0) return target;
  const bound = [...target.beside].filter((name) => {
    const other = { names: new Set([name]), alone: false, listed: new Set<string>(), beside: new Set<string>(), self: null };
    return args.some((arg) => as('A_Expr', arg) !== null && binds(arg, other));
  });
  return bound.length === 0 ? target : { ...target, listed: new Set([...target.listed, ...bound]) };
}

/**
 * `(SELECT id FROM jobs WHERE state = 'new' LIMIT 1 FOR UPDATE SKIP LOCKED)` on the table that is written: its own WHERE binds, and every bare
 * name in it is a column of its own table, as the outer table has the same columns.
 */
function ownRows(subselect: unknown, target: Target | null): boolean {
  const query = as('SelectStmt', subselect);
  if (query === null || target === null || target.self === null) return false;
  const [from, ...more] = items(query['fromClause']);
  const table = as('RangeVar', from);
  if (table === null || more.length > 0 || query['withClause'] !== undefined || (query['op'] ?? 'SETOP_NONE') !== 'SETOP_NONE') return false;
  if (table['relname'] !== target.self.name || (table['schemaname'] ?? null) !== (target.self.schema ?? null)) return false;
  const alias = fields(table['alias']);
  if (alias?.['colnames'] !== undefined) return false;
  const name = text(alias?.['aliasname']) ?? text(table['relname']) ?? '';
  const [output, ...others] = items(query['targetList']);
  const column = as('ColumnRef', as('ResTarget', output)?.['val']);
  if (column === null || others.length > 0 || !staysInside(query, name)) return false;
  return whereOf(query['whereClause'], { names: new Set([name]), alone: true, listed: new Set(), beside: new Set(), self: null }) === 'bound';
}

/** No other sub-query, and no qualifier but its own. */
function staysInside(value: unknown, name: string): boolean {
  if (Array.isArray(value)) return value.every((item) => staysInside(item, name));
  const node = fields(value);
  if (node === null) return true;
  if ('SubLink' in node) return false;
  const parts = nameParts(as('ColumnRef', node)?.['fields']);
  if (parts.length > 2 || (parts.length === 2 && parts[0] !== name)) return false;
  return Object.values(node).every((child) => staysInside(child, name));
}

/** Items of FROM whose rows stand in the text, and the tables. `isCommon`: a name that WITH gives. */
export function besides(from: readonly unknown[], isCommon: (name: string) => boolean): Pick<Target, 'listed' | 'beside'> {
  const listed = new Set<string>();
  const beside = new Set<string>();
  for (const item of from) {
    const table = as('RangeVar', item);
    const call = as('RangeFunction', item);
    const query = as('RangeSubselect', item);
    const alias = text(fields((table ?? call ?? query)?.['alias'])?.['aliasname']);
    if (table !== null && (table['schemaname'] !== undefined || !isCommon(text(table['relname']) ?? '')))
      beside.add(alias ?? text(table['relname']) ?? '');
    if (alias !== null && ((call !== null && unnests(call)) || (query !== null && writtenOut(query['subquery'])))) listed.add(alias);
  }
  return { listed, beside };
}

/** `unnest($1, ARRAY['a'])` */
function unnests(call: Fields): boolean {
  const calls = items(call['functions'])
    .flatMap((entry) => items(as('List', entry)?.['items']))
    .filter((entry) => Object.keys(fields(entry) ?? {}).length > 0);
  return (
    calls.length > 0 &&
    calls.every((entry) => {
      const each = as('FuncCall', entry);
      const name = nameParts(each?.['funcname']).filter((part) => part !== 'pg_catalog');
      return each !== null && name.join() === 'unnest' && items(each['args']).every(isValue);
    })
  );
}

/** `VALUES (1, 'a')`, `SELECT 1 AS id, $2 AS name` */
function writtenOut(subquery: unknown): boolean {
  const query = as('SelectStmt', subquery);
  if (query === null || query['fromClause'] !== undefined || (query['op'] ?? 'SETOP_NONE') !== 'SETOP_NONE') return false;
  const rows = items(query['valuesLists']);
  const values =
    rows.length > 0
      ? rows.flatMap((row) => items(as('List', row)?.['items']))
      : items(query['targetList']).map((item) => as('ResTarget', item)?.['val']);
  return values.length > 0 && values.every(isValue);
}

/** `id = 1`, `(a, b) = (1, $2)` */
function equals(left: unknown, right: unknown, target: Target | null): boolean {
  const row = as('RowExpr', left);
  const other = as('RowExpr', right);
  if (row !== null && other !== null) {
    const against = items(other['args']);
    return items(row['args']).some((arg, at) => isColumn(arg, target) && isValue(against[at]));
  }
  return isColumn(left, target) && (isValue(right) || isListed(right, target));
}

function isListed(value: unknown, target: Target | null): boolean {
  const parts = nameParts(as('ColumnRef', value)?.['fields']);
  if (parts.length === 2 && target?.listed.has(parts[0] ?? '') === true) return !SHARED.has(parts[1] ?? '');
  const query = as('SubLink', value);
  return query !== null && query['subLinkType'] === 'EXPR_SUBLINK' && ownRows(query['subselect'], target);
}

function isColumn(value: unknown, target: Target | null): boolean {
  const parts = nameParts(as('ColumnRef', value)?.['fields']);
  if (parts.length === 0 || parts.at(-1) === '*' || SHARED.has(parts.at(-1) ?? '')) return false;
  if (target === null) return true;
  return parts.length === 1 ? target.alone : target.names.has(parts.at(-2) ?? '');
}

/** System columns that many rows have in common. */
const SHARED = new Set(['tableoid', 'xmin', 'xmax', 'cmin', 'cmax']);

/** A literal, a parameter, or an array of them. */
function isValue(value: unknown): boolean {
  if (constantOf(value) !== null) return true;
  const cast = as('TypeCast', value);
  if (cast !== null) return isValue(cast['arg']);
  if (as('ParamRef', value) !== null) return true;
  const array = as('A_ArrayExpr', value);
  const elements = items(array?.['elements']);
  return array !== null && elements.every((element) => isValue(element));
}

/** No column, sub-query or call: the same answer for every row. */
function namesNothing(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => namesNothing(item));
  const node = fields(value);
  if (node === null) return true;
  if ('ColumnRef' in node || 'SubLink' in node || 'FuncCall' in node || 'CurrentOfExpr' in node) return false;
  return Object.values(node).every((child) => namesNothing(child));
}
