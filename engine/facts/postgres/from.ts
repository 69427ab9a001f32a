/** Items of FROM: what they read and which columns they offer. */
import type { OutputColumn } from '#schemas/sql-facts';
import { shippedFunction } from './functions.ts';
import type { Fields } from './parser.ts';
import type { Resolved } from './relations.ts';
import type { Use } from './report.ts';
import { meaningOf, renamed, type Scope, type Source, starOf } from './scope.ts';
import { as, fields, items, nameParts, text } from './tree.ts';
import type { Walk } from './walk.ts';

/** `scope` has the items so far (what LATERAL sees), `tables` only the common tables and what is around. */
export function fromItem(walk: Walk, item: unknown, use: Use, scope: Scope, tables: Scope): readonly Source[] {
  const node = fields(item) ?? {};
  const table = as('RangeVar', node);
  if (table !== null) return [relation(walk, table, tables)];
  const derived = as('RangeSubselect', node);
  if (derived !== null) return [subselect(walk, derived, use, scope, tables)];
  const join = as('JoinExpr', node);
  if (join !== null) return joined(walk, join, use, scope, tables);
  const sample = as('RangeTableSample', node);
  if (sample !== null) return sampled(walk, sample, use, scope, tables);
  return [computed(walk, node, use, scope)];
}

function relation(walk: Walk, node: Fields, tables: Scope): Source {
  const name = text(node['relname']) ?? '';
  const alias = fields(node['alias']);
  const common = node['schemaname'] === undefined && node['catalogname'] === undefined ? tables.commonTable(name) : null;
  if (common !== null) {
    return {
      alias: text(alias?.['aliasname']) ?? name,
      schema: null,
      relation: null,
      outputs: renamed(common.outputs, nameParts(alias?.['colnames'])),
    };
  }
  return tableSource(walk.touch(node, 'read'), node);
}

/** Also for the target of a write. */
export function tableSource(resolved: Resolved, node: Fields): Source {
  const alias = fields(node['alias']);
  const aliasName = text(alias?.['aliasname']);
  const qualified = resolved.ref.qualified;
  const columns = resolved.known?.columns ?? [];
  const outputs: readonly OutputColumn[] =
    columns.length === 0
      ? [{ name: '*', sources: [`${qualified}.*`], direct: true }]
      : columns.map(({ name }) => ({ name, sources: [`${qualified}.${name}`], direct: true }));
  return {
    alias: aliasName ?? resolved.ref.name,
    schema: aliasName === null ? (resolved.ref.schema ?? null) : null,
    relation: qualified,
    outputs: renamed(outputs, nameParts(alias?.['colnames'])),
  };
}

function subselect(walk: Walk, node: Fields, use: Use, scope: Scope, tables: Scope): Source {
  const outputs = walk.query(node['subquery'], use, node['lateral'] === true ? scope : tables);
  const alias = fields(node['alias']);
  return { alias: text(alias?.['aliasname']) ?? '', schema: null, relation: null, outputs: renamed(outputs, nameParts(alias?.['colnames'])) };
}

function joined(walk: Walk, node: Fields, use: Use, scope: Scope, tables: Scope): readonly Source[] {
  const start = scope.sources.length;
  scope.sources.push(...fromItem(walk, node['larg'], use, scope, tables));
  scope.sources.push(...fromItem(walk, node['rarg'], use, scope, tables));
  walk.expression(node['quals'], 'predicate', scope);
  const using = nameParts(node['usingClause']);
  const shared = using.map((name): OutputColumn => {
    const { columns, confidence } = meaningOf([name], scope);
    for (const column of columns) walk.here.column(column, 'predicate', confidence);
    return { name, sources: [...columns], direct: false };
  });
  const sides = scope.sources.splice(start);
  if (node['isNatural'] === true) for (const side of sides) for (const column of starOf(side)) walk.here.column(column, 'predicate', 'ambiguous');
  const usingAlias = text(fields(node['join_using_alias'])?.['aliasname']);
  if (usingAlias !== null) sides.push({ alias: usingAlias, schema: null, relation: null, outputs: shared });
  const alias = fields(node['alias']);
  const name = text(alias?.['aliasname']);
  if (name === null) return sides;
  const outputs = sides.flatMap((side) => side.outputs ?? [{ name: '*', sources: [], direct: false }]);
  return [{ alias: name, schema: null, relation: null, outputs: renamed(outputs, nameParts(alias?.['colnames'])) }];
}

function sampled(walk: Walk, node: Fields, use: Use, scope: Scope, tables: Scope): readonly Source[] {
  const sources = fromItem(walk, node['relation'], use, scope, tables);
  const method = nameParts(node['method']);
  const name = method.at(-1) ?? '';
  // the server's own two are in its list of functions
  walk.expression({ FuncCall: { funcname: method.map((part) => ({ String: { sval: part } })), args: [] } }, 'other', scope);
  if (name === '') walk.unclear('unsupported', 'TABLESAMPLE without a method');
  walk.expression([node['args'], node['repeatable']], 'other', scope);
  return sources;
}

/** Functions, ROWS FROM, XMLTABLE, JSON_TABLE: their columns come from whatever their arguments name. */
function computed(walk: Walk, node: Fields, use: Use, scope: Scope): Source {
  const sources = walk.here.gather(() => walk.expression(node, use, scope));
  const inner = fields(Object.values(node)[0]) ?? {};
  const alias = fields(inner['alias']);
  const given = text(alias?.['aliasname']);
  const own = 'functions' in inner ? functionColumns(walk, inner, given) : { name: '', columns: tableColumns(inner['columns']), open: false };
  const renames = nameParts(alias?.['colnames']);
  const names = [...renames, ...own.columns.slice(renames.length)];
  const outputs = names.map((name): OutputColumn => ({ name, sources, direct: false }));
  if (own.open) outputs.push({ name: '*', sources: sources.length === 0 ? ['?'] : sources, direct: false });
  return { alias: given ?? own.name, schema: null, relation: null, outputs };
}

interface Columns {
  /** Of the first function: the alias of an item that has none. */
  readonly name: string;
  readonly columns: readonly string[];
  /** There may be others. */
  readonly open: boolean;
}

function functionColumns(walk: Walk, inner: Fields, alias: string | null): Columns {
  const listed = (list: unknown): string[] => items(list).map((item) => text(as('ColumnDef', item)?.['colname']) ?? '');
  const columns: string[] = [];
  const called: string[] = [];
  let open = false;
  for (const entry of items(inner['functions'])) {
    const [call, definitions] = items(as('List', entry)?.['items']);
    const parts = nameParts(as('FuncCall', call)?.['funcname']);
    const name = parts.at(-1) ?? '';
    called.push(name);
    const defined = listed(as('List', definitions)?.['items']);
    if (defined.length === 0) defined.push(...listed(inner['coldeflist']));
    // what is no FuncCall here (CAST, COALESCE …) is one value or anything
    const gives = shippedFunction(parts, walk.names)?.gives ?? 'row';
    if (defined.length > 0) columns.push(...defined);
    else if (gives === 'value') columns.push(called.length === 1 && items(inner['functions']).length === 1 ? (alias ?? name) : name);
    else if (gives === 'row') open = true;
    else columns.push(...gives);
  }
  if (inner['ordinality'] === true) columns.push('ordinality');
  return { name: called[0] ?? '', columns, open };
}

/** Of XMLTABLE and JSON_TABLE, which nests them. */
function tableColumns(columns: unknown): string[] {
  return items(columns).flatMap((item) => {
    const column = as('RangeTableFuncCol', item) ?? as('JsonTableColumn', item);
    return column === null ? [] : [text(column['colname']) ?? text(column['name']) ?? '', ...tableColumns(column['columns'])];
  });
}
