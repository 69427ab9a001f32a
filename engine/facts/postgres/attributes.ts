/**
 * `c.f` and `(expression).f` are a column of what stands before the dot, or a call of f with it as the argument: `('/etc/passwd').pg_read_file`
 * reads the file, `c.row_to_json` the whole row, `(note).run_sql` runs it. Where the text does not tell that it is a column, it counts as a call.
 */
import { callOf } from './calls.ts';
import { shippedFunction, typeUse } from './functions.ts';
import type { Fields } from './parser.ts';
import { refOf } from './relations.ts';
import type { Use } from './report.ts';
import { meaningOf, outputOf, rowsIn, type Scope, type Source, starOf } from './scope.ts';
import { as, fields, items, nameParts, text } from './tree.ts';
import type { Walk } from './walk.ts';

/** `table`: a table whose columns are not known, so a column as far as can be told. `open`: either. */
type Held = 'column' | 'call' | 'table' | 'open';

/** A ColumnRef of two or more names. */
export function qualifiedName(walk: Walk, parts: readonly string[], use: Use, scope: Scope): void {
  const [name = '', alias = '', schema = null] = [...parts].reverse();
  const source = scope.source(alias, schema);
  // NEW and OLD of a rule; all else the server refuses
  if (source !== null) held(walk, heldBy(source, name), name, { ColumnRef: { fields: [{ String: { sval: alias } }] } }, source, use);
}

/** A_Indirection: `(c).ssn`, `(f(x)).*`, `a[1].b` */
export function fieldOf(walk: Walk, node: Fields, use: Use, scope: Scope): void {
  const arg = node['arg'];
  const rows = walk.here.gather(() => walk.expression(arg, use, scope)).filter((column) => column.endsWith('.*'));
  walk.expression(node['indirection'], use, scope);
  let value: unknown = arg;
  for (const step of items(node['indirection'])) {
    const name = text(as('String', step)?.['sval']);
    if (name !== null) {
      const source = wholeRow(value, scope);
      held(walk, source === null ? heldByValue(walk, value, name, scope) : heldBy(source, name), name, value, source, use);
      for (const row of rows) walk.here.column(`${row.slice(0, -1)}${name}`, use, 'ambiguous');
    }
    value = name === null ? null : { Field: { of: value, name } };
  }
}

function held(walk: Walk, found: Held, name: string, arg: unknown, source: Source | null, use: Use): void {
  const shipped = shippedFunction([name], walk.names);
  if (found === 'column') return;
  if (found === 'table') {
    // columns are called `name`, `count`, `text`: only a name that means harm, or the whole row, is worth a false alarm
    if (shipped !== undefined && shipped.class !== 'pure' && shipped.class !== 'catalog') callOf(walk, [name], [arg], use);
    if (shipped?.takesRow === true && source !== null) for (const column of starOf(source)) walk.here.column(column, use, 'ambiguous');
    return;
  }
  if (source !== null) for (const column of starOf(source)) walk.here.column(column, use, 'ambiguous');
  if (found === 'call' || shipped !== undefined) callOf(walk, [name], [arg], use);
  else {
    const home = walk.relations.home;
    walk.here.unknownSource();
    walk.here.calls({ name: `${home ?? '?'}.${name}`, class: 'unknown' });
    walk.effect('execute', refOf('function', home ?? undefined, name), 'unknown');
  }
}

const SYSTEM_COLUMNS = /^(?:ctid|[cx]m(?:in|ax)|tableoid)$/;

function heldBy(source: Source, name: string): Held {
  if (source.outputs === null) return source.ofTable === true ? 'table' : 'open';
  if (source.outputs.some((output) => output.name === name) || (source.relation !== null && SYSTEM_COLUMNS.test(name))) return 'column';
  const open = source.outputs.filter((output) => output.name === '*').flatMap((output) => output.sources);
  if (!source.outputs.some((output) => output.name === '*')) return 'call';
  return open.length > 0 && open.every((column) => column.endsWith('.*')) ? 'table' : 'open';
}

/** The alias of an item of FROM, if that is what the expression is. */
function wholeRow(value: unknown, scope: Scope): Source | null {
  const parts = nameParts(as('ColumnRef', value)?.['fields']);
  return parts.length === 1 ? scope.source(parts[0] ?? '') : null;
}

/** Nodes that yield one value, never a row. */
const SCALAR = new Set([
  'A_Const',
  'A_Expr',
  'BoolExpr',
  'NullTest',
  'BooleanTest',
  'SQLValueFunction',
  'A_ArrayExpr',
  'XmlExpr',
  'XmlSerialize',
  'GroupingFunc',
]);
/** Types of rows without a name. */
const ROW_TYPES = new Set(['record', 'any', 'anyelement', 'anycompatible', 'anynonarray', 'anycompatiblenonarray']);

function heldByValue(walk: Walk, value: unknown, name: string, scope: Scope): Held {
  const node = fields(value) ?? {};
  if (Object.keys(node).some((tag) => SCALAR.has(tag))) return 'call';
  const called = as('FuncCall', node);
  if (called !== null) return heldByResult(walk, nameParts(called['funcname']), name);
  const cast = as('TypeCast', node);
  if (cast !== null) return heldByType(walk, nameParts(fields(cast['typeName'])?.['names']), name);
  const link = as('SubLink', node);
  if (link !== null) return link['subLinkType'] === 'EXPR_SUBLINK' ? 'open' : 'call';
  if (as('RowExpr', node) !== null) return /^f\d+$/.test(name) ? 'column' : 'call';
  const column = nameParts(as('ColumnRef', node)?.['fields']);
  if (column.length === 0) return 'open';
  const output = outputOf(column, scope);
  const row = output === null ? undefined : rowsIn.get(output);
  if (row !== undefined) return row.includes(name) ? 'column' : 'call';
  return heldByColumn(walk, meaningOf(column, scope).columns);
}

function heldByResult(walk: Walk, parts: readonly string[], name: string): Held {
  const gives = shippedFunction(parts, walk.names)?.gives;
  // a function of the user's own is told already
  if (gives === undefined) return 'column';
  if (gives === 'row') return 'open';
  return gives !== 'value' && gives.includes(name) ? 'column' : 'call';
}

function heldByType(walk: Walk, parts: readonly string[], name: string): Held {
  if (typeUse(parts, walk.names, walk.relations) !== null) return 'column'; // told already
  const row = walk.relations.index === null ? null : walk.relations.named(parts.at(-2), parts.at(-1) ?? '').known;
  if (row !== null) return row.columns.some((column) => column.name === name) ? 'column' : 'call';
  return ROW_TYPES.has(parts.at(-1) ?? '') || walk.names.relations.has(parts.at(-1) ?? '') ? 'open' : 'call';
}

/** With the catalog: whether any of the columns is of a row type. */
function heldByColumn(walk: Walk, columns: readonly string[]): Held {
  const categories = columns.map((column) => {
    const at = column.lastIndexOf('.');
    const relation = walk.relations.index?.byName.get(column.slice(0, at).replace('.', '\0'));
    return relation?.columns.find((each) => each.name === column.slice(at + 1))?.category;
  });
  return categories.length > 0 && categories.every((category) => category !== undefined && category !== 'C' && category !== 'P') ? 'call' : 'open';
}
