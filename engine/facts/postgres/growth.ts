/** What calls make out of nothing is bounded, as far as the text tells: rows, bytes, work. */
import type { StatementReport } from './report.ts';
import { as, constantOf, fields, items, nameParts } from './tree.ts';
import type { Walk } from './walk.ts';

/** Rows and bytes that the calls of one statement may make out of nothing. */
export const ROWS_MAX = 1_000_000;
const BYTES_MAX = 10_000_000;
/** Bytes in all the rows that a statement makes. */
const BYTES_IN_ROWS_MAX = 200_000_000;
/** A series over times that are not literals is not counted if its steps are at least so long. */
const STEP_S_MIN = 3_600;
/** 2¹² rounds take a quarter of a second. */
const HASH_COST_MAX = 12;
/** 5,000! has 16,000 digits. */
const FACTORIAL_MAX = 5_000;

/** What the calls of a statement make, multiplied: they may stand in one FROM. */
interface Made {
  rows: number;
  bytes: number;
}

const madeBy = new WeakMap<StatementReport, Made>();

/** A call of a function that makes rows or bytes, or that works for long on little. */
export function growth(walk: Walk, name: string, args: readonly unknown[]): void {
  switch (name) {
    case 'generate_series':
      return rowsOf(walk, name, seriesRows(args), args.slice(0, 2));
    case 'normal_rand':
      return rowsOf(walk, name, numberOf(args[0]), args.slice(0, 1));
    case 'array_fill':
      return rowsOf(walk, name, elementsOf(args[1]), args.slice(1, 2));
    case 'repeat':
    case 'lpad':
    case 'rpad':
      return bytesMade(walk, name, bytesOf({ FuncCall: { funcname: [{ String: { sval: name } }], args } }), args.slice(1, 2));
    case 'format':
      return bytesMade(walk, name, widthOf(args), []);
    case 'gen_salt':
      return work(walk, name, args[1] === undefined ? 0 : numberOf(args[1]), HASH_COST_MAX);
    case 'crypt':
      return work(walk, name, costOf(args[1]), HASH_COST_MAX);
    case 'factorial':
      return work(walk, name, numberOf(args[0]), FACTORIAL_MAX);
    default:
  }
}

function rowsOf(walk: Walk, name: string, amount: Amount, deciding: readonly unknown[]): void {
  if (amount === 'from a parameter') walk.unclear('budget', `pg_catalog.${name}: how many rows it makes is decided by a parameter`);
  const rows = typeof amount === 'number' ? amount : largest(deciding, ROWS_MAX);
  const made = madeIn(walk);
  made.rows *= Math.max(1, rows);
  if (made.rows > ROWS_MAX) walk.unclear('budget', `pg_catalog.${name} makes more than ${ROWS_MAX} rows`);
  inAll(walk, name, made);
}

function bytesMade(walk: Walk, name: string, amount: Amount, deciding: readonly unknown[]): void {
  if (amount === 'from a parameter') walk.unclear('budget', `pg_catalog.${name}: how much it makes is decided by a parameter`);
  const bytes = typeof amount === 'number' ? amount : largest(deciding, BYTES_MAX);
  if (bytes > BYTES_MAX) walk.unclear('budget', `pg_catalog.${name} makes more than ${BYTES_MAX} bytes`);
  const made = madeIn(walk);
  made.bytes = Math.max(made.bytes, bytes);
  inAll(walk, name, made);
}

function inAll(walk: Walk, name: string, { rows, bytes }: Made): void {
  if (rows <= ROWS_MAX && bytes <= BYTES_MAX && rows * bytes > BYTES_IN_ROWS_MAX)
    walk.unclear('budget', `pg_catalog.${name}: more than ${BYTES_IN_ROWS_MAX} bytes in all rows`);
}

function work(walk: Walk, name: string, amount: Amount, most: number): void {
  if (amount === 'from a parameter') walk.unclear('budget', `${name}: how long it works is decided by a parameter`);
  if (typeof amount === 'number' && amount > most) walk.unclear('budget', `${name}: a number above ${most}`);
}

function madeIn(walk: Walk): Made {
  const known = madeBy.get(walk.here);
  if (known !== undefined) return known;
  const made = { rows: 1, bytes: 0 };
  madeBy.set(walk.here, made);
  return made;
}

/** Where data decide: the product of the numbers in the expression, if it alone is too much. `id * 100000000` is, `coalesce(n, 10)` is not. */
function largest(deciding: readonly unknown[], most: number): number {
  let product = 1;
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) return value.forEach(visit);
    const node = fields(value);
    if (node === null) return;
    const constant = 'A_Const' in node ? constantOf(node) : null;
    if (constant?.kind === 'number') product *= Math.max(1, Math.abs(Number(constant.value)));
    for (const child of Object.values(node)) if (typeof child === 'object') visit(child);
  };
  visit(deciding);
  return product >= most ? product + 1 : 1;
}

/** `array_fill(x, ARRAY[10, 20])`: 200 elements. */
function elementsOf(dimensions: unknown): Amount {
  const literal = constantOf(dimensions);
  if (literal !== null)
    return (literal.value ?? '').split(',').reduce((product, each) => product * Math.max(1, Number(each.replaceAll(/[^\d.e]/g, ''))), 1);
  const array = as('A_ArrayExpr', as('TypeCast', dimensions)?.['arg'] ?? dimensions);
  if (array === null) return as('ParamRef', dimensions) === null ? null : 'from a parameter';
  return items(array['elements'])
    .map(numberOf)
    .reduce<Amount>((product, each) => combined('*', product, each), 1);
}

/** `%100s` pads to 100; `%*s` to what an argument says. */
function widthOf([pattern, ...rest]: readonly unknown[]): Amount {
  const text = constantOf(pattern)?.value;
  if (text === undefined || text === null) return null;
  const widths = [...text.matchAll(/%(?:\d+\$)?-?(\d+|\*)/g)].map((match) => match[1] ?? '');
  const starred = widths.includes('*') ? rest.map(numberOf) : [];
  if (starred.includes('from a parameter')) return 'from a parameter';
  return Math.max(0, ...widths.filter((width) => width !== '*').map(Number), ...starred.filter((each) => typeof each === 'number').map(Math.abs));
}

/** `$2a$31$…`: the rounds of bcrypt. */
function costOf(salt: unknown): Amount {
  const cost = /^\$2\w?\$(\d+)\$/.exec(constantOf(salt)?.value ?? '')?.[1];
  return cost === undefined ? null : Number(cost);
}

export type Amount = number | 'from a parameter' | null;

function seriesRows(args: readonly unknown[]): Amount {
  const [from, to, step] = args;
  const seconds = step === undefined ? null : stepSeconds(step);
  if (seconds !== null) {
    const [start, end] = [timeOf(from), timeOf(to)];
    if (start !== null && end !== null) return Math.abs(end - start) / 1000 / Math.max(seconds, 1e-6);
    return seconds >= STEP_S_MIN ? null : 'from a parameter';
  }
  const [start, end, by] = [numberOf(from), numberOf(to), step === undefined ? 1 : numberOf(step)];
  if ([start, end, by].includes('from a parameter')) return 'from a parameter';
  if (typeof start !== 'number' || typeof end !== 'number' || typeof by !== 'number') return null;
  return Math.abs(end - start) / Math.max(Math.abs(by), 1e-9);
}

const UNIT_S: Readonly<Record<string, number>> = {
  microsecond: 1e-6,
  millisecond: 1e-3,
  second: 1,
  sec: 1,
  minute: 60,
  min: 60,
  hour: 3_600,
  day: 86_400,
  week: 604_800,
  month: 2_592_000,
  mon: 2_592_000,
  year: 31_536_000,
};

/** `'1 day'`, `interval '2 hours 30 minutes'`; null: not such a literal. */
function stepSeconds(value: unknown): number | null {
  const constant = constantOf(value);
  if (constant?.kind !== 'text') return null;
  let seconds = 0;
  for (const [, count, unit] of (constant.value ?? '').toLowerCase().matchAll(/([-+]?\d+(?:\.\d+)?)\s*([a-z]+?)s?\b/g)) {
    seconds += Number(count) * (UNIT_S[unit ?? ''] ?? 0);
  }
  return Math.abs(seconds);
}

function timeOf(value: unknown): number | null {
  const constant = constantOf(value);
  const time = constant?.kind === 'text' ? Date.parse(constant.value ?? '') : Number.NaN;
  return Number.isNaN(time) ? null : time;
}

/** Arithmetic on literals; what a sub-query without FROM yields; null: depends on data. */
export function numberOf(value: unknown): Amount {
  const constant = constantOf(value);
  if (constant !== null) {
    const number = Number(constant.value ?? 0);
    return Number.isFinite(number) ? number : null;
  }
  if (as('ParamRef', value) !== null) return 'from a parameter';
  const cast = as('TypeCast', value);
  if (cast !== null) return numberOf(cast['arg']);
  const query = as('SelectStmt', as('SubLink', value)?.['subselect']);
  if (query !== null && query['fromClause'] === undefined) return numberOf(as('ResTarget', items(query['targetList'])[0])?.['val']);
  const operation = as('A_Expr', value);
  if (operation === null) return null;
  return combined(nameParts(operation['name']).at(-1) ?? '', numberOf(operation['lexpr'] ?? { A_Const: { ival: {} } }), numberOf(operation['rexpr']));
}

function combined(operator: string, left: Amount, right: Amount): Amount {
  if (left === 'from a parameter' || right === 'from a parameter') return 'from a parameter';
  if (left === null || right === null) return null;
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return right === 0 ? null : left / right;
    case '^':
      return left ** right;
    case '<<':
      return left * 2 ** right;
    default:
      return null;
  }
}

function bytesOf(value: unknown): Amount {
  const constant = constantOf(value);
  if (constant !== null) return (constant.value ?? '').length;
  const cast = as('TypeCast', value);
  if (cast !== null) return bytesOf(cast['arg']);
  const operation = as('A_Expr', value);
  if (operation !== null && nameParts(operation['name']).at(-1) === '||')
    return combined('+', bytesOf(operation['lexpr']) ?? 0, bytesOf(operation['rexpr']) ?? 0);
  const call = as('FuncCall', value);
  const name = nameParts(call?.['funcname']).at(-1);
  const [what, count] = items(call?.['args']);
  if (name === 'repeat') {
    const each = bytesOf(what);
    return combined('*', numberOf(count), typeof each === 'number' ? Math.max(1, each) : 1);
  }
  return name === 'lpad' || name === 'rpad' ? numberOf(count) : null;
}
