/** Statement node → kind of the closed list. */
import type { SqlKind } from '#schemas/sql-kinds';
import type { Fields } from './parser.ts';
import { as, fields, items, text } from './tree.ts';

export function kindOf(tag: string, node: Fields): SqlKind {
  const found = KINDS[tag];
  if (found === undefined) return 'unknown';
  return typeof found === 'string' ? found : found(node);
}

/** Also TABLE and VALUES, which the grammar reads as SELECT: the star of TABLE stands nowhere in the text. */
function selectKind(node: Fields): SqlKind {
  if (node['intoClause'] !== undefined) return 'select_into';
  if (node['valuesLists'] !== undefined) return 'values';
  const [first] = items(node['targetList']);
  return as('ColumnRef', as('ResTarget', first)?.['val'])?.['location'] === -1 ? 'table' : 'select';
}

const TRANSACTION: Readonly<Record<string, SqlKind>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback_to',
  TRANS_STMT_PREPARE: 'prepare_transaction',
  TRANS_STMT_COMMIT_PREPARED: 'commit_prepared',
  TRANS_STMT_ROLLBACK_PREPARED: 'rollback_prepared',
};

function variableKind(node: Fields): SqlKind {
  const name = text(node['name']);
  if (name === 'role') return 'set_role';
  if (name === 'session_authorization') return 'set_session_authorization';
  return node['kind'] === 'VAR_RESET' || node['kind'] === 'VAR_RESET_ALL' ? 'reset' : 'set';
}

const DEFINED: Readonly<Record<string, SqlKind>> = {
  OBJECT_AGGREGATE: 'create_aggregate',
  OBJECT_OPERATOR: 'create_operator',
  OBJECT_TYPE: 'create_type',
  OBJECT_COLLATION: 'create_collation',
  OBJECT_TSPARSER: 'create_text_search',
  OBJECT_TSDICTIONARY: 'create_text_search',
  OBJECT_TSTEMPLATE: 'create_text_search',
  OBJECT_TSCONFIGURATION: 'create_text_search',
};

const ALTERED: Readonly<Record<string, SqlKind>> = {
  OBJECT_VIEW: 'alter_view',
  OBJECT_MATVIEW: 'alter_view',
  OBJECT_INDEX: 'alter_index',
  OBJECT_SEQUENCE: 'alter_sequence',
  OBJECT_TYPE: 'alter_type',
};

function altered(node: Fields): SqlKind {
  if (items(node['cmds']).some((command) => as('AlterTableCmd', command)?.['subtype'] === 'AT_ChangeOwner')) return 'alter_owner';
  return ALTERED[String(node['objtype'])] ?? 'alter_table';
}

function madeAs(node: Fields): SqlKind {
  if (node['objtype'] === 'OBJECT_MATVIEW') return 'create_materialized_view';
  return node['is_select_into'] === true ? 'select_into' : 'create_table_as';
}

const DROPPED: Readonly<Record<string, SqlKind>> = { OBJECT_DATABASE: 'drop_database' };

const KINDS: Readonly<Record<string, SqlKind | ((node: Fields) => SqlKind)>> = {
  SelectStmt: selectKind,
  InsertStmt: 'insert',
  UpdateStmt: 'update',
  DeleteStmt: 'delete',
  MergeStmt: 'merge',
  TruncateStmt: 'truncate',
  CopyStmt: 'copy',
  ExplainStmt: 'explain',
  VariableShowStmt: 'show',
  VariableSetStmt: variableKind,
  TransactionStmt: (node) => TRANSACTION[String(node['kind'])] ?? 'unknown',
  ConstraintsSetStmt: 'set_constraints',
  DiscardStmt: 'discard',
  PrepareStmt: 'prepare',
  ExecuteStmt: 'execute',
  DeallocateStmt: 'deallocate',
  DeclareCursorStmt: 'declare_cursor',
  FetchStmt: (node) => (node['ismove'] === true ? 'move' : 'fetch'),
  ClosePortalStmt: 'close_cursor',
  ListenStmt: 'listen',
  NotifyStmt: 'notify',
  UnlistenStmt: 'unlisten',
  LockStmt: 'lock',
  DoStmt: 'do',
  CallStmt: 'call',
  LoadStmt: 'load',
  VacuumStmt: (node) => (node['is_vacuumcmd'] === true ? 'vacuum' : 'analyze'),
  ClusterStmt: 'cluster',
  ReindexStmt: 'reindex',
  CheckPointStmt: 'checkpoint',
  CreateStmt: 'create_table',
  CreateTableAsStmt: madeAs,
  ViewStmt: 'create_view',
  RefreshMatViewStmt: 'refresh_materialized_view',
  IndexStmt: 'create_index',
  CreateSchemaStmt: 'create_schema',
  CreateSeqStmt: 'create_sequence',
  CompositeTypeStmt: 'create_type',
  CreateEnumStmt: 'create_type',
  CreateRangeStmt: 'create_type',
  CreateDomainStmt: 'create_domain',
  CreateFunctionStmt: (node) => (node['is_procedure'] === true ? 'create_procedure' : 'create_function'),
  CreateTrigStmt: 'create_trigger',
  CreateEventTrigStmt: 'create_event_trigger',
  RuleStmt: 'create_rule',
  CreatePolicyStmt: 'create_policy',
  CreateExtensionStmt: 'create_extension',
  DefineStmt: (node) => DEFINED[String(node['kind'])] ?? 'unknown',
  CreateOpClassStmt: 'create_operator',
  CreateOpFamilyStmt: 'create_operator',
  CreateCastStmt: 'create_cast',
  CreateConversionStmt: 'create_conversion',
  CreateTransformStmt: 'create_transform',
  CreatePLangStmt: 'create_language',
  CreateAmStmt: 'create_access_method',
  CreateStatsStmt: 'create_statistics',
  CreateForeignTableStmt: 'create_foreign_table',
  CreateFdwStmt: 'create_foreign_data_wrapper',
  CreateForeignServerStmt: 'create_foreign_server',
  CreateUserMappingStmt: 'create_user_mapping',
  ImportForeignSchemaStmt: 'import_foreign_schema',
  CreatePublicationStmt: 'create_publication',
  CreateSubscriptionStmt: 'create_subscription',
  CreatedbStmt: 'create_database',
  CreateTableSpaceStmt: 'create_tablespace',
  CreateRoleStmt: 'create_role',
  AlterTableStmt: altered,
  AlterSeqStmt: 'alter_sequence',
  AlterEnumStmt: 'alter_type',
  AlterTypeStmt: 'alter_type',
  AlterDomainStmt: 'alter_domain',
  AlterFunctionStmt: 'alter_function',
  AlterExtensionStmt: 'alter_extension',
  AlterExtensionContentsStmt: 'alter_extension',
  AlterPolicyStmt: 'alter_policy',
  AlterEventTrigStmt: 'alter_trigger',
  AlterObjectDependsStmt: 'alter_object',
  AlterObjectSchemaStmt: 'alter_object',
  AlterOperatorStmt: 'alter_object',
  AlterOpFamilyStmt: 'alter_object',
  AlterCollationStmt: 'alter_object',
  AlterStatsStmt: 'alter_object',
  AlterTSConfigurationStmt: 'alter_object',
  AlterTSDictionaryStmt: 'alter_object',
  AlterTableMoveAllStmt: 'alter_table',
  ReplicaIdentityStmt: 'alter_table',
  RenameStmt: 'rename',
  AlterOwnerStmt: 'alter_owner',
  AlterDefaultPrivilegesStmt: 'alter_default_privileges',
  AlterRoleStmt: 'alter_role',
  AlterRoleSetStmt: 'alter_role_set',
  AlterUserMappingStmt: 'alter_user_mapping',
  AlterDatabaseStmt: 'alter_database',
  AlterDatabaseRefreshCollStmt: 'alter_database',
  AlterDatabaseSetStmt: 'alter_database_set',
  AlterSystemStmt: 'alter_system',
  AlterTableSpaceOptionsStmt: 'alter_tablespace',
  AlterPublicationStmt: 'alter_publication',
  AlterSubscriptionStmt: 'alter_subscription',
  AlterForeignServerStmt: 'alter_foreign_server',
  AlterFdwStmt: 'alter_foreign_data_wrapper',
  DropStmt: (node) => DROPPED[String(node['removeType'])] ?? 'drop',
  DropRoleStmt: 'drop_role',
  DropdbStmt: 'drop_database',
  DropTableSpaceStmt: 'drop_tablespace',
  DropOwnedStmt: 'drop_owned',
  DropSubscriptionStmt: 'drop_subscription',
  DropUserMappingStmt: 'drop_user_mapping',
  ReassignOwnedStmt: 'reassign_owned',
  CommentStmt: 'comment',
  SecLabelStmt: 'security_label',
  GrantStmt: (node) => (node['is_grant'] === true ? 'grant' : 'revoke'),
  GrantRoleStmt: (node) => (node['is_grant'] === true ? 'grant_role' : 'revoke_role'),
};

/** Whether EXPLAIN runs the statement: the last ANALYZE counts, as the server reads booleans. */
export function explainOf(node: Fields): 'plan' | 'analyze' {
  let analyze = false;
  for (const option of items(node['options'])) {
    const element = fields(fields(option)?.['DefElem']);
    if (text(element?.['defname'])?.toLowerCase() === 'analyze') analyze = booleanOf(element?.['arg']);
  }
  return analyze ? 'analyze' : 'plan';
}

/** defGetBoolean: absent, true, on, and numbers other than 0. What it would refuse counts as true. */
function booleanOf(arg: unknown): boolean {
  const node = fields(arg);
  if (node === null) return true;
  const integer = fields(node['Integer']);
  if (integer !== null) return Number(integer['ival'] ?? 0) !== 0;
  const boolean = fields(node['Boolean']);
  if (boolean !== null) return boolean['boolval'] === true;
  return !['false', 'off'].includes((text(fields(node['String'])?.['sval']) ?? '').toLowerCase());
}
