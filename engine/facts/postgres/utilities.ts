/** Statements without rows of their own: one rule a node, then everything below it is walked for what it names. */
import { definitions } from './definitions.ts';
import { named, object, option, role } from './objects.ts';
import type { Fields } from './parser.ts';
import { refOf } from './relations.ts';
import { Scope } from './scope.ts';
import { modes, storedSetting, variableSet } from './session.ts';
import { as, fields, items, nameParts, text } from './tree.ts';
import type { Walk } from './walk.ts';

export type Utility = (walk: Walk, node: Fields) => void;

/** false: a statement that this walker has no rule for. */
export function utility(walk: Walk, tag: string, node: Fields): boolean {
  const rule = RULES[tag] ?? definitions[tag];
  if (rule === undefined) return false;
  rule(walk, node);
  return true;
}

function transaction(walk: Walk, node: Fields): void {
  const name = String(node['kind']).replace('TRANS_STMT_', '').toLowerCase();
  walk.effect('transaction', refOf('other', undefined, name === 'start' ? 'begin' : name));
  modes(walk, items(node['options']), '');
}

/** COPY's relation is no CTE; `COPY t TO` reads all columns that it does not list. */
function copy(walk: Walk, node: Fields): void {
  const inwards = node['is_from'] === true;
  const path = text(node['filename']);
  const through = path === null ? 'stdio' : node['is_program'] === true ? 'program' : 'file';
  walk.here.copy = { direction: inwards ? 'in' : 'out', through };
  const scope = new Scope(null);
  const rangeVar = fields(node['relation']);
  if (rangeVar !== null) {
    const { ref, confidence } = walk.touch(rangeVar, inwards ? 'insert' : 'read');
    const columns = nameParts(node['attlist']);
    for (const column of columns.length === 0 ? ['*'] : columns)
      walk.here.column(`${ref.qualified}.${column}`, inwards ? 'write' : 'output', confidence);
    if (!inwards) walk.here.output = columns.map((name) => ({ name, sources: [`${ref.qualified}.${name}`], direct: true }));
    if (!inwards && columns.length === 0) walk.here.output = [{ name: '*', sources: [`${ref.qualified}.*`], direct: true }];
    scope.sources.push({
      alias: ref.name,
      schema: ref.schema ?? null,
      relation: ref.qualified,
      outputs: [{ name: '*', sources: [`${ref.qualified}.*`], direct: true }],
    });
  }
  const encoding = text(as('String', option(node['options'], 'encoding'))?.['sval']);
  if (encoding !== null && !/^utf-?8$/i.test(encoding)) walk.unclear('encoding', 'COPY in another encoding than UTF8');
  if (through === 'program') walk.effect('run_program', refOf('other', undefined, path ?? '?'));
  if (through === 'file') walk.effect(inwards ? 'read_file' : 'write_file', refOf('file', undefined, path ?? '?'));
  if (node['query'] !== undefined) walk.here.output = walk.query(node['query'], 'output', scope) ?? [];
  walk.expression(node['whereClause'], 'predicate', scope);
}

function grant(walk: Walk, node: Fields): void {
  const type = String(node['objtype']);
  const inSchema = node['targtype'] === 'ACL_TARGET_ALL_IN_SCHEMA';
  for (const item of items(node['objects'])) object(walk, 'grant', inSchema ? 'OBJECT_SCHEMA' : type, item);
  for (const grantee of items(node['grantees'])) role(walk, 'grant', grantee);
}

function discard(walk: Walk, node: Fields): void {
  const name = String(node['target']).replace('DISCARD_', '').toLowerCase();
  walk.report.session.push({ op: 'discard', name, value: null, local: false });
  if (name === 'all') walk.relations.follow(null);
}

function relations(verb: 'truncate' | 'lock'): Utility {
  return (walk, node) => {
    for (const item of items(node['relations'])) walk.touch(as('RangeVar', item) ?? {}, verb);
    if (verb === 'lock') walk.here.locking = true;
  };
}

/** VACUUM, ANALYZE, CLUSTER, REINDEX: rewrite or sample what they name, or all there is. */
function maintained(walk: Walk, node: Fields): void {
  const listed = items(node['rels']).map((item) => fields(as('VacuumRelation', item)?.['relation']));
  const rangeVars = [...listed, fields(node['relation'])].filter((each) => each !== null);
  for (const rangeVar of rangeVars) walk.touch(rangeVar, 'alter');
  if (rangeVars.length === 0)
    walk.effect('alter', refOf(node['kind'] === 'REINDEX_OBJECT_SCHEMA' ? 'schema' : 'other', undefined, text(node['name']) ?? 'database'));
}

const RULES: Readonly<Record<string, Utility>> = {
  TransactionStmt: transaction,
  ConstraintsSetStmt: (walk) => walk.effect('transaction', refOf('other', undefined, 'set_constraints')),
  VariableSetStmt: variableSet,
  VariableShowStmt: (walk, node) => walk.effect('read', refOf('setting', undefined, (text(node['name']) ?? 'all').toLowerCase())),
  DiscardStmt: discard,
  CopyStmt: copy,
  TruncateStmt: relations('truncate'),
  LockStmt: relations('lock'),
  GrantStmt: grant,
  GrantRoleStmt(walk, node) {
    for (const item of items(node['granted_roles']))
      walk.effect('grant', refOf('role', undefined, text(as('AccessPriv', item)?.['priv_name']) ?? '?'));
    for (const item of items(node['grantee_roles'])) role(walk, 'grant', item);
  },
  AlterDefaultPrivilegesStmt: (walk, node) => grant(walk, fields(node['action']) ?? {}),
  DoStmt: (walk) => walk.unclear('dynamic_code', 'DO: a block of code'),
  CallStmt(walk, node) {
    walk.expression({ FuncCall: fields(node['funccall']) ?? {} }, 'other', new Scope(null));
    named(walk, 'execute', 'function', nameParts(fields(node['funccall'])?.['funcname']));
  },
  PrepareStmt(walk, node) {
    walk.expression(node['argtypes'], 'other', new Scope(null));
    walk.here.output = walk.query(node['query'], 'output', new Scope(null)) ?? [];
  },
  ExecuteStmt(walk, node) {
    walk.expression(node['params'], 'other', new Scope(null));
    walk.unclear('unknown_prepared', 'EXECUTE of a statement prepared in SQL');
  },
  DeallocateStmt: () => undefined,
  DeclareCursorStmt(walk, node) {
    walk.here.output = walk.query(node['query'], 'output', new Scope(null)) ?? [];
  },
  FetchStmt: (walk) => walk.unclear('unknown_cursor', 'FETCH or MOVE from a cursor of SQL'),
  ClosePortalStmt: () => undefined,
  ListenStmt: (walk, node) => walk.effect('read', refOf('other', undefined, `channel ${text(node['conditionname']) ?? '?'}`)),
  UnlistenStmt: () => undefined,
  NotifyStmt: (walk, node) => walk.effect('signal', refOf('other', undefined, `channel ${text(node['conditionname']) ?? '?'}`)),
  LoadStmt(walk, node) {
    walk.effect('read_file', refOf('file', undefined, text(node['filename']) ?? '?'));
    walk.unclear('foreign_code', 'LOAD: a library');
  },
  VacuumStmt: maintained,
  ClusterStmt: maintained,
  ReindexStmt: maintained,
  CheckPointStmt: (walk) => walk.effect('signal', refOf('other', undefined, 'checkpointer')),
  RefreshMatViewStmt: (walk, node) => void walk.touch(fields(node['relation']) ?? {}, 'alter'),
  AlterSystemStmt: (walk, node) => storedSetting(walk, node['setstmt']),
  AlterRoleSetStmt(walk, node) {
    if (node['role'] === undefined) walk.effect('alter', refOf('role', undefined, 'all'));
    else role(walk, 'alter', node['role']);
    storedSetting(walk, node['setstmt']);
  },
  AlterDatabaseSetStmt(walk, node) {
    walk.effect('alter', refOf('other', undefined, text(node['dbname']) ?? '?'));
    storedSetting(walk, node['setstmt']);
  },
};
