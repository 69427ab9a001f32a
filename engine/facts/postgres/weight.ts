/** What a text asks for is bounded: rows and bytes made out of nothing, recursions without an end, products of tables. As far as the text tells. */
import type { Fields } from './parser.ts';
import type { StatementReport } from './report.ts';
import { as, constantOf, fields, items, nameParts, tagOf, text } from './tree.ts';
import type { Walk } from './walk.ts';

/** Rows and bytes that the calls of one statement may make out of nothing. */
const ROWS_MAX = 1_000_000;
const BYTES_MAX = 10_000_000;
/** A series over times that are not literals is not counted if its steps are at least so long. */
const STEP_S_MIN = 3_600;
/** So many tables may stand side by side without a condition between them. */
const SIDE_BY_SIDE_MAX = 2;

/** Rows that the calls of a statement make, multiplied: they may stand in one FROM. */
const rowsMade = new WeakMap<StatementReport, number>();

/** A call of a function that makes rows or bytes. */
export function growth(walk: Walk, name: string, args: readonly unknown[]): void {
  if (name === 'generate_series' || name === 'normal_rand') {
    const rows = name === 'normal_rand' ? numberOf(args[0]) : seriesRows(args);
    if (rows === 'from a parameter') walk.unclear('budget', `pg_catalog.${name}: how many rows it makes is decided by a parameter`);
    if (typeof rows !== 'number') return;
    const made = (rowsMade.get(walk.here) ?? 1) * Math.max(1, rows);
    rowsMade.set(walk.here, made);
    if (made > ROWS_MAX) walk.unclear('budget', `pg_catalog.${name} makes more than ${ROWS_MAX} rows`);
  }
  if (name === 'repeat' || name === 'lpad' || name === 'rpad') {
    const bytes = bytesOf({ FuncCall: { funcname: [{ String: { sval: name } }], args } });
    if (bytes === 'from a parameter') walk.unclear('budget', `pg_catalog.${name}: how much it makes is decided by a parameter`);
    if (typeof bytes === 'number' && bytes > BYTES_MAX) walk.unclear('budget', `pg_catalog.${name} makes more than ${BYTES_MAX} bytes`);
  }
}

type Amount = number | 'from a parameter' | null;

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
function numberOf(value: unknown): Amount {
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

/** An arm of WITH RECURSIVE that goes on for ever: nothing in it compares what it counts with an end, and no table runs out. */
export function endless(walk: Walk, name: string, ctequery: Fields | null): void {
  const query = as('SelectStmt', ctequery);
  const arm = fields(query?.['rarg']);
  if (query === null || arm === null || query['op'] !== 'SETOP_UNION') return;
  const step = flattened(arm);
  if (!step.tables.includes(name)) return;
  const directions = step.outputs.map(directionOf).filter((each) => each !== null);
  // UNION drops what it has seen: it ends unless each round makes something new
  if (query['all'] !== true && directions.length === 0) return;
  const moving = new Set(step.outputs.filter((value) => nameParts(as('ColumnRef', value)?.['fields']).length === 0).flatMap(columnsIn));
  if (arm['limitCount'] !== undefined || step.conditions.some((condition) => ends(condition, directions, moving))) return;
  if (step.tables.some((table) => table !== name) && step.conditions.some(relates)) return;
  walk.unclear('budget', 'a recursion without an end');
}

interface Flattened {
  readonly tables: readonly string[];
  readonly conditions: readonly unknown[];
  readonly outputs: readonly unknown[];
}

/** Tables, conjuncts and outputs of a SELECT and of the sub-selects in its FROM. */
function flattened(select: Fields): Flattened {
  const tables: string[] = [];
  const conditions = conjuncts(select['whereClause']);
  const outputs = items(select['targetList']).map((item) => as('ResTarget', item)?.['val']);
  const visit = (item: unknown): void => {
    const table = as('RangeVar', item);
    const join = as('JoinExpr', item);
    const derived = fields(as('SelectStmt', as('RangeSubselect', item)?.['subquery']));
    if (table !== null) tables.push(text(table['relname']) ?? '');
    if (join !== null) {
      conditions.push(...conjuncts(join['quals']), ...(join['usingClause'] === undefined && join['isNatural'] !== true ? [] : [NATURAL]));
      visit(join['larg']);
      visit(join['rarg']);
    }
    if (derived !== null) {
      const inner = flattened(derived);
      tables.push(...inner.tables);
      conditions.push(...inner.conditions);
      outputs.push(...inner.outputs);
    }
  };
  items(select['fromClause']).forEach(visit);
  return { tables, conditions, outputs };
}

/** Stands for USING and NATURAL. */
const NATURAL = { A_Expr: { name: [{ String: { sval: '=' } }], lexpr: reference('l'), rexpr: reference('r') } };

function reference(table: string): unknown {
  return { ColumnRef: { fields: [{ String: { sval: table } }, { String: { sval: 'x' } }] } };
}

function conjuncts(clause: unknown): unknown[] {
  const junction = as('BoolExpr', clause);
  if (junction?.['boolop'] === 'AND_EXPR') return items(junction['args']).flatMap(conjuncts);
  return clause === undefined || clause === null ? [] : [clause];
}

interface Direction {
  readonly column: string;
  readonly up: boolean;
}

/** `n + 1` goes up, `n - 1` down. */
function directionOf(value: unknown): Direction | null {
  const operation = as('A_Expr', value);
  const sign = nameParts(operation?.['name']).at(-1);
  if (sign !== '+' && sign !== '-') return null;
  const [left, right] = [operation?.['lexpr'], operation?.['rexpr']];
  const column =
    nameParts(as('ColumnRef', left)?.['fields']).at(-1) ?? (sign === '+' ? nameParts(as('ColumnRef', right)?.['fields']).at(-1) : undefined);
  const by = numberOf(as('ColumnRef', left) === null ? left : right);
  if (column === undefined || typeof by !== 'number' || by === 0) return null;
  return { column, up: sign === '+' ? by > 0 : by < 0 };
}

const FLIPPED: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** `n < 10` ends what counts up, and what changes in a way that is not known; nothing ends what does not change. */
function ends(condition: unknown, directions: readonly Direction[], moving: ReadonlySet<string>): boolean {
  const comparison = as('A_Expr', condition);
  if (comparison === null) return as('SubLink', condition) !== null || as('BoolExpr', condition) !== null || as('NullTest', condition) !== null;
  const written = nameParts(comparison['name']).at(-1) ?? '';
  const onLeft = columnsIn(comparison['lexpr']);
  const columns = onLeft.length > 0 ? onLeft : columnsIn(comparison['rexpr']);
  const operator = onLeft.length > 0 ? written : (FLIPPED[written] ?? written);
  return columns.some((column) => {
    const direction = directions.find((each) => each.column === column);
    if (direction === undefined) return moving.has(column);
    return direction.up ? !['>', '>='].includes(operator) : !['<', '<='].includes(operator);
  });
}

/** Compares columns of two tables. */
function relates(condition: unknown): boolean {
  const comparison = as('A_Expr', condition);
  const sides = [columnsIn(comparison?.['lexpr']), columnsIn(comparison?.['rexpr'])];
  return sides.every((side) => side.length > 0) && JSON.stringify(comparison?.['lexpr']) !== JSON.stringify(comparison?.['rexpr']);
}

/** Several tables side by side and nothing that relates them. */
export function product(walk: Walk, select: Fields): void {
  const sources: string[] = [];
  const conditions = conjuncts(select['whereClause']);
  let shared = 0;
  const visit = (item: unknown): void => {
    const join = as('JoinExpr', item);
    if (join !== null) {
      conditions.push(...conjuncts(join['quals']));
      if (join['usingClause'] !== undefined || join['isNatural'] === true) shared += 1;
      visit(join['larg']);
      visit(join['rarg']);
      return;
    }
    const alias = multiplying(item);
    if (alias !== null) sources.push(alias);
  };
  items(select['fromClause']).forEach(visit);
  if (sources.length <= SIDE_BY_SIDE_MAX) return;
  const loose = apart(sources, conditions) - shared;
  if (loose > SIDE_BY_SIDE_MAX) walk.unclear('budget', `a product of ${loose} tables without a condition between them`);
}

/** The name of an item that has many rows; null: a call, or a sub-select of one row or that sees the items before it. */
function multiplying(item: unknown): string | null {
  const node = fields(item) ?? {};
  const inner = fields(node[tagOf(node) ?? '']) ?? {};
  const alias = text(fields(inner['alias'])?.['aliasname']) ?? text(inner['relname']) ?? '';
  if ('RangeVar' in node) return alias;
  if ('RangeTableSample' in node) return multiplying(inner['relation']);
  const query = as('SelectStmt', inner['subquery']);
  if (query === null || inner['lateral'] === true || query['fromClause'] === undefined || query['groupClause'] !== undefined) return null;
  const outputs = items(query['targetList']).map((target) => as('ResTarget', target)?.['val']);
  const oneRow =
    constantOf(query['limitCount'])?.value === '1' ||
    outputs.some((value) => AGGREGATES.has(nameParts(as('FuncCall', value)?.['funcname']).at(-1) ?? ''));
  return oneRow ? null : alias;
}

const AGGREGATES = new Set(['count', 'sum', 'min', 'max', 'avg', 'array_agg', 'string_agg', 'json_agg', 'jsonb_agg', 'bool_and', 'bool_or']);

/** How many groups of sources have no condition between them. A condition with a bare name may relate any two. */
function apart(sources: readonly string[], conditions: readonly unknown[]): number {
  const group = new Map(sources.map((source, index) => [source, index]));
  let bare = 0;
  for (const condition of conditions) {
    const named = qualifiersIn(condition);
    const [first, ...others] = [...named].filter((name) => group.has(name));
    // a column that equals a value picks rows: that table multiplies nothing
    const value = as('A_Expr', condition);
    const picks =
      nameParts(value?.['name']).at(-1) === '=' &&
      (typeof numberOf(value?.['rexpr']) === 'number' || numberOf(value?.['rexpr']) === 'from a parameter');
    if (named.size < 2 && hasBare(condition)) bare += 1;
    if (first === undefined) continue;
    const to = picks && others.length === 0 ? -1 : (group.get(first) ?? 0);
    const from = new Set([first, ...others].map((name) => group.get(name)));
    for (const [name, number] of group) if (from.has(number)) group.set(name, to);
  }
  const groups = new Set(group.values());
  groups.delete(-1);
  return groups.size - bare;
}

function qualifiersIn(value: unknown, found: Set<string> = new Set()): Set<string> {
  each(value, (parts) => {
    if (parts.length > 1) found.add(parts.at(-2) ?? '');
  });
  return found;
}

function hasBare(value: unknown): boolean {
  let bare = false;
  each(value, (parts) => {
    if (parts.length === 1) bare = true;
  });
  return bare;
}

function columnsIn(value: unknown): string[] {
  const found: string[] = [];
  each(value, (parts) => found.push(parts.at(-1) ?? ''));
  return found;
}

/** Every column reference below; trees are within the budget. */
function each(value: unknown, use: (parts: readonly string[]) => void): void {
  if (Array.isArray(value)) for (const item of value) each(item, use);
  const node = fields(value);
  if (node === null) return;
  for (const key in node) {
    const child = node[key];
    if (key === 'ColumnRef') use(nameParts(fields(child)?.['fields']));
    else if (typeof child === 'object') each(child, use);
  }
}
