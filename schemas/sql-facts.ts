/** CONTRACT §1: what is known of a SQL text. Total: a parser never throws; what is missing is named in `opaque`. */
import type { Static } from 'typebox';
import { Digest } from './common.ts';
import { SQL_CLASSES, SQL_KINDS, type SqlKind } from './sql-kinds.ts';

/** UTF-8 byte offsets into the text, end exclusive. */
export const Span = {
  type: 'object',
  additionalProperties: false,
  required: ['start', 'end'],
  properties: { start: { type: 'integer', minimum: 0 }, end: { type: 'integer', minimum: 0 } },
} as const;
export type Span = Static<typeof Span>;

/** resolved: by the catalog; named: by name only; ambiguous: several candidates; unknown: cannot be told. */
export const Confidence = { enum: ['resolved', 'named', 'ambiguous', 'unknown'] } as const;
export type Confidence = 'resolved' | 'named' | 'ambiguous' | 'unknown';

export const ObjectRef = {
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'name', 'qualified'],
  properties: {
    kind: { enum: ['table', 'view', 'column', 'function', 'schema', 'role', 'setting', 'file', 'host', 'operation', 'field', 'tool', 'other'] },
    database: { type: 'string' },
    schema: { type: 'string' },
    name: { type: 'string' },
    oid: { type: 'string' },
    /** How policy spells it: `public.payments`. */
    qualified: { type: 'string' },
  },
} as const;
export type ObjectRef = Static<typeof ObjectRef>;

/** `inherits`: the object is reached because it is a parent or child of, or stores rows of, the one named (ADR 0002). */
export const Via = {
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'name'],
  properties: { kind: { enum: ['view', 'trigger', 'rule', 'default', 'policy', 'foreign_key', 'function', 'inherits'] }, name: { type: 'string' } },
} as const;
export type Via = Static<typeof Via>;

export const Effect = {
  type: 'object',
  additionalProperties: false,
  required: ['verb', 'object', 'statement', 'via', 'confidence'],
  properties: {
    verb: {
      enum: [
        'read',
        'insert',
        'update',
        'delete',
        'truncate',
        'lock',
        'create',
        'alter',
        'drop',
        'grant',
        'execute',
        'read_file',
        'write_file',
        'run_program',
        'connect_out',
        'signal',
        'replicate',
        'transaction',
      ],
    },
    object: ObjectRef,
    statement: { type: 'integer', minimum: 0 },
    /** [] = written in the text. */
    via: { type: 'array', items: Via },
    confidence: Confidence,
  },
} as const;
export type Effect = Static<typeof Effect>;

export const ColumnUse = {
  type: 'object',
  additionalProperties: false,
  required: ['column', 'in', 'confidence'],
  properties: {
    /** `public.payments.status` or `public.payments.*`. */
    column: { type: 'string' },
    in: { enum: ['output', 'predicate', 'write', 'other'] },
    confidence: Confidence,
  },
} as const;
export type ColumnUse = Static<typeof ColumnUse>;

export const OutputColumn = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'sources', 'direct'],
  properties: {
    name: { type: 'string' },
    /** columns; ["?"] unknown */ sources: { type: 'array', items: { type: 'string' } },
    direct: { type: 'boolean' },
  },
} as const;
export type OutputColumn = Static<typeof OutputColumn>;

export const FUNCTION_CLASSES = ['pure', 'catalog', 'file', 'network', 'session', 'admin', 'sql', 'user', 'unknown'] as const;
export type FunctionClass = (typeof FUNCTION_CLASSES)[number];

export const FunctionUse = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'class'],
  properties: {
    /** `pg_catalog.lower` */ name: { type: 'string' },
    oid: { type: 'string' },
    class: { enum: FUNCTION_CLASSES },
    volatility: { enum: ['i', 's', 'v'] },
  },
} as const;
export type FunctionUse = Static<typeof FunctionUse>;

export const SqlStatement = {
  type: 'object',
  additionalProperties: false,
  required: ['index', 'parent', 'kind', 'class', 'span', 'shape', 'where', 'limit', 'locking', 'columns', 'output', 'functions', 'explain'],
  properties: {
    index: { type: 'integer', minimum: 0 },
    /** The statement whose DO body, EXECUTE string or function argument this is. */
    parent: { anyOf: [{ type: 'integer', minimum: 0 }, { type: 'null' }] },
    // one element that is the whole union: from an array of unknown length nothing could be derived
    kind: { enum: Object.keys(SQL_KINDS) as unknown as readonly [SqlKind] },
    class: { enum: SQL_CLASSES },
    span: Span,
    /** The same for texts that differ in literals, blanks and comments only. */
    shape: Digest,
    /** bound: in every branch a column of the target relation equals a literal, a parameter or a list of them; keyed: those columns hold a unique key. */
    where: { enum: ['none', 'constant', 'bound', 'keyed', 'other'] },
    limit: { anyOf: [{ type: 'number' }, { enum: ['param', 'none'] }] },
    locking: { type: 'boolean' },
    columns: { type: 'array', items: ColumnUse },
    output: { type: 'array', items: OutputColumn },
    /** Operators and casts that are not built in are functions too. */
    functions: { type: 'array', items: FunctionUse },
    explain: { enum: ['no', 'plan', 'analyze'] },
    copy: {
      type: 'object',
      additionalProperties: false,
      required: ['direction', 'through'],
      properties: { direction: { enum: ['in', 'out'] }, through: { enum: ['stdio', 'file', 'program'] } },
    },
  },
} as const;
export type SqlStatement = Static<typeof SqlStatement>;

export const SessionEffect = {
  type: 'object',
  additionalProperties: false,
  required: ['op', 'name', 'value', 'local'],
  properties: {
    op: { enum: ['set', 'reset', 'set_role', 'set_session_authorization', 'discard'] },
    name: { type: 'string' },
    value: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    local: { type: 'boolean' },
  },
} as const;
export type SessionEffect = Static<typeof SessionEffect>;

export const Param = {
  type: 'object',
  additionalProperties: false,
  required: ['index', 'type', 'value', 'encoding', 'flows_to_code'],
  properties: {
    index: { type: 'integer', minimum: 1 },
    type: { type: 'string' },
    value: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    encoding: { enum: ['text', 'base64'] },
    flows_to_code: { type: 'boolean' },
  },
} as const;
export type Param = Static<typeof Param>;

export const OPAQUE_CODES = [
  'syntax',
  'budget',
  'encoding',
  'dynamic_code',
  'unknown_statement',
  'unknown_object',
  'ambiguous_object',
  'foreign_code',
  'unknown_cursor',
  'unknown_prepared',
  'unsupported',
] as const;
export type OpaqueCode = (typeof OPAQUE_CODES)[number];

export const Opaque = {
  type: 'object',
  additionalProperties: false,
  required: ['code', 'detail'],
  properties: { code: { enum: OPAQUE_CODES }, detail: { type: 'string' }, span: Span, statement: { type: 'integer', minimum: 0 } },
} as const;
export type Opaque = Static<typeof Opaque>;

export const SqlFacts = {
  type: 'object',
  additionalProperties: false,
  required: ['dialect', 'parser', 'parsed', 'statements', 'effects', 'session', 'params', 'opaque'],
  properties: {
    dialect: { enum: ['postgresql', 'mysql', 'mariadb'] },
    parser: {
      type: 'object',
      additionalProperties: false,
      required: ['name', 'major'],
      properties: { name: { type: 'string' }, major: { type: 'integer' } },
    },
    /** false: `statements` is empty and `opaque` says why. */
    parsed: { type: 'boolean' },
    /** As sent, in order, each followed by the code found inside it. */
    statements: { type: 'array', items: SqlStatement },
    /** The union over statements, nested code and closure. */
    effects: { type: 'array', items: Effect },
    session: { type: 'array', items: SessionEffect },
    /** Of the protocol; empty at sql.prepare. */
    params: { type: 'array', items: Param },
    opaque: { type: 'array', items: Opaque },
    estimate: {
      type: 'object',
      additionalProperties: false,
      required: ['rows', 'cost', 'exact'],
      properties: { rows: { type: 'number' }, cost: { type: 'number' }, exact: { const: false } },
    },
  },
} as const;
export type SqlFacts = Static<typeof SqlFacts>;
