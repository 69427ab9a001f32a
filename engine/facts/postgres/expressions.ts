/** One rule a node type; every other known type is only looked through. A type that is not known is told, never skipped. */
import { fieldOf, qualifiedName } from './attributes.ts';
import { call } from './calls.ts';
import { operatorUse, typeUse } from './functions.ts';
import type { Fields } from './parser.ts';
import type { Use } from './report.ts';
import { meaningOf, Scope } from './scope.ts';
import { fields, nameParts, tagOf, text } from './tree.ts';
import type { Walk } from './walk.ts';

type Rule = (walk: Walk, node: Fields, use: Use, scope: Scope) => void;

export function expression(walk: Walk, value: unknown, use: Use, scope: Scope): void {
  if (Array.isArray(value)) {
    for (const item of value) expression(walk, item, use, scope);
    return;
  }
  const node = fields(value);
  if (node === null) return;
  const tag = tagOf(node);
  if (tag === null) {
    bareFields(walk, node, use, scope);
    return;
  }
  const inner = fields(node[tag]) ?? {};
  const rule = RULES[tag];
  if (rule) rule(walk, inner, use, scope);
  else if (tag.endsWith('Stmt') && !TRANSPARENT.has(tag)) walk.utility(tag, inner);
  else {
    if (!TRANSPARENT.has(tag)) walk.unclear('unsupported', `syntax node ${tag}`);
    children(walk, inner, use, scope);
  }
}

/** Where the grammar fixes the type of a field, its node stands there without its name. */
function bareFields(walk: Walk, node: Fields, use: Use, scope: Scope): void {
  if ('relname' in node && 'relpersistence' in node) walk.touch(node, 'read');
  else if ('names' in node && 'typemod' in node) typeName(walk, node, use, scope);
  else if ('targetList' in node || 'valuesLists' in node) walk.query({ SelectStmt: node }, use, scope);
  else children(walk, node, use, scope);
}

function children(walk: Walk, node: Fields, use: Use, scope: Scope): void {
  for (const key in node) {
    const child = node[key];
    if (typeof child === 'object') expression(walk, child, use, scope);
  }
}

function typeName(walk: Walk, node: Fields, use: Use, scope: Scope): void {
  const parts = nameParts(node['names']);
  const use_ = node['pct_type'] === true ? null : typeUse(parts, walk.names, walk.relations);
  if (use_ !== null) walk.here.calls(use_);
  expression(walk, node['typmods'], use, scope);
  expression(walk, node['arrayBounds'], use, scope);
}

function operator(walk: Walk, name: unknown): void {
  const parts = nameParts(name);
  const used = parts.length === 0 ? null : operatorUse(parts, walk.names, walk.relations);
  if (used !== null) walk.here.calls(used);
}

function columnRef(walk: Walk, node: Fields, use: Use, scope: Scope): void {
  const parts = nameParts(node['fields']);
  const { columns, confidence, unknown } = meaningOf(parts, scope);
  for (const column of columns) walk.here.column(column, use, confidence);
  if (unknown) walk.here.unknownSource();
  if (parts.length > 1 && parts.at(-1) !== '*') qualifiedName(walk, parts, use, scope);
}

/** The parser wraps what does not fit 32 bits, and takes $0: what it read must be what is written. */
function parameter(walk: Walk, node: Fields): void {
  const number = Number(node['number'] ?? 0);
  const at = Number(node['location'] ?? 0);
  let end = at + 1;
  while (end - at < 12 && (walk.bytes[end] ?? 0) >= 48 && (walk.bytes[end] ?? 0) <= 57) end += 1;
  const written = walk.bytes[at] === 36 ? Number(Buffer.from(walk.bytes.subarray(at + 1, end)).toString('latin1')) : 0;
  if (number < 1 || number > 65_535 || written !== number) walk.unclear('unsupported', 'a parameter number out of range');
}

const SHOWS_CATALOG = /^SVFOP_(CURRENT_ROLE|CURRENT_USER|USER|SESSION_USER|CURRENT_CATALOG|CURRENT_SCHEMA)$/;

const query: Rule = (walk, node, use, scope) => void walk.query({ SelectStmt: node }, use, scope);

const RULES: Readonly<Record<string, Rule | undefined>> = {
  ColumnRef: columnRef,
  ParamRef: parameter,
  FuncCall: call,
  A_Expr(walk, node, use, scope) {
    if (!String(node['kind']).includes('BETWEEN')) operator(walk, node['name']);
    expression(walk, node['lexpr'], use, scope);
    expression(walk, node['rexpr'], use, scope);
  },
  TypeCast(walk, node, use, scope) {
    const type = fields(node['typeName']);
    if (type !== null) typeName(walk, fields(type['TypeName']) ?? type, use, scope);
    expression(walk, node['arg'], use, scope);
  },
  TypeName: typeName,
  SubLink(walk, node, use, scope) {
    operator(walk, node['operName']);
    expression(walk, node['testexpr'], use, scope);
    walk.query(node['subselect'], use, scope);
  },
  A_Indirection: fieldOf,
  IndexElem(walk, node, use, scope) {
    const name = text(node['name']);
    if (name !== null) for (const column of meaningOf([name], scope).columns) walk.here.column(column, use, 'named');
    expression(walk, node['expr'], use, scope);
  },
  CollateClause: (walk, node, use, scope) => expression(walk, node['arg'], use, scope),
  SortBy(walk, node, use, scope) {
    operator(walk, node['useOp']);
    expression(walk, node['node'], use, scope);
  },
  SQLValueFunction(walk, node) {
    const name = SHOWS_CATALOG.exec(String(node['op']))?.[1];
    if (name !== undefined)
      walk.here.calls({ name: `pg_catalog.${name === 'CURRENT_CATALOG' ? 'current_database' : name.toLowerCase()}`, class: 'catalog' });
  },
  RangeVar: (walk, node) => void walk.touch(node, 'read'),
  SelectStmt: query,
  InsertStmt: (walk, node, use, scope) => void walk.query({ InsertStmt: node }, use, scope),
  UpdateStmt: (walk, node, use, scope) => void walk.query({ UpdateStmt: node }, use, scope),
  DeleteStmt: (walk, node, use, scope) => void walk.query({ DeleteStmt: node }, use, scope),
  MergeStmt: (walk, node, use, scope) => void walk.query({ MergeStmt: node }, use, scope),
  // PL/pgSQL's own, and bodies of SQL-standard functions
  ReturnStmt: (walk, node, use, scope) => expression(walk, node['returnval'], use, scope),
  // SET clauses of a function: its own settings, not the session's
  VariableSetStmt: () => undefined,
  // what a role is called is no expression; a constraint's key columns neither
  RoleSpec: () => undefined,
  XmlSerialize(walk, node, use, scope) {
    expression(walk, node['expr'], use, scope);
    expression(walk, node['typeName'], use, scope);
  },
  CurrentOfExpr: (walk, node) => {
    if (text(node['cursor_name']) === null) walk.unclear('unknown_cursor', 'WHERE CURRENT OF a parameter');
  },
};

/** Nodes without a meaning of their own: their children are walked. */
const TRANSPARENT = new Set(
  `A_ArrayExpr A_Const A_Indices A_Star AccessPriv Alias AlterTableCmd BitString BoolExpr Boolean BooleanTest CTECycleClause CTESearchClause CaseExpr
  CaseWhen CoalesceExpr ColumnDef CommonTableExpr Constraint CreateOpClassItem DefElem Float FunctionParameter GroupingFunc GroupingSet IndexElem
  InferClause Integer IntoClause JoinExpr JsonAggConstructor JsonArgument JsonArrayAgg JsonArrayConstructor JsonArrayQueryConstructor JsonBehavior
  JsonConstructorExpr JsonExpr JsonFormat JsonFuncExpr JsonIsPredicate JsonKeyValue JsonObjectAgg JsonObjectConstructor JsonOutput JsonParseExpr
  JsonReturning JsonScalarExpr JsonSerializeExpr JsonTable JsonTableColumn JsonTablePathSpec JsonValueExpr List LockingClause MergeSupportFunc
  MergeWhenClause MinMaxExpr MultiAssignRef NamedArgExpr NullTest ObjectWithArgs OnConflictClause PartitionBoundSpec PartitionCmd PartitionElem
  PartitionRangeDatum PartitionSpec PublicationObjSpec PublicationTable RangeFunction RangeSubselect RangeTableFunc RangeTableFuncCol RangeTableSample
  ReplicaIdentityStmt ResTarget RowExpr SetToDefault SinglePartitionSpec StatsElem String TableLikeClause TriggerTransition VacuumRelation WindowDef
  WithClause XmlExpr`.split(/\s+/),
);
