import type { Fields } from '../parser.ts';
import { checkQuery, isGatewaySetting } from './check.ts';
import type { MaskPlan } from './plan.ts';
import { refuseTainted } from './plan.ts';
import { type Refusal, REFUSALS } from './refusal.ts';
import { type Names, resolve } from './resolve.ts';
import { isFields, isRangeVar, list, stringOf, textOf, unwrap } from './tree.ts';
import { type Site, Walk } from './walk.ts';

/** The sites of one top-level statement, judged by what kind of statement it is (MASKING.md §1). @throws Refusal */
export function sitesOf(statement: Fields, plan: MaskPlan, names: Names): readonly Site[] {
  const node = unwrap(statement);
  if (node === null) throw REFUSALS.mismatch('a statement without a kind');
  const [type, fields] = node;
  const walk = new Walk(plan, names);
  switch (type) {
    case 'SelectStmt':
    case 'InsertStmt':
    case 'UpdateStmt':
    case 'DeleteStmt':
    case 'MergeStmt':
      walk.visit(statement, null);
      checkQuery(walk);
      return walk.sites;
    case 'ExplainStmt':
      return explain(fields, plan, names);
    case 'CopyStmt':
      return copy(fields, plan, names);
    default:
      utility(type, fields, statement, walk, plan);
      return [];
  }
}

/** Statements that only ask about costs may hold any other that can be explained. */
function explain(fields: Fields, plan: MaskPlan, names: Names): readonly Site[] {
  const query = fields['query'];
  if (!isFields(query)) throw REFUSALS.mismatch('EXPLAIN of nothing');
  const sites = sitesOf(query, plan, names);
  if (!plainExplain(list(fields['options'])) && (sites.length > 0 || writesMasked(query, plan, names))) throw REFUSALS.explain();
  return sites;
}

function writesMasked(query: Fields, plan: MaskPlan, names: Names): boolean {
  const walk = new Walk(plan, names);
  walk.visit(query, null);
  return walk.frames.some((frame) => frame.target !== null) || walk.mentions.length > 0;
}

const EXPLAIN_QUIET: ReadonlySet<string> = new Set([
  'costs',
  'analyze',
  'verbose',
  'format',
  'summary',
  'generic_plan',
  'buffers',
  'wal',
  'timing',
  'settings',
]);

/** COSTS off, and nothing that runs or measures the statement. The last of several options of one name counts. */
function plainExplain(options: readonly unknown[]): boolean {
  const set = new Map<string, boolean>();
  for (const option of options) {
    const fields = unwrap(option)?.[1] ?? {};
    const name = textOf(fields, 'defname');
    if (!EXPLAIN_QUIET.has(name)) return false;
    set.set(name, !isOff(fields['arg']));
  }
  const off = (name: string): boolean => set.get(name) !== true;
  return set.get('costs') === false && off('analyze') && off('buffers') && off('wal') && off('timing') && off('settings');
}

/** As defGetBoolean reads it; what it would not understand is not off. */
function isOff(argument: unknown): boolean {
  const node = unwrap(argument);
  if (node === null) return false;
  if (node[0] === 'Integer') return (node[1]['ival'] ?? 0) === 0;
  if (node[0] === 'Boolean') return node[1]['boolval'] !== true;
  return node[0] === 'String' && ['off', 'false'].includes(textOf(node[1], 'sval').toLowerCase());
}

function copy(fields: Fields, plan: MaskPlan, names: Names): readonly Site[] {
  const query = fields['query'];
  if (isFields(query)) return sitesOf(query, plan, names);
  const range = fields['relation'];
  if (!isRangeVar(range)) throw REFUSALS.mismatch('COPY of nothing');
  const verdict = resolve(plan, names, range);
  if (verdict === null || verdict.is === 'clean') return [];
  if (verdict.is === 'tainted') refuseTainted(verdict);
  if (fields['is_from'] !== true) throw REFUSALS.copyTable(verdict.masked.qualified);
  return [];
}

/** Why a utility statement over a masked relation is refused, by its node type; those that are not here are refused as a change of the table. */
const OVER_MASKED: Readonly<Record<string, (name: string) => Refusal>> = {
  PrepareStmt: () => REFUSALS.cursor('PREPARE'),
  DeclareCursorStmt: () => REFUSALS.cursor('DECLARE CURSOR'),
  CreateTableAsStmt: () => REFUSALS.laundering('CREATE TABLE AS'),
  ViewStmt: () => REFUSALS.dependent('a view'),
  RuleStmt: () => REFUSALS.dependent('a rule'),
  CreatePolicyStmt: () => REFUSALS.dependent('a row policy'),
  AlterPolicyStmt: () => REFUSALS.dependent('a row policy'),
  CreateFunctionStmt: () => REFUSALS.dependent('a function'),
  CreateTrigStmt: () => REFUSALS.dependent('a trigger'),
};

/** Utility statements that hand nothing out of a relation that they name, whatever is in it. */
const HARMLESS: ReadonlySet<string> = new Set([
  'TruncateStmt',
  'LockStmt',
  'VacuumStmt',
  'ReindexStmt',
  'DropStmt',
  'CommentStmt',
  'GrantStmt',
  'CreateStmt',
  'CreateSeqStmt',
  'AlterSeqStmt',
  'RefreshMatViewStmt',
]);

function utility(type: string, fields: Fields, statement: Fields, walk: Walk, plan: MaskPlan): void {
  if (type === 'DoStmt') throw REFUSALS.opaque('DO');
  if (type === 'CreateFunctionStmt' && fields['sql_body'] === undefined) throw REFUSALS.opaque('the body of a function');
  if (type === 'VariableShowStmt' || type === 'VariableSetStmt') return setting(fields);
  if (type === 'RenameStmt' && fields['renameType'] === 'OBJECT_SCHEMA') return schemaRename(textOf(fields, 'subname'), plan);
  checkCreated(type, fields, walk);
  walk.visit(statement, null);
  const [site] = walk.sites;
  const written = walk.frames.find((frame) => frame.target !== null)?.target ?? null;
  const [mention] = walk.mentions;
  const name =
    site?.masked.qualified ?? written?.masked.qualified ?? (mention === undefined ? null : `${mention.relation.schema}.${mention.relation.name}`);
  if (name === null) return checkQuery(walk);
  const refusal = OVER_MASKED[type];
  if (refusal !== undefined) throw refusal(name);
  if (site !== undefined || written !== null) throw REFUSALS.ddl(words(type), name);
  if (HARMLESS.has(type)) return;
  if (type === 'IndexStmt' && walk.columns.length === 0 && plainIndex(fields)) return;
  if (type === 'AlterTableStmt' && list(fields['cmds']).every(harmlessAlter) && walk.columns.length === 0) return;
  throw REFUSALS.ddl(words(type), name);
}

function setting(fields: Fields): void {
  if (isGatewaySetting(textOf(fields, 'name'))) throw REFUSALS.setting();
}

function schemaRename(schema: string, plan: MaskPlan): void {
  for (const verdict of plan.unclean())
    if (verdict.relation.schema === schema) throw REFUSALS.ddl('renaming the schema', `${schema}.${verdict.relation.name}`);
}

/** Temporary objects: CREATE TABLE, VIEW and SEQUENCE name what they make; CREATE TABLE AS does in its IntoClause. */
function checkCreated(type: string, fields: Fields, walk: Walk): void {
  const into = fields['into'];
  const made =
    type === 'CreateStmt'
      ? fields['relation']
      : type === 'ViewStmt'
        ? fields['view']
        : type === 'CreateSeqStmt'
          ? fields['sequence']
          : isFields(into)
            ? into['rel']
            : undefined;
  if (isRangeVar(made)) walk.created(made);
}

/** Columns by name only: expressions and predicates are evaluated on raw values. */
function plainIndex(fields: Fields): boolean {
  return fields['whereClause'] === undefined && list(fields['indexParams']).every((item) => unwrap(item)?.[1]['name'] !== undefined);
}

/** Changes that neither compute from, rename, retype nor detach anything. */
const HARMLESS_ALTER: ReadonlySet<string> = new Set([
  'AT_AddColumn',
  'AT_DropColumn',
  'AT_ColumnDefault',
  'AT_DropNotNull',
  'AT_DropConstraint',
  'AT_ChangeOwner',
  'AT_SetStatistics',
  'AT_SetStorage',
  'AT_SetRelOptions',
  'AT_ResetRelOptions',
  'AT_EnableTrig',
  'AT_EnableRowSecurity',
  'AT_ForceRowSecurity',
]);

function harmlessAlter(command: unknown): boolean {
  return HARMLESS_ALTER.has(textOf(unwrap(command)?.[1], 'subtype'));
}

/** `AlterTableStmt` → `ALTER TABLE` */
function words(type: string): string {
  return type
    .replace(/Stmt$/, '')
    .replaceAll(/([a-z])([A-Z])/g, '$1 $2')
    .toUpperCase();
}

/** Whether a statement can change which schemas an unqualified name is looked up in, for those behind it in the same text. */
export function changesNames(statement: Fields): boolean {
  const node = unwrap(statement);
  if (node === null || !QUERIES.has(node[0])) return true;
  return calls(node[1], 'set_config');
}

const QUERIES: ReadonlySet<string> = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt', 'CopyStmt']);

function calls(value: unknown, name: string): boolean {
  if (Array.isArray(value)) return value.some((item) => calls(item, name));
  if (!isFields(value)) return false;
  const call = value['FuncCall'];
  if (isFields(call) && stringOf(list(call['funcname']).at(-1)) === name) return true;
  return Object.values(value).some((child) => calls(child, name));
}
