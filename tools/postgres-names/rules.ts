/**
 * The class of every function that PostgreSQL 15 and 17 and their contrib extensions ship, reviewed by name. Policy denies on class, so a class
 * means one thing:
 *
 * pure      the answer depends on the arguments, the clock or chance; nothing else is read or changed
 * catalog   reads names, definitions, privileges, sizes or counters that any user may see; no row of a table, no other session
 * session   state of this session alone, and all of it is told elsewhere in the facts (`session`, effects on sequences)
 * file      files of the server; large objects that come from or go to one
 * network   connections of the server to elsewhere
 * sql       what it reads or runs is named by its arguments: SQL text, a relation, a cursor, a large object, a type whose input code runs
 * admin     everything else that reaches beyond the statement: other sessions, locks, WAL, replication, raw pages, statistics samples,
 *           sources of functions, waiting, messages to others, and functions that are not meant to be called from SQL
 *
 * First match wins. A function that no rule matches is `pure` when it is immutable and internal; otherwise the generator stops and asks for a rule.
 */
import type { FunctionClass } from '#schemas/sql-facts';

export interface Rule {
  readonly class: FunctionClass;
  readonly names: RegExp;
}

/** Anchored, one alternative a name or family. */
function rule(name: FunctionClass, ...families: readonly string[]): Rule {
  return { class: name, names: new RegExp(`^(?:${families.join('|')})$`) };
}

export const CORE_RULES: readonly Rule[] = [
  rule(
    'sql',
    '(?:query|cursor|table|schema|database)_to_xml.*',
    'ts_stat',
    'ts_rewrite',
    'currtid2?',
    'pg_input_(?:is_valid|error_info)',
    'lo_(?!import|export).*',
    'loread',
    'lowrite',
  ),
  rule(
    'file',
    'lo_(?:import|export)',
    'pg_read_(?:binary_)?file(?:_old)?',
    'pg_ls_.*',
    'pg_stat_file',
    'pg_current_logfile',
    'pg_hba_file_rules',
    'pg_ident_file_mappings',
    'pg_show_all_file_settings',
  ),
  rule('session', 'set_config', 'setseed', 'nextval', 'currval', 'lastval'),
  rule(
    'admin',
    'RI_FKey_.*',
    'binary_upgrade_.*',
    '.*_trigger(?:_column)?',
    'unique_key_recheck',
    'amvalidate',
    'fmgr_.*_validator',
    'plpgsql_.*',
    'setval',
    'pg_sleep.*',
    'pg_(?:try_)?advisory_.*',
    'pg_notify',
    'pg_(?:cancel|terminate)_backend',
    'pg_(?:reload_conf|rotate_logfile.*|promote|log_.*|switch_wal|create_restore_point|backup_.*|export_snapshot)',
    'pg_.*replication.*',
    'pg_logical_.*',
    'pg_wal_replay_.*|pg_get_wal_replay_.*',
    'pg_(?:get_wal_.*|available_wal_.*|wal_summary_.*|get_wal_resource_managers)',
    'pg_stat_reset.*',
    'pg_stat_(?:clear_snapshot|force_next_flush)',
    'pg_stat_get_(?:activity|backend_.*|progress_info|wal_senders|wal_receiver|subscription.*)',
    'pg_lock_status',
    'pg_prepared_xact',
    'pg_(?:blocking_pids|safe_snapshot_blocking_pids|isolation_test_.*)',
    'pg_control_.*',
    'pg_config',
    'pg_show_all_settings',
    'pg_(?:get_backend_memory_contexts|get_shmem_allocations|get_multixact_members|get_wait_events)',
    'pg_(?:nextoid|stop_making_pinned_objects|extension_config_dump|import_system_collations)',
    'pg_mcv_list_items',
    'pg_get_function(?:def|_sqlbody)',
    'pg_split_walfile_name|pg_walfile_name.*',
    'brin_(?:de)?summarize_.*|gin_clean_pending_list',
    'pg_event_trigger_.*',
  ),
  rule(
    'catalog',
    'current_(?:database|schemas?|setting|user|query)|session_user|system_user|getpgusername|getdatabaseencoding|version',
    'inet_(?:client|server)_(?:addr|port)',
    'has_.*_privilege|pg_has_role|row_security_active|acl.*|makeaclitem',
    'pg_stat_.*',
    'pg_(?:.*_is_visible|get_.*|describe_object|identify_object.*)',
    'pg_(?:available_.*|extension_update_paths|basetype|collation_.*|database_collation_actual_version|column_.*)',
    'pg_(?:conf_load_time|postmaster_start_time|backend_pid|client_encoding|char_to_encoding|encoding_to_char|jit_available)',
    'pg_(?:current_.*|last_.*|is_.*|my_temp_schema|xact_.*|snapshot_.*|visible_in_snapshot)',
    'pg_(?:cursor|prepared_statement|listening_channels|notification_queue_usage|options_to_table|trigger_depth|typeof)',
    'pg_(?:.*_size|relation_.*|filenode_relation|partition_.*|sequence_.*|settings_get_flags|tablespace_.*|timezone_.*)',
    'pg_index.*_has_property',
    'txid_.*',
    'col_description|obj_description|shobj_description|format_type|oidvectortypes',
    'to_reg.*|reg[a-z]+(?:in|out|recv|send)?',
    'get_current_ts_config',
    'enum_.*|ts_(?:token_type|parse|debug)',
  ),
  rule(
    'pure',
    'clock_timestamp|timeofday|random(?:_normal)?|gen_random_uuid|array_(?:sample|shuffle)',
    '(?:now|statement_timestamp|transaction_timestamp|age|mxid_age)',
    'bernoulli|system',
    'generate_series',
  ),
];

/** Every name of these is computed from its arguments. */
const PURE_EXTENSIONS = new Set([
  'btree_gin',
  'btree_gist',
  'citext',
  'cube',
  'earthdistance',
  'fuzzystrmatch',
  'hstore',
  'intagg',
  'intarray',
  'isn',
  'ltree',
  'pg_trgm',
  'pgcrypto',
  'seg',
  'tablefunc',
  'unaccent',
  'uuid-ossp',
  'xml2',
]);

const EXTENSION_RULES: Readonly<Record<string, readonly Rule[]>> = {
  adminpack: [rule('file', '.*')],
  dblink: [
    rule('sql', 'dblink_build_sql_.*'),
    rule('catalog', 'dblink_get_pkey|dblink_current_query'),
    rule('admin', 'dblink_fdw_validator'),
    rule('network', '.*'),
  ],
  file_fdw: [rule('admin', '.*')],
  isn: [rule('session', 'isn_weak')],
  lo: [rule('pure', 'lo_oid')],
  pg_trgm: [rule('session', 'set_limit'), rule('catalog', 'show_limit')],
  postgres_fdw: [rule('network', 'postgres_fdw_(?:disconnect.*|get_connections)')],
  sslinfo: [rule('catalog', '.*')],
  tablefunc: [rule('sql', 'crosstab.*|connectby')],
  // stylesheets and documents can name files and addresses
  xml2: [rule('sql', 'xpath_table'), rule('file', 'xslt_process')],
};

export interface Shipped {
  readonly name: string;
  /** null: the server itself. */
  readonly extension: string | null;
  readonly volatility: 'i' | 's' | 'v';
  readonly language: string;
  /** Takes or gives `internal`, `trigger`, a handler …: the server calls it, not SQL. */
  readonly support: boolean;
}

/** null: no rule; a reviewer must write one. */
export function classOf(shipped: Shipped): FunctionClass | null {
  const rules = shipped.extension === null ? CORE_RULES : (EXTENSION_RULES[shipped.extension] ?? []);
  const found = rules.find((each) => each.names.test(shipped.name));
  if (found) return found.class;
  if (shipped.support) return 'admin';
  if (shipped.extension !== null) return PURE_EXTENSIONS.has(shipped.extension) ? 'pure' : 'admin';
  return shipped.volatility === 'v' ? null : 'pure';
}
