/** The shape of WHERE: does the text bind a column of the target relation in every branch? */
import type { Fields } from './parser.ts';
import { weakest, type Where } from './report.ts';
import { as, constantOf, fields, items, nameParts } from './tree.ts';

/** Names that a bound column may be qualified with; `alone`: nothing else is in FROM, so a bare name is the target's. */
export interface Target {
  readonly names: ReadonlySet<string>;
  readonly alone: boolean;
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
    if (junction['boolop'] === 'AND_EXPR') return args.some((arg) => binds(arg, target));
    return junction['boolop'] === 'OR_EXPR' && args.length > 0 && args.every((arg) => binds(arg, target));
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

/** `id = 1`, `(a, b) = (1, $2)` */
function equals(left: unknown, right: unknown, target: Target | null): boolean {
  const row = as('RowExpr', left);
  const other = as('RowExpr', right);
  if (row !== null && other !== null) {
    const against = items(other['args']);
    return items(row['args']).some((arg, at) => isColumn(arg, target) && isValue(against[at]));
  }
  return isColumn(left, target) && isValue(right);
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
