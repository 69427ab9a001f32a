/** Who is an agent of this installation, as the API and `interlock skill` show it. No field is a secret. */
import type { Static } from 'typebox';
import { Timestamp } from './common.ts';
import { Ceilings } from './decision-request.ts';
import { AgentHuman, PublicJwk } from './event-agent.ts';

const text = { type: 'string' } as const;
const names = { type: 'array', items: text } as const;

/** What agents are called: also the name of a skill, which has no more than this (and not the words below). */
export const AGENT_NAME = '^[a-z0-9]+(-[a-z0-9]+)*$';
export const AGENT_NAME_CHARS = 63;
export const AGENT_NAME_RESERVED: readonly string[] = ['anthropic', 'claude'];

export const AgentView = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'state', 'subject', 'owner', 'targets', 'groups', 'ceilings', 'key_id', 'key_since', 'sessions', 'by'],
  properties: {
    name: text,
    /** silent: its human was not seen for too long, or their groups are not known; it gets no tokens. */ state: {
      enum: ['active', 'silent', 'removed'],
    },
    /** `iss|sub`, as sessions, events and policies name it. */ subject: text,
    owner: AgentHuman,
    targets: names,
    groups: names,
    ceilings: Ceilings,
    key_id: text,
    key_since: Timestamp,
    /** Open now. */ sessions: { type: 'integer', minimum: 0 },
    by: text,
  },
} as const;
export type AgentView = Static<typeof AgentView>;

export const AgentAsk = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'targets', 'key'],
  properties: {
    name: text,
    targets: names,
    /** Login. Absent: who asks. */ owner: text,
    /** Absent: its owner’s, as they are now. */ groups: names,
    ceilings: Ceilings,
    key: PublicJwk,
  },
} as const;
export type AgentAsk = Static<typeof AgentAsk>;

/** One thing that an agent tries in thought, and what would become of it. */
export const Claim = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'target', 'protocol', 'what', 'effect', 'codes', 'reason'],
  properties: {
    id: text,
    target: text,
    protocol: text,
    /** `read customers` */ what: text,
    /** SQL, or `POST /v1/refunds`, or a tool: what was asked about. */ statement: text,
    /** Of an API or an MCP server, in the place of `statement` for `interlock decide --cases`. */
    http: { type: 'object' },
    mcp: { type: 'object' },
    effect: { enum: ['allow', 'mask', 'require_approval', 'deny'] },
    codes: names,
    /** In the words of the policy that decided. */ reason: text,
    hint: text,
    /** Columns and paths that come back masked. */ masked: names,
    /** Groups and people who may approve. */ approvers: names,
  },
} as const;
export type Claim = Static<typeof Claim>;

export const AgentClaims = {
  type: 'object',
  additionalProperties: false,
  required: ['contract', 'agent', 'revision', 'subject', 'claims', 'unknown'],
  properties: {
    contract: { const: 1 },
    agent: text,
    /** Of the policies that were asked. */ revision: text,
    /** As it was judged; `interlock decide --cases` takes it. */ subject: { type: 'object' },
    claims: { type: 'array', items: Claim },
    /** Targets of which nothing is known yet. */ unknown: names,
  },
} as const;
export type AgentClaims = Static<typeof AgentClaims>;
