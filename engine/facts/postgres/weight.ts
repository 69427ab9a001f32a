/** What a text asks for is bounded: recursions without an end, products of tables. As far as the text tells; calls see growth.ts. */
import type { Fields } from './parser.ts';
import { numberOf, ROWS_MAX } from './growth.ts';
import { as, constantOf, fields, items, nameParts, tagOf, text } from './tree.ts';
import type { Walk } from './walk.ts';

/** So many tables may stand side by side without a condition between them. */
const SIDE_BY_SIDE_MAX = 2;

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
  const moving = new Set(step.outputs.filter((value) => !stays(value)).flatMap(columnsIn));
  if (step.outputs.some(doubles)) return walk.unclear('budget', 'a recursion that doubles what it carries');
  if (fansOut(name, arm)) return walk.unclear('budget', 'a recursion that multiplies its rows');
  if (arm['limitCount'] !== undefined || step.conditions.some((condition) => ends(condition, directions, moving))) return;
  if (step.tables.some((table) => table !== name) && step.conditions.some(relates)) return;
  walk.unclear('budget', 'a recursion without an end');
}

/** A column as it was: `n`, `n + 0`. */
function stays(value: unknown): boolean {
  const cast = as('TypeCast', value);
  if (cast !== null) return stays(cast['arg']);
  if (as('ColumnRef', value) !== null) return true;
  const operation = as('A_Expr', value);
  if (operation === null || operation['lexpr'] === undefined) return false;
  const neutral = ['*', '/'].includes(nameParts(operation['name']).at(-1) ?? '') ? 1 : 0;
  const sides = [operation['lexpr'], operation['rexpr']];
  return sides.some((side, at) => numberOf(side) === neutral && stays(sides[1 - at]));
}

/** `t || t`, `concat(t, t)`: twice as long each round. */
function doubles(value: unknown): boolean {
  const operation = as('A_Expr', value);
  const joins = nameParts(operation?.['name']).at(-1) === '||' || JOINING.has(nameParts(as('FuncCall', value)?.['funcname']).at(-1) ?? '');
  if (joins) {
    const columns = columnsIn(value);
    return new Set(columns).size < columns.length;
  }
  const cast = as('TypeCast', value);
  return cast !== null && doubles(cast['arg']);
}

const JOINING = new Set(['concat', 'concat_ws', 'array_cat', 'format', 'repeat', 'jsonb_build_array', 'json_build_array']);

/** Each row of a round meets all rows of something that it is not compared with: the rows multiply round by round. */
function fansOut(name: string, arm: Fields): boolean {
  const conditions = conjuncts(arm['whereClause']);
  const made: string[] = [];
  let self = name;
  const visit = (item: unknown): void => {
    const join = as('JoinExpr', item);
    if (join !== null) {
      conditions.push(...conjuncts(join['quals']));
      visit(join['larg']);
      visit(join['rarg']);
    }
    const table = as('RangeVar', item);
    if (table?.['relname'] === name) self = text(fields(table['alias'])?.['aliasname']) ?? name;
    const alias = makes(item);
    if (alias !== null) made.push(alias);
  };
  items(arm['fromClause']).forEach(visit);
  return made.length > 0 && apart([self, ...made], conditions) > 1;
}

/** The name of an item that makes several rows whatever stands beside it: a call on constants, VALUES of several rows. */
function makes(item: unknown): string | null {
  const call = as('RangeFunction', item);
  const values = items(as('SelectStmt', as('RangeSubselect', item)?.['subquery'])?.['valuesLists']);
  const several = call !== null ? columnsIn(call['functions']).length === 0 : values.length > 1;
  if (!several) return null;
  return text(fields((call ?? as('RangeSubselect', item))?.['alias'])?.['aliasname']) ?? '';
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
  if (operator === '<>') return false;
  const end = numberOf(onLeft.length > 0 ? comparison['rexpr'] : comparison['lexpr']);
  if (typeof end === 'number' && Math.abs(end) > ROWS_MAX) return false;
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
    if (named.size < 2 && hasBare(condition) && (picks || columnsIn(condition).length > 1)) bare += 1;
    if (first === undefined || nameParts(value?.['name']).at(-1) === '<>') continue;
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
