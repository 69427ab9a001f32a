/** DDL: what is created, altered or dropped. What stands inside (defaults, checks, queries, bodies) is walked too. */
import { tableSource } from './from.ts';
import { named, object, option, role } from './objects.ts';
import type { Fields } from './parser.ts';
import { refOf } from './relations.ts';
import type { Verb } from './report.ts';
import { Scope } from './scope.ts';
import { as, fields, items, nameParts, text } from './tree.ts';
import type { ObjectRef } from '#schemas/sql-facts';
import type { Walk } from './walk.ts';

type Definition = (walk: Walk, node: Fields) => void;

/** Walks all fields but these. */
function inside(walk: Walk, node: Fields, ...except: readonly string[]): void {
  within(new Scope(null), walk, node, except);
}

function within(scope: Scope, walk: Walk, node: Fields, except: readonly string[]): void {
  for (const key in node) if (!except.includes(key) && typeof node[key] === 'object') walk.expression(node[key], 'other', scope);
}

/** The relation in this field, then the rest, which may name its columns. */
function onRelation(verb: Verb, field: string, ...except: readonly string[]): Definition {
  return (walk, node) => {
    const rangeVar = fields(node[field]);
    const scope = new Scope(null);
    if (rangeVar !== null) scope.sources.push(tableSource(walk.touch(rangeVar, verb), rangeVar));
    within(scope, walk, node, [field, ...except]);
  };
}

/** Something called by a plain name in this field. */
function called(verb: Verb, kind: ObjectRef['kind'], field: string): Definition {
  return (walk, node) => {
    walk.effect(verb, refOf(kind, undefined, text(node[field]) ?? '?'));
    inside(walk, node);
  };
}

/** Something with a possibly qualified name in this field. */
function qualified(verb: Verb, kind: ObjectRef['kind'], field: string, ...except: readonly string[]): Definition {
  return (walk, node) => {
    const names = nameParts(node[field]);
    named(walk, verb, kind, names.length > 0 ? names : nameParts(fields(node[field])?.['objname']));
    inside(walk, node, field, ...except);
  };
}

/** Its body is code that the text gives as a string, or that runs later under other eyes. */
function withCode(what: string, definition: Definition): Definition {
  return (walk, node) => {
    definition(walk, node);
    walk.unclear('dynamic_code', what);
  };
}

/** An address that the server connects to. */
function outwards(what: string, definition: Definition): Definition {
  return (walk, node) => {
    definition(walk, node);
    const host =
      text(as('String', option(node['options'], 'host'))?.['sval']) ?? /(?:^|\s)host\s*=\s*'?([^\s']+)/.exec(text(node['conninfo']) ?? '')?.[1];
    walk.effect('connect_out', refOf('host', undefined, host ?? '?'), host === undefined ? 'unknown' : 'named');
    walk.unclear('foreign_code', what);
  };
}

function each(verb: Verb, list: string, typeField: string): Definition {
  return (walk, node) => {
    for (const item of items(node[list])) object(walk, verb, String(node[typeField]), item);
  };
}

/** RENAME, SET SCHEMA, OWNER TO, DEPENDS ON, COMMENT, SECURITY LABEL: `relation` or `object`. */
function one(verb: Verb, typeField: string): Definition {
  return (walk, node) => {
    const rangeVar = fields(node['relation']);
    if (rangeVar !== null) walk.touch(rangeVar, verb);
    else if (node['object'] === undefined) walk.effect(verb, refOf(kindOf(String(node[typeField])), undefined, text(node['subname']) ?? '?'));
    else object(walk, verb, String(node[typeField]), node['object']);
    if (node['newowner'] !== undefined) role(walk, 'grant', node['newowner']);
    const schema = text(node['newschema']);
    if (schema !== null) walk.effect('alter', refOf('schema', undefined, schema));
  };
}

function kindOf(type: string): ObjectRef['kind'] {
  return type === 'OBJECT_SCHEMA' ? 'schema' : type === 'OBJECT_ROLE' ? 'role' : 'other';
}

function roles(verb: Verb): Definition {
  return (walk, node) => {
    for (const item of items(node['roles'])) role(walk, verb, item);
    if (node['newrole'] !== undefined) role(walk, 'grant', node['newrole']);
  };
}

/** CREATE TABLE: its parents and what it is LIKE or refers to are read. */
const createTable: Definition = onRelation('create', 'relation');

function createTableAs(walk: Walk, node: Fields): void {
  const into = fields(node['into']) ?? {};
  walk.touch(fields(into['rel']) ?? {}, 'create');
  const query = fields(node['query']) ?? {};
  // CREATE TABLE … AS EXECUTE
  if ('ExecuteStmt' in query) walk.utility('ExecuteStmt', fields(query['ExecuteStmt']) ?? {});
  else walk.query(query, 'other', new Scope(null));
}

function createSchema(walk: Walk, node: Fields): void {
  walk.effect('create', refOf('schema', undefined, text(node['schemaname']) ?? '?'));
  inside(walk, node);
}

/** The function of a trigger runs with every later write. */
function createTrigger(walk: Walk, node: Fields): void {
  walk.touch(fields(node['relation']) ?? {}, 'alter');
  walk.effect('create', refOf('other', undefined, text(node['trigname']) ?? '?'));
  walk.expression({ FuncCall: { funcname: node['funcname'], args: [] } }, 'other', new Scope(null));
  inside(walk, node, 'relation', 'funcname', 'args', 'columns');
  walk.unclear('dynamic_code', 'CREATE TRIGGER: code that later statements run');
}

function createRole(verb: Verb): Definition {
  return (walk, node) => {
    const name = text(node['role']);
    if (name === null) role(walk, verb, node['role']);
    else walk.effect(verb, refOf('role', undefined, name));
  };
}

const KINDS_DEFINED: Readonly<Record<string, ObjectRef['kind']>> = { OBJECT_AGGREGATE: 'function' };

export const definitions: Readonly<Record<string, Definition>> = {
  CreateStmt: createTable,
  CreateTableAsStmt: createTableAs,
  ViewStmt(walk, node) {
    walk.touch(fields(node['view']) ?? {}, 'create');
    walk.query(node['query'], 'other', new Scope(null));
  },
  IndexStmt: onRelation('alter', 'relation'),
  CreateSchemaStmt: createSchema,
  CreateSeqStmt: onRelation('create', 'sequence'),
  CompositeTypeStmt(walk, node) {
    walk.effect('create', walk.relations.resolve(fields(node['typevar']) ?? {}).ref);
    inside(walk, node, 'typevar');
  },
  CreateEnumStmt: qualified('create', 'other', 'typeName', 'vals'),
  CreateRangeStmt: qualified('create', 'other', 'typeName'),
  CreateDomainStmt: qualified('create', 'other', 'domainname'),
  CreateFunctionStmt: withCode('CREATE FUNCTION or PROCEDURE: a body of code', qualified('create', 'function', 'funcname')),
  CreateTrigStmt: createTrigger,
  CreateEventTrigStmt: withCode('CREATE EVENT TRIGGER: code that later statements run', called('create', 'other', 'trigname')),
  RuleStmt: withCode('CREATE RULE: statements that later statements run', onRelation('alter', 'relation')),
  CreatePolicyStmt: withCode('CREATE POLICY: expressions that later statements run', onRelation('alter', 'table')),
  CreateExtensionStmt: withCode('CREATE EXTENSION: a script', called('create', 'other', 'extname')),
  DefineStmt: withCode('CREATE AGGREGATE, OPERATOR, TYPE …: functions under another name', (walk, node) => {
    // what it is defined by reads as types, and may name any function
    named(walk, 'create', KINDS_DEFINED[String(node['kind'])] ?? 'other', nameParts(node['defnames']));
    inside(walk, node, 'defnames', 'definition');
  }),
  CreateOpClassStmt: withCode('CREATE OPERATOR CLASS', qualified('create', 'other', 'opclassname')),
  CreateOpFamilyStmt: qualified('create', 'other', 'opfamilyname'),
  CreateCastStmt: withCode('CREATE CAST: a function under another name', (walk, node) => {
    walk.effect('create', refOf('other', undefined, 'cast'));
    inside(walk, node);
  }),
  CreateConversionStmt: withCode('CREATE CONVERSION', qualified('create', 'other', 'conversion_name')),
  CreateTransformStmt: withCode('CREATE TRANSFORM', called('create', 'other', 'lang')),
  CreatePLangStmt: withCode('CREATE LANGUAGE', called('create', 'other', 'plname')),
  CreateAmStmt: withCode('CREATE ACCESS METHOD', called('create', 'other', 'amname')),
  CreateStatsStmt: qualified('create', 'other', 'defnames'),
  CreateForeignTableStmt: outwards('CREATE FOREIGN TABLE', (walk, node) =>
    createTable(walk, fields(node['base']) ?? fields(node['base_stmt']) ?? {}),
  ),
  CreateFdwStmt: withCode('CREATE FOREIGN DATA WRAPPER', called('create', 'other', 'fdwname')),
  CreateForeignServerStmt: outwards('CREATE SERVER', called('create', 'other', 'servername')),
  CreateUserMappingStmt: called('create', 'other', 'servername'),
  ImportForeignSchemaStmt: outwards('IMPORT FOREIGN SCHEMA', called('create', 'schema', 'local_schema')),
  CreatePublicationStmt(walk, node) {
    called('create', 'other', 'pubname')(walk, node);
    walk.effect('replicate', refOf('other', undefined, text(node['pubname']) ?? '?'));
  },
  CreateSubscriptionStmt: outwards('CREATE SUBSCRIPTION', (walk, node) => {
    walk.effect('create', refOf('other', undefined, text(node['subname']) ?? '?'));
    walk.effect('replicate', refOf('other', undefined, text(node['subname']) ?? '?'));
  }),
  CreatedbStmt: called('create', 'other', 'dbname'),
  CreateTableSpaceStmt(walk, node) {
    walk.effect('create', refOf('other', undefined, text(node['tablespacename']) ?? '?'));
    walk.effect('write_file', refOf('file', undefined, text(node['location']) ?? '?'));
  },
  CreateRoleStmt: createRole('create'),
  AlterTableStmt(walk, node) {
    onRelation('alter', 'relation')(walk, node);
    for (const command of items(node['cmds'])) role(walk, 'grant', as('AlterTableCmd', command)?.['newowner']);
  },
  AlterSeqStmt: onRelation('alter', 'sequence'),
  AlterEnumStmt: qualified('alter', 'other', 'typeName'),
  AlterTypeStmt: qualified('alter', 'other', 'typeName'),
  AlterDomainStmt: qualified('alter', 'other', 'typeName'),
  AlterFunctionStmt: withCode('ALTER FUNCTION', qualified('alter', 'function', 'func')),
  AlterExtensionStmt: withCode('ALTER EXTENSION: a script', called('alter', 'other', 'extname')),
  AlterExtensionContentsStmt: called('alter', 'other', 'extname'),
  AlterPolicyStmt: withCode('ALTER POLICY: expressions that later statements run', onRelation('alter', 'table')),
  AlterEventTrigStmt: called('alter', 'other', 'trigname'),
  AlterObjectDependsStmt: one('alter', 'objectType'),
  AlterObjectSchemaStmt: one('alter', 'objectType'),
  AlterOwnerStmt: one('alter', 'objectType'),
  RenameStmt: one('alter', 'renameType'),
  AlterOperatorStmt: qualified('alter', 'other', 'opername'),
  AlterOpFamilyStmt: withCode('ALTER OPERATOR FAMILY', qualified('alter', 'other', 'opfamilyname')),
  AlterCollationStmt: qualified('alter', 'other', 'collname'),
  AlterStatsStmt: qualified('alter', 'other', 'defnames'),
  AlterTSConfigurationStmt: qualified('alter', 'other', 'cfgname'),
  AlterTSDictionaryStmt: qualified('alter', 'other', 'dictname'),
  AlterTableMoveAllStmt: called('alter', 'other', 'orig_tablespacename'),
  AlterRoleStmt: createRole('alter'),
  AlterUserMappingStmt: called('alter', 'other', 'servername'),
  AlterDatabaseStmt: called('alter', 'other', 'dbname'),
  AlterDatabaseRefreshCollStmt: called('alter', 'other', 'dbname'),
  AlterTableSpaceOptionsStmt: called('alter', 'other', 'tablespacename'),
  AlterPublicationStmt(walk, node) {
    called('alter', 'other', 'pubname')(walk, node);
    walk.effect('replicate', refOf('other', undefined, text(node['pubname']) ?? '?'));
  },
  AlterSubscriptionStmt: outwards('ALTER SUBSCRIPTION', called('alter', 'other', 'subname')),
  AlterForeignServerStmt: outwards('ALTER SERVER', called('alter', 'other', 'servername')),
  AlterFdwStmt: withCode('ALTER FOREIGN DATA WRAPPER', called('alter', 'other', 'fdwname')),
  DropStmt: each('drop', 'objects', 'removeType'),
  DropRoleStmt: roles('drop'),
  DropOwnedStmt(walk, node) {
    roles('alter')(walk, node);
    walk.unclear('unknown_object', 'DROP OWNED: everything that the role owns');
  },
  ReassignOwnedStmt(walk, node) {
    roles('alter')(walk, node);
    walk.unclear('unknown_object', 'REASSIGN OWNED: everything that the role owns');
  },
  DropdbStmt: called('drop', 'other', 'dbname'),
  DropTableSpaceStmt: called('drop', 'other', 'tablespacename'),
  DropSubscriptionStmt: called('drop', 'other', 'subname'),
  DropUserMappingStmt: called('drop', 'other', 'servername'),
  CommentStmt: one('alter', 'objtype'),
  SecLabelStmt: one('alter', 'objtype'),
};
