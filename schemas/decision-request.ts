/** CONTRACT §2: the decision request (AuthZEN 1.0 names), which is also the Rego `input`. */
import type { Static } from 'typebox';
import { Digest, Timestamp } from './common.ts';
import { HttpFacts } from './http-facts.ts';
import { McpFacts } from './mcp-facts.ts';
import { SqlFacts } from './sql-facts.ts';

const count = { type: 'integer', minimum: 0 } as const;

/** What an agent was told to stay below when it was added; policies may ask for less, never for more. */
export const Ceilings = {
  type: 'object',
  additionalProperties: false,
  properties: {
    read_only: { type: 'boolean' },
    statements_per_minute: count,
    rows_per_hour: count,
    /** In the last hour. */ distinct_objects: count,
  },
} as const;
export type Ceilings = Static<typeof Ceilings>;

/** What an agent did lately, as the enforcing process counted it; of agents alone. The statement that is judged counts, but for its rows. */
export const Usage = {
  type: 'object',
  additionalProperties: false,
  required: ['statements_last_minute', 'rows_last_hour', 'objects_last_hour', 'denials_last_5_minutes'],
  properties: { statements_last_minute: count, rows_last_hour: count, /** Distinct ones. */ objects_last_hour: count, denials_last_5_minutes: count },
} as const;
export type Usage = Static<typeof Usage>;

const Groups = { type: 'array', items: { type: 'string' } } as const;

export const Subject = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'id', 'properties'],
  properties: {
    type: { enum: ['user', 'service', 'agent'] },
    /** `iss|sub` */
    id: { type: 'string', minLength: 1 },
    properties: {
      type: 'object',
      additionalProperties: false,
      required: ['login', 'groups'],
      properties: {
        login: { type: 'string', minLength: 1 },
        groups: Groups,
        acr: { type: 'string' },
        auth_time: { type: 'string' },
        on_behalf_of: {
          type: 'object',
          additionalProperties: false,
          required: ['id', 'login', 'groups'],
          properties: {
            id: { type: 'string' },
            login: { type: 'string' },
            groups: Groups,
            /** The token names them for approvals only (the local issuer’s `--for`): rights are the agent’s own. Absent: what both may do. */
            named_only: { const: true },
          },
        },
        /** Of agents: the only targets that this token is for. Absent: any. */
        targets: { type: 'array', items: { type: 'string' } },
        ceilings: Ceilings,
        /** Of agents of this installation: the key (RFC 7638) that let it in. */
        key: { type: 'string' },
      },
    },
  },
} as const;
export type Subject = Static<typeof Subject>;

export const Resource = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'id', 'properties'],
  properties: {
    type: { enum: ['postgresql', 'ssh', 'http', 'mcp', 'mysql'] },
    /** The target's name. */
    id: { type: 'string', minLength: 1 },
    properties: {
      type: 'object',
      additionalProperties: false,
      required: ['env', 'labels'],
      properties: {
        env: { type: 'string' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        database: { type: 'string' },
        role: { type: 'string' },
        server_version: { type: 'string' },
      },
    },
  },
} as const;
export type Resource = Static<typeof Resource>;

export const TRANSACTION_STATES = ['idle', 'fresh', 'open', 'failed'] as const;
/** fresh: only BEGIN, allowed SETs and transaction control so far. */
export type TransactionState = (typeof TRANSACTION_STATES)[number];

/** Put there by the engine alone, after it verified the approval. */
export const ApprovalContext = {
  type: 'object',
  additionalProperties: false,
  required: ['valid', 'id', 'approved_by', 'requirement'],
  properties: { valid: { const: true }, id: { type: 'string' }, approved_by: { type: 'array', items: { type: 'string' } }, requirement: Digest },
} as const;
export type ApprovalContext = Static<typeof ApprovalContext>;

export const Client = {
  type: 'object',
  additionalProperties: false,
  required: ['address', 'application', 'tls'],
  properties: { address: { type: 'string' }, application: { type: 'string' }, tls: { type: 'boolean' } },
} as const;
export type Client = Static<typeof Client>;

export const Context = {
  type: 'object',
  additionalProperties: false,
  required: ['time', 'session_id', 'statement_id', 'client', 'supported_obligations'],
  properties: {
    time: Timestamp,
    session_id: { type: 'string' },
    statement_id: { type: 'string' },
    client: Client,
    transaction: { enum: TRANSACTION_STATES },
    /** What name resolution and meaning depend on: search_path, role … */
    settings: { type: 'object', additionalProperties: { type: 'string' } },
    approval: ApprovalContext,
    usage: Usage,
    supported_obligations: { type: 'array', items: { type: 'string' } },
  },
} as const;
export type Context = Static<typeof Context>;

export const DecisionRequest = {
  type: 'object',
  additionalProperties: false,
  required: ['stage', 'subject', 'action', 'resource', 'context', 'payload'],
  properties: {
    stage: { enum: ['session', 'request'] },
    subject: Subject,
    action: { type: 'object', additionalProperties: false, required: ['name'], properties: { name: { type: 'string', minLength: 1 } } },
    resource: Resource,
    context: Context,
    /** Exactly one of these at stage request. */
    sql: SqlFacts,
    http: HttpFacts,
    mcp: McpFacts,
    /** Never the text: policies cannot match on it. */
    payload: {
      type: 'object',
      additionalProperties: false,
      required: ['digest', 'bytes'],
      properties: { digest: Digest, bytes: { type: 'integer', minimum: 0 } },
    },
  },
} as const;
export type DecisionRequest = Static<typeof DecisionRequest>;
