/** SELECT, VALUES and what stands in FROM and WITH. Which names are common tables: MASKING.md §2. */
import type { OutputColumn } from '#schemas/sql-facts';
import type { Fields } from './parser.ts';
import { fromItem } from './from.ts';
import { shippedFunction } from './functions.ts';
import type { Use } from './report.ts';
import { meaningOf, renamed, rowsIn, Scope, starOf, type Source } from './scope.ts';
import { as, constantOf, fields, items, nameParts, text } from './tree.ts';
import type { Walk } from './walk.ts';
import { endless, product } from './weight.ts';

type Outputs = readonly OutputColumn[] | null;

/** `outer` is what a sub-query sees around it. `afterLeft`: what the first arm of a recursion yields, before the second is walked. */
export function select(walk: Walk, node: Fields, use: Use, outer: Scope, afterLeft?: (outputs: Outputs) => void): Outputs {
  const tables = new Scope(outer);
  withClause(walk, node['withClause'], tables, use);
  const into = fields(node['intoClause']);
  if (into !== null) createInto(walk, into);
  if (node['op'] !== undefined && node['op'] !== 'SETOP_NONE') return setOperation(walk, node, use, tables, afterLeft);
  if (node['valuesLists'] !== undefined) return values(walk, node, use, tables);
  return plain(walk, node, use, tables);
}

/** Each entry sees those before it; RECURSIVE: all see all, and themselves. */
export function withClause(walk: Walk, value: unknown, tables: Scope, use: Use): void {
  const clause = fields(value);
  if (clause === null) return;
  const entries = items(clause['ctes']).map((entry) => as('CommonTableExpr', entry) ?? {});
  const recursive = clause['recursive'] === true;
  if (recursive) for (const entry of entries) tables.tables.set(text(entry['ctename']) ?? '', { outputs: null });
  for (const entry of entries) {
    const name = text(entry['ctename']) ?? '';
    const learn = (outputs: Outputs): void =>
      void tables.tables.set(name, { outputs: withMarks(renamed(outputs, nameParts(entry['aliascolnames'])), entry) });
    const query = as('SelectStmt', entry['ctequery']);
    learn(query === null ? walk.query(entry['ctequery'], use, tables) : select(walk, query, use, tables, recursive ? learn : undefined));
    walk.expression([entry['search_clause'], entry['cycle_clause']], 'other', tables);
    if (recursive) endless(walk, name, fields(entry['ctequery']));
  }
}

/** SEARCH and CYCLE add columns. */
function withMarks(outputs: Outputs, entry: Fields): Outputs {
  const search = fields(entry['search_clause']);
  const cycle = fields(entry['cycle_clause']);
  const names = [search?.['search_seq_column'], cycle?.['cycle_mark_column'], cycle?.['cycle_path_column']].map(text).filter((name) => name !== null);
  return outputs === null || names.length === 0
    ? outputs
    : [...outputs, ...names.map((name): OutputColumn => ({ name, sources: [], direct: false }))];
}

function createInto(walk: Walk, into: Fields): void {
  const target = fields(into['rel']);
  if (target !== null) walk.touch(target, 'create');
  walk.expression(into['options'], 'other', new Scope(null));
}

function setOperation(walk: Walk, node: Fields, use: Use, tables: Scope, afterLeft?: (outputs: Outputs) => void): Outputs {
  const left = select(walk, fields(node['larg']) ?? {}, use, tables);
  afterLeft?.(left);
  const right = select(walk, fields(node['rarg']) ?? {}, use, tables);
  const outputs = merged(left, right);
  const scope = new Scope(tables);
  scope.sources.push({ alias: '', schema: null, relation: null, outputs });
  tail(walk, node, scope, outputs);
  return outputs;
}

/** By position; the names are the first arm's. */
function merged(left: Outputs, right: Outputs): Outputs {
  if (left === null || right === null) return null;
  const wild = (outputs: readonly OutputColumn[]): boolean => outputs.some((output) => output.name === '*');
  const all = (outputs: readonly OutputColumn[]): string[] => outputs.flatMap((output) => output.sources);
  const blurred = wild(left) || wild(right);
  return left.map((output, at) => ({
    name: output.name,
    sources: unique([...output.sources, ...(blurred ? all(right) : (right[at]?.sources ?? []))]),
    direct: false,
  }));
}

function values(walk: Walk, node: Fields, use: Use, tables: Scope): Outputs {
  const rows = items(node['valuesLists']).map((row) => items(as('List', row)?.['items']));
  const columns: Set<string>[] = [];
  for (const row of rows) {
    row.forEach((value, at) => {
      const sources = walk.here.gather(() => walk.expression(value, use, tables));
      columns[at] ??= new Set();
      for (const source of sources) columns[at].add(source);
    });
  }
  const outputs = columns.map((sources, at): OutputColumn => ({ name: `column${at + 1}`, sources: [...sources], direct: false }));
  tail(walk, node, tables, outputs);
  return outputs;
}

function plain(walk: Walk, node: Fields, use: Use, tables: Scope): Outputs {
  const scope = new Scope(tables);
  const from = items(node['fromClause']);
  for (const item of from) scope.sources.push(...fromItem(walk, item, use, scope, tables));
  product(walk, node);
  const outputs = targets(walk, node['targetList'], use, scope);
  walk.expression(node['distinctClause'], 'other', scope);
  walk.expression(node['whereClause'], 'predicate', scope);
  walk.expression(node['groupClause'], 'other', scope);
  walk.expression(node['havingClause'], 'predicate', scope);
  walk.expression(node['windowClause'], 'other', scope);
  tail(walk, node, scope, outputs);
  locking(walk, node, scope, from);
  return outputs;
}

/** A target list, or RETURNING. */
export function targets(walk: Walk, list: unknown, use: Use, scope: Scope): readonly OutputColumn[] {
  return items(list).flatMap((item) => {
    const target = as('ResTarget', item);
    return target === null ? [] : outputsOf(walk, target, use, scope);
  });
}

function outputsOf(walk: Walk, target: Fields, use: Use, scope: Scope): readonly OutputColumn[] {
  const value = target['val'];
  const parts = nameParts(as('ColumnRef', value)?.['fields']);
  if (parts.at(-1) === '*') return star(walk, parts, use, scope);
  const gathered = walk.here.gather(() => walk.expression(value, use, scope));
  const meaning = parts.length > 0 ? meaningOf(parts, scope) : null;
  const output: OutputColumn = { name: text(target['name']) ?? nameOf(value), sources: gathered, direct: meaning?.direct ?? false };
  const gives = shippedFunction(nameParts(as('FuncCall', value)?.['funcname']), walk.names)?.gives;
  if (typeof gives === 'object') rowsIn.set(output, gives);
  return [output];
}

function star(walk: Walk, parts: readonly string[], use: Use, scope: Scope): readonly OutputColumn[] {
  const named = parts.length === 1 ? null : scope.source(parts.at(-2) ?? '', parts.length > 2 ? (parts.at(-3) ?? null) : null);
  const sources: readonly Source[] = parts.length === 1 ? scope.sources : named === null ? [] : [named];
  return sources.flatMap((source) => {
    for (const column of starOf(source)) walk.here.column(column, use, 'named');
    return source.outputs ?? [{ name: '*', sources: ['?'], direct: false }];
  });
}

/** As the server calls a column without AS. */
function nameOf(value: unknown): string {
  const node = fields(value) ?? {};
  const column = nameParts(as('ColumnRef', node)?.['fields']).at(-1);
  if (column !== undefined) return column;
  const called = nameParts(as('FuncCall', node)?.['funcname']).at(-1);
  if (called !== undefined) return called;
  const cast = as('TypeCast', node);
  if (cast !== null) {
    const inner = nameOf(cast['arg']);
    return inner === '?column?' ? (nameParts(fields(cast['typeName'])?.['names']).at(-1) ?? inner) : inner;
  }
  const field = as('A_Indirection', node);
  if (field !== null) return nameParts(field['indirection']).at(-1) ?? nameOf(field['arg']);
  if (as('CaseExpr', node) !== null) return 'case';
  if (as('CoalesceExpr', node) !== null) return 'coalesce';
  if (as('A_ArrayExpr', node) !== null) return 'array';
  if (as('RowExpr', node) !== null) return 'row';
  return '?column?';
}

/** ORDER BY, LIMIT, OFFSET. A bare name that an output has is that output. */
function tail(walk: Walk, node: Fields, scope: Scope, outputs: Outputs): void {
  for (const item of items(node['sortClause'])) {
    const parts = nameParts(as('ColumnRef', as('SortBy', item)?.['node'])?.['fields']);
    const output = parts.length === 1 ? outputs?.find((each) => each.name === parts[0]) : undefined;
    if (output === undefined) walk.expression(item, 'other', scope);
    else for (const column of output.sources) if (column !== '?') walk.here.column(column, 'other', 'named');
    if (output !== undefined) walk.expression({ SortBy: { useOp: as('SortBy', item)?.['useOp'] } }, 'other', scope);
  }
  walk.expression([node['limitCount'], node['limitOffset']], 'predicate', scope);
}

/** FOR UPDATE | SHARE [OF names]: the names are aliases, and reach through sub-selects. */
function locking(walk: Walk, node: Fields, scope: Scope, from: readonly unknown[]): void {
  const clauses = items(node['lockingClause']);
  if (clauses.length === 0) return;
  walk.here.locking = true;
  const wanted = clauses.flatMap((clause) =>
    items(as('LockingClause', clause)?.['lockedRels']).map((rel) => text(as('RangeVar', rel)?.['relname']) ?? ''),
  );
  const all = clauses.some((clause) => items(as('LockingClause', clause)?.['lockedRels']).length === 0);
  lockIn(walk, from, (alias) => all || wanted.includes(alias), scope);
}

function lockIn(walk: Walk, value: unknown, wanted: (alias: string) => boolean, scope: Scope): void {
  for (const item of items(value)) {
    const table = as('RangeVar', item);
    const join = as('JoinExpr', item);
    const derived = as('RangeSubselect', item);
    if (table !== null) {
      const alias = text(fields(table['alias'])?.['aliasname']) ?? text(table['relname']) ?? '';
      const common = table['schemaname'] === undefined && scope.commonTable(text(table['relname']) ?? '') !== null;
      if (!common && wanted(alias)) walk.touch(table, 'lock');
    }
    if (join !== null) lockIn(walk, [join['larg'], join['rarg']], wanted, scope);
    if (derived !== null && wanted(text(fields(derived['alias'])?.['aliasname']) ?? ''))
      lockIn(walk, as('SelectStmt', derived['subquery'])?.['fromClause'], () => true, scope);
  }
}

function unique(list: readonly string[]): string[] {
  return [...new Set(list)];
}

/** LIMIT as the text gives it. */
export function limitOf(node: Fields): number | 'param' | 'none' {
  if (node['limitCount'] === undefined || node['limitOption'] === 'LIMIT_OPTION_WITH_TIES') return 'none';
  if (as('ParamRef', node['limitCount']) !== null) return 'param';
  const constant = constantOf(node['limitCount']);
  const value = constant === null || constant.kind === 'null' ? Number.NaN : Number(constant.value);
  return Number.isFinite(value) ? value : 'none';
}
