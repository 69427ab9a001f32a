/** INSERT, UPDATE, DELETE, MERGE. A WITH in front covers their sub-queries, never their target. */
import type { OutputColumn } from '#schemas/sql-facts';
import { fromItem, tableSource } from './from.ts';
import type { Fields } from './parser.ts';
import { besides, type Target, whereOf, whereOfSelect } from './predicate.ts';
import { targets, withClause } from './queries.ts';
import type { Resolved } from './relations.ts';
import type { Use, Verb, Where } from './report.ts';
import { Scope, type Source } from './scope.ts';
import { as, constantOf, fields, items, nameParts, text } from './tree.ts';
import type { Walk } from './walk.ts';
import { settingEffect } from './session.ts';

type Outputs = readonly OutputColumn[] | null;
export type Write = (walk: Walk, node: Fields, use: Use, outer: Scope) => Outputs;

export const insert: Write = (walk, node, use, outer) => {
  const { target, tables, scope } = begin(walk, node, 'insert', use, outer);
  const columns = items(node['cols']).map((item) => as('ResTarget', item) ?? {});
  written(walk, target, columns, scope);
  if (columns.length === 0) walk.here.column(`${target.ref.qualified}.*`, 'write', target.confidence);
  if (node['selectStmt'] !== undefined) walk.query(node['selectStmt'], 'other', tables);
  const conflict = fields(node['onConflictClause']);
  const outputs = reading(walk, target, () => {
    if (conflict !== null) onConflict(walk, node, conflict, target, scope);
    return targets(walk, node['returningList'], use, scope);
  });
  return outputs;
};

/** Only the rows that are offered can be hit: bound if they are written out. */
function onConflict(walk: Walk, node: Fields, conflict: Fields, target: Resolved, scope: Scope): void {
  walk.expression(fields(conflict['infer']), 'other', scope);
  if (conflict['action'] !== 'ONCONFLICT_UPDATE') return;
  walk.reach(target, 'update');
  const inner = new Scope(scope);
  inner.sources.push(...scope.sources, excluded(scope));
  assigned(walk, target, conflict['targetList'], inner);
  walk.expression(conflict['whereClause'], 'predicate', inner);
  walk.wrote(offered(as('SelectStmt', node['selectStmt']) ?? {}));
}

/** VALUES and SELECT without FROM write their rows out; of one table, its WHERE chooses; anything else may offer any row. */
function offered(source: Fields): Where {
  if (source['valuesLists'] !== undefined) return 'bound';
  if (source['op'] !== undefined && source['op'] !== 'SETOP_NONE') return 'other';
  const from = items(source['fromClause']);
  if (from.length === 0) return JSON.stringify(source['targetList'] ?? []).includes('"FuncCall"') ? 'other' : 'bound';
  return from.length === 1 && as('RangeVar', from[0]) !== null ? whereOfSelect(source) : 'other';
}

/** The row that was offered: columns of the target, values of its own. */
function excluded(scope: Scope): Source {
  const [target] = scope.sources;
  const known = target?.outputs?.every((output) => output.name !== '*') === true ? target.outputs : null;
  const outputs = known?.map(({ name }): OutputColumn => ({ name, sources: [], direct: false })) ?? null;
  return { alias: 'excluded', schema: null, relation: null, outputs, ofTable: true };
}

export const update: Write = (walk, node, use, outer) => {
  const { target, tables, scope } = begin(walk, node, 'update', use, outer);
  for (const item of items(node['fromClause'])) scope.sources.push(...fromItem(walk, item, 'other', scope, tables));
  const where = whereOf(node['whereClause'], targetOf(node, scope));
  walk.wrote(where);
  if (target.ref.qualified === 'pg_catalog.pg_settings') asSetting(walk, node);
  return reading(walk, target, () => {
    assigned(walk, target, node['targetList'], scope);
    walk.expression(node['whereClause'], 'predicate', scope);
    return targets(walk, node['returningList'], use, scope);
  });
};

/** pg_settings is a view whose rule turns UPDATE into SET. */
function asSetting(walk: Walk, node: Fields): void {
  const equality = as('A_Expr', node['whereClause']);
  const column = nameParts(as('ColumnRef', equality?.['lexpr'])?.['fields']).at(-1);
  const name = column === 'name' && nameParts(equality?.['name']).at(-1) === '=' ? constantOf(equality?.['rexpr'])?.value : undefined;
  const assignment = items(node['targetList'])
    .map((item) => as('ResTarget', item))
    .find((item) => item?.['name'] === 'setting');
  const value = constantOf(assignment?.['val'])?.value ?? null;
  settingEffect(walk, name ?? '?', value, false);
  if (name === undefined || name === null || value === null)
    walk.unclear('dynamic_code', 'an update of pg_settings whose setting or value is computed');
}

export const remove: Write = (walk, node, use, outer) => {
  const { target, tables, scope } = begin(walk, node, 'delete', use, outer);
  for (const item of items(node['usingClause'])) scope.sources.push(...fromItem(walk, item, 'other', scope, tables));
  walk.wrote(whereOf(node['whereClause'], targetOf(node, scope)));
  return reading(walk, target, () => {
    walk.expression(node['whereClause'], 'predicate', scope);
    return targets(walk, node['returningList'], use, scope);
  });
};

const MERGE_VERBS: Readonly<Record<string, Verb>> = { CMD_INSERT: 'insert', CMD_UPDATE: 'update', CMD_DELETE: 'delete' };

export const merge: Write = (walk, node, use, outer) => {
  const actions = items(node['mergeWhenClauses']).map((item) => as('MergeWhenClause', item) ?? {});
  const verbs = actions.map((action) => MERGE_VERBS[String(action['commandType'])]).filter((verb) => verb !== undefined);
  const { target, tables, scope } = begin(walk, node, verbs[0] ?? 'read', use, outer);
  for (const verb of verbs.slice(1)) walk.reach(target, verb);
  scope.sources.push(...fromItem(walk, node['sourceRelation'], 'other', scope, tables));
  if (verbs.some((verb) => verb !== 'insert')) walk.wrote(mergeWhere(node, actions, scope));
  walk.reach(target, 'read'); // the join reads it
  walk.expression(node['joinCondition'], 'predicate', scope);
  for (const action of actions) {
    walk.expression(action['condition'], 'predicate', scope);
    assigned(walk, target, action['targetList'], scope);
    walk.expression(action['values'], 'other', scope);
    if (action['commandType'] === 'CMD_INSERT' && items(action['targetList']).length === 0)
      walk.here.column(`${target.ref.qualified}.*`, 'write', target.confidence);
  }
  return targets(walk, node['returningList'], use, scope);
};

function mergeWhere(node: Fields, actions: readonly Fields[], scope: Scope): Where {
  const bySource = actions.some((action) => action['matchKind'] === 'MERGE_WHEN_NOT_MATCHED_BY_SOURCE');
  return bySource ? 'none' : whereOf(node['joinCondition'], targetOf(node, scope));
}

interface Begun {
  readonly target: Resolved;
  /** What sub-queries see. */
  readonly tables: Scope;
  /** And the target with it. */
  readonly scope: Scope;
}

function begin(walk: Walk, node: Fields, verb: Verb, use: Use, outer: Scope): Begun {
  const tables = new Scope(outer);
  withClause(walk, node['withClause'], tables, use);
  const rangeVar = fields(node['relation']) ?? {};
  const target = walk.touch(rangeVar, verb);
  const scope = new Scope(tables);
  scope.sources.push(tableSource(target, rangeVar));
  return { target, tables, scope };
}

function targetOf(node: Fields, scope: Scope): Target {
  const rangeVar = fields(node['relation']) ?? {};
  const alias = text(fields(rangeVar['alias'])?.['aliasname']) ?? text(rangeVar['relname']) ?? '';
  const name = text(rangeVar['relname']) ?? '';
  const isCommon = (other: string): boolean => scope.commonTable(other) !== null;
  const from = [
    ...items(node['fromClause']),
    ...items(node['usingClause']),
    ...(node['sourceRelation'] === undefined ? [] : [node['sourceRelation']]),
  ];
  return {
    names: new Set([alias]),
    alone: scope.sources.length === 1,
    self: rangeVar['schemaname'] === undefined && isCommon(name) ? null : { schema: rangeVar['schemaname'] ?? null, name },
    ...besides(from, isCommon),
  };
}

/** The target is read too where its columns are used for more than being written, as privileges have it. */
function reading<Answer>(walk: Walk, target: Resolved, walkRest: () => Answer): Answer {
  let answer: Answer | undefined;
  const columns = walk.here.gather(() => {
    answer = walkRest();
  });
  if (columns.some((column) => column.startsWith(`${target.ref.qualified}.`))) walk.reach(target, 'read');
  return answer as Answer;
}

/** SET a = …, (b, c) = (…) */
function assigned(walk: Walk, target: Resolved, list: unknown, scope: Scope): void {
  const columns = items(list).map((item) => as('ResTarget', item) ?? {});
  written(walk, target, columns, scope);
  for (const column of columns) walk.expression(column['val'], 'other', scope);
}

function written(walk: Walk, target: Resolved, columns: readonly Fields[], scope: Scope): void {
  for (const column of columns) {
    walk.here.column(`${target.ref.qualified}.${text(column['name']) ?? '?'}`, 'write', target.confidence);
    walk.expression(column['indirection'], 'other', scope);
  }
}
