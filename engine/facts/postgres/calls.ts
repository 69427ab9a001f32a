/** Function calls: the class of the function, and for those that reach beyond the statement what they reach, as far as their arguments tell. */
import type { FunctionUse } from '#schemas/sql-facts';
import { notConstant } from './flow.ts';
import { functionUse } from './functions.ts';
import type { Fields } from './parser.ts';
import { refOf } from './relations.ts';
import type { Use, Verb } from './report.ts';
import type { Scope } from './scope.ts';
import { settingEffect } from './session.ts';
import { as, constantOf, fields, items, nameParts, paramsIn, type Constant } from './tree.ts';
import type { Walk } from './walk.ts';
import { growth } from './growth.ts';

export function call(walk: Walk, node: Fields, use: Use, scope: Scope): void {
  const args = items(node['args']);
  callOf(walk, nameParts(node['funcname']), args, use);
  walk.expression(args, use, scope);
  walk.expression(node['agg_order'], 'other', scope);
  walk.expression(node['agg_filter'], 'predicate', scope);
  walk.expression(fields(node['over']), 'other', scope);
}

/** The call itself; what its arguments name is walked apart. */
export function callOf(walk: Walk, parts: readonly string[], args: readonly unknown[], use: Use): void {
  const called = functionUse(parts, walk.names, walk.relations);
  walk.here.calls(called);
  if (!COMPUTES.has(called.class)) walk.here.unknownSource();
  reaches(walk, called, args, use);
}

/** What they give comes from their arguments, or from nobody's rows. */
const COMPUTES: ReadonlySet<FunctionUse['class']> = new Set(['pure', 'catalog', 'session']);

function reaches(walk: Walk, called: FunctionUse, args: readonly unknown[], use: Use): void {
  const name = called.name.slice(called.name.indexOf('.') + 1);
  const site: Site = { walk, called, name, args, use };
  switch (called.class) {
    case 'user':
    case 'unknown':
      walk.effect('execute', refOf('function', called.name.slice(0, called.name.indexOf('.')), name));
      return;
    case 'file':
      onFile(site);
      return;
    case 'network':
      onHost(site);
      return;
    case 'sql':
      onCode(site);
      return;
    case 'session':
    case 'admin':
    case 'catalog':
      SPECIAL.get(name)?.(site);
      return;
    case 'pure':
      growth(walk, name, args);
  }
}

interface Site {
  readonly walk: Walk;
  readonly called: FunctionUse;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly use: Use;
}

/** The argument in its place, by position or by name. */
function argument(site: Site, at: number, name?: string): unknown {
  for (const arg of site.args) {
    const given = as('NamedArgExpr', arg);
    if (given !== null && name !== undefined && given['name'] === name) return given['arg'];
  }
  const arg = site.args[at];
  return as('NamedArgExpr', arg) === null ? arg : undefined;
}

/** Its value if the text tells it; else an opaque entry says that it decides what is done. */
function told(site: Site, at: number, name?: string): Constant | null {
  const arg = argument(site, at, name);
  const value = constantOf(arg);
  if (value === null && site.args.length > 0) {
    site.walk.unclear('dynamic_code', notConstant(site.called.name, `argument ${at + 1}`, paramsIn(arg ?? site.args)));
  }
  return value;
}

const WRITES_FILE = new Set(['lo_export', 'pg_file_write', 'pg_file_rename', 'pg_file_unlink', 'pg_file_sync']);
const FIXED_FILES: Readonly<Record<string, string>> = { pg_hba_file_rules: 'pg_hba.conf', pg_ident_file_mappings: 'pg_ident.conf' };

function onFile(site: Site): void {
  const at = site.name === 'lo_export' ? 1 : 0;
  const path = FIXED_FILES[site.name] ?? (site.args.length > at ? told(site, at)?.value : site.name) ?? '?';
  site.walk.effect(WRITES_FILE.has(site.name) ? 'write_file' : 'read_file', refOf('file', undefined, path));
}

/** dblink: `host=… dbname=…`, an address of form postgresql://…, or the name of an open connection. */
function onHost(site: Site): void {
  const constants = site.args.map((arg) => constantOf(arg)?.value ?? null);
  const text = constants.find((value) => value !== null && /=|:\/\//.test(value)) ?? '';
  const host = /(?:^|\s)host(?:addr)?\s*=\s*'?([^\s']+)/.exec(text)?.[1] ?? /:\/\/(?:[^@/]*@)?([^:/?]+)/.exec(text)?.[1];
  site.walk.effect('connect_out', refOf('host', undefined, host ?? '?'), host === undefined ? 'unknown' : 'named');
  if (site.args.length > 0) site.walk.unclear('dynamic_code', codeDetail(site));
}

function codeDetail(site: Site): string {
  const params = paramsIn(site.args);
  return params.size === 0 ? `${site.called.name} takes code or names` : notConstant(site.called.name, 'an argument', params);
}

function onCode(site: Site): void {
  if (site.name.startsWith('lo')) {
    const writes = /creat|from_bytea|put|unlink|truncate|write|open/.test(site.name);
    site.walk.effect(writes ? 'update' : 'read', refOf('table', 'pg_catalog', 'pg_largeobject'));
    return;
  }
  if (/^(?:table_to_xml|currtid)/.test(site.name)) namedRelation(site, 'read');
  if (site.name.startsWith('schema_to_xml')) site.walk.effect('read', refOf('schema', undefined, constantOf(site.args[0])?.value ?? '?'));
  if (site.name.startsWith('cursor_to_xml')) site.walk.unclear('unknown_cursor', `${site.called.name} reads a cursor`);
  if (site.name.startsWith('database_to_xml')) site.walk.effect('read', refOf('other', undefined, 'database'), 'unknown');
  site.walk.unclear('dynamic_code', codeDetail(site));
}

/** A relation named by a literal: `'public.customers'`, `'"Odd name"'::regclass`. */
function namedRelation(site: Site, verb: Verb): void {
  const value = told(site, 0)?.value;
  if (value === null || value === undefined) return;
  const parts = [...value.matchAll(/"((?:[^"]|"")*)"|([^".]+)/g)].map(
    ([, quoted, bare]) => quoted?.replaceAll('""', '"') ?? (bare ?? '').trim().toLowerCase(),
  );
  const resolved = site.walk.relations.named(parts.at(-2), parts.at(-1) ?? '');
  site.walk.reach(resolved, verb);
  if (verb === 'read') site.walk.here.column(`${resolved.ref.qualified}.*`, site.use, resolved.confidence);
}

function sequence(site: Site, verb: Verb): void {
  const value = told(site, 0)?.value;
  const [name = '?', schema] = (value ?? '?').split('.').reverse();
  const home = schema ?? site.walk.relations.home ?? undefined;
  site.walk.effect(verb, refOf('other', home, name.replaceAll('"', '')));
}

function setConfig(site: Site): void {
  const name = told(site, 0, 'setting_name')?.value;
  const value = told(site, 1, 'new_value');
  const local = constantOf(argument(site, 2, 'is_local'));
  settingEffect(
    site.walk,
    name ?? '?',
    value?.value ?? null,
    !/^(f|false|no|off|0|n|of|fal|fals)$/i.test(local?.value ?? 'false'),
    value?.kind === 'null',
  );
}

function currentSetting(site: Site): void {
  const name = told(site, 0)?.value;
  site.walk.effect('read', refOf('setting', undefined, (name ?? '?').toLowerCase()), name === undefined ? 'unknown' : 'named');
}

function acts(verb: Verb): (site: Site) => void {
  return (site) => site.walk.effect(verb, refOf('other', undefined, site.name));
}

const SPECIAL: ReadonlyMap<string, (site: Site) => void> = new Map([
  ['set_config', setConfig],
  ['current_setting', currentSetting],
  ['nextval', (site: Site) => sequence(site, 'update')],
  ['setval', (site: Site) => sequence(site, 'update')],
  ['currval', (site: Site) => sequence(site, 'read')],
  ...[
    'get_raw_page',
    'bt_metap',
    'bt_page_items',
    'bt_page_stats',
    'pgrowlocks',
    'pgstattuple',
    'heap_force_kill',
    'heap_force_freeze',
    'pg_truncate_visibility_map',
  ].map((name): [string, (site: Site) => void] => [name, (site) => namedRelation(site, /force|truncate/.test(name) ? 'update' : 'read')]),
  ...[
    'pg_cancel_backend',
    'pg_terminate_backend',
    'pg_reload_conf',
    'pg_rotate_logfile',
    'pg_promote',
    'pg_log_backend_memory_contexts',
    'pg_notify',
  ].map((name): [string, (site: Site) => void] => [name, acts('signal')]),
  ...[
    'pg_create_logical_replication_slot',
    'pg_create_physical_replication_slot',
    'pg_copy_logical_replication_slot',
    'pg_copy_physical_replication_slot',
    'pg_drop_replication_slot',
    'pg_replication_slot_advance',
    'pg_logical_slot_get_changes',
    'pg_logical_slot_get_binary_changes',
    'pg_logical_slot_peek_changes',
    'pg_logical_slot_peek_binary_changes',
    'pg_logical_emit_message',
    'pg_sync_replication_slots',
    'pg_replication_origin_create',
    'pg_replication_origin_drop',
    'pg_replication_origin_advance',
    'pg_replication_origin_session_setup',
    'pg_backup_start',
    'pg_backup_stop',
    'pg_switch_wal',
    'pg_wal_replay_pause',
    'pg_wal_replay_resume',
  ].map((name): [string, (site: Site) => void] => [name, acts('replicate')]),
]);
