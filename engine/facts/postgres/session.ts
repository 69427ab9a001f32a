/** Settings: SET, RESET, set_config and what has the same effect (P15, P16). */
import type { SessionEffect } from '#schemas/sql-facts';
import type { Fields } from './parser.ts';
import { refOf } from './relations.ts';
import { as, constantOf, fields, items, text } from './tree.ts';
import type { Walk } from './walk.ts';

/** Old spellings that the server still takes (guc.c, map_old_guc_names). */
const OLD_NAMES: Readonly<Record<string, string>> = {
  sort_mem: 'work_mem',
  vacuum_mem: 'maintenance_work_mem',
  force_parallel_mode: 'debug_parallel_query',
};
/** GUC_LIST_QUOTE: each item is an identifier, and quoted as one when the list is put together. */
const IDENTIFIER_LISTS = new Set([
  'search_path',
  'temp_tablespaces',
  'local_preload_libraries',
  'session_preload_libraries',
  'shared_preload_libraries',
]);

/** Setting names compare without case. `reset`: back to the default. */
export function settingEffect(walk: Walk, given: string, value: string | null, local: boolean, reset = false): void {
  const lower = given.toLowerCase();
  const name = OLD_NAMES[lower] ?? lower;
  const op: SessionEffect['op'] =
    name === 'role' ? 'set_role' : name === 'session_authorization' ? 'set_session_authorization' : reset ? 'reset' : 'set';
  walk.report.session.push({ op, name, value, local });
  if (name === 'search_path') walk.relations.follow(reset ? null : value);
}

/** `location` of VariableSetStmt decides whose setting it is; here it is this session's. */
export function variableSet(walk: Walk, node: Fields): void {
  const name = text(node['name']) ?? '';
  const local = node['is_local'] === true;
  switch (node['kind']) {
    case 'VAR_RESET_ALL':
      walk.report.session.push({ op: 'reset', name: 'all', value: null, local });
      walk.relations.follow(null);
      return;
    case 'VAR_SET_MULTI':
      multiple(walk, name, items(node['args']));
      return;
    case 'VAR_SET_VALUE':
      settingEffect(walk, name, valueOf(walk, name, items(node['args'])), local);
      return;
    case 'VAR_SET_CURRENT':
      settingEffect(walk, name, null, local);
      walk.unclear('dynamic_code', `SET ${name.toLowerCase()} FROM CURRENT`);
      return;
    default:
      settingEffect(walk, name, null, local, true);
  }
}

/** As the server joins the arguments of SET. */
function valueOf(walk: Walk, name: string, args: readonly unknown[]): string | null {
  const values = args.map((arg) => {
    const constant = constantOf(arg);
    if (constant?.kind === 'text' && as('TypeCast', arg) !== null) return `INTERVAL '${constant.value}'`;
    if (constant?.kind === 'text' && IDENTIFIER_LISTS.has(name.toLowerCase())) return quoted(constant.value ?? '');
    return constant?.value ?? null;
  });
  if (values.includes(null)) walk.unclear('dynamic_code', `the value of ${name.toLowerCase()} cannot be read from the text`);
  return values.includes(null) ? null : values.join(', ');
}

function quoted(identifier: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(identifier) ? identifier : `"${identifier.replaceAll('"', '""')}"`;
}

/** SET TRANSACTION …, SET SESSION CHARACTERISTICS AS TRANSACTION …, SET TRANSACTION SNAPSHOT … */
function multiple(walk: Walk, name: string, args: readonly unknown[]): void {
  if (name === 'TRANSACTION SNAPSHOT') {
    walk.report.session.push({ op: 'set', name: 'transaction_snapshot', value: constantOf(args[0])?.value ?? null, local: true });
    return;
  }
  modes(walk, args, name === 'SESSION CHARACTERISTICS' ? 'default_' : '');
}

/** Transaction modes of BEGIN and SET TRANSACTION: `transaction_isolation`, `transaction_read_only`, `transaction_deferrable`. */
export function modes(walk: Walk, options: readonly unknown[], prefix: '' | 'default_'): void {
  for (const option of options) {
    const mode = as('DefElem', option);
    const name = text(mode?.['defname']);
    if (mode === null || name === null) continue;
    const constant = constantOf(mode['arg']);
    const value = constant?.kind === 'number' ? (constant.value === '1' ? 'on' : 'off') : (constant?.value ?? null);
    walk.report.session.push({ op: 'set', name: `${prefix}${name}`, value, local: prefix === '' });
  }
}

/** ALTER ROLE | DATABASE | SYSTEM … SET: not this session's, but told as its kind of change, so that a pin holds against it too. */
export function storedSetting(walk: Walk, setstmt: unknown): void {
  const node = fields(as('VariableSetStmt', setstmt) ?? setstmt);
  if (node === null) return;
  const name = (text(node['name']) ?? 'all').toLowerCase();
  const sets = node['kind'] === 'VAR_SET_VALUE';
  const value = sets ? valueOf(walk, name, items(node['args'])) : null;
  walk.effect('alter', refOf('setting', undefined, OLD_NAMES[name] ?? name));
  walk.report.session.push({ op: sets || node['kind'] === 'VAR_SET_CURRENT' ? 'set' : 'reset', name: OLD_NAMES[name] ?? name, value, local: false });
}
