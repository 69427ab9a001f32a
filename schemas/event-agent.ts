/**
 * CONTRACT §4: who is an agent of this installation. The registry is a fold over these, each agent a stream of its own (`agent:NAME`). Every event but
 * the removal tells the agent whole: the newest one is enough.
 */
import type { Static } from 'typebox';
import { Timestamp } from './common.ts';
import { Ceilings } from './decision-request.ts';
import { Ordered } from './event-ordered.ts';

const text = { type: 'string' } as const;
const names = { type: 'array', items: text } as const;

/** What a small set of algorithms needs, and nothing private. RFC 7517, RFC 8037 */
export const PublicJwk = {
  type: 'object',
  additionalProperties: false,
  required: ['kty', 'crv', 'x'],
  properties: { kty: { enum: ['OKP', 'EC'] }, crv: { enum: ['Ed25519', 'P-256'] }, x: text, y: text },
} as const;
export type PublicJwk = Static<typeof PublicJwk>;

/** The human behind an agent, as they were last known. */
export const AgentHuman = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'login', 'groups', 'seen_at'],
  properties: {
    /** `iss|sub`; null: named, but not seen yet. */ id: { anyOf: [text, { type: 'null' }] },
    login: text,
    /** null: not known, and then the agent has no rights. */ groups: { anyOf: [names, { type: 'null' }] },
    /** When the token that said so was issued. */ seen_at: { anyOf: [Timestamp, { type: 'null' }] },
  },
} as const;
export type AgentHuman = Static<typeof AgentHuman>;

export const AgentRecord = {
  type: 'object',
  additionalProperties: false,
  required: ['owner', 'targets', 'groups', 'ceilings', 'key', 'key_id', 'key_since'],
  properties: {
    owner: AgentHuman,
    /** At least one. */ targets: names,
    /** Of its own. */ groups: names,
    ceilings: Ceilings,
    key: PublicJwk,
    /** RFC 7638, SHA-256. */ key_id: text,
    /** What it did with an earlier key has ended. */ key_since: Timestamp,
  },
} as const;
export type AgentRecord = Static<typeof AgentRecord>;

const told = <const T extends string>(
  type: T,
): {
  readonly type: 'object';
  readonly required: readonly ['type', 'agent', 'record', 'by'];
  readonly properties: {
    readonly type: { readonly const: T };
    readonly ordered: typeof Ordered;
    readonly agent: typeof text;
    readonly record: typeof AgentRecord;
    readonly by: typeof text;
  };
} => ({
  type: 'object',
  required: ['type', 'agent', 'record', 'by'],
  properties: { type: { const: type }, ordered: Ordered, agent: text, record: AgentRecord, by: text },
});

export const AgentAdded = told('agent.added');
export type AgentAdded = Static<typeof AgentAdded>;

/** Another key: from now on nothing counts that the one before signed, or was let in by. */
export const AgentRotated = told('agent.rotated');
export type AgentRotated = Static<typeof AgentRotated>;

/** Its human was seen again, or it was written down again because the last event of it had grown old. */
export const AgentRenewed = told('agent.renewed');
export type AgentRenewed = Static<typeof AgentRenewed>;

export const AgentRemoved = {
  type: 'object',
  required: ['type', 'agent', 'by'],
  properties: { type: { const: 'agent.removed' }, ordered: Ordered, agent: text, by: text },
} as const;
export type AgentRemoved = Static<typeof AgentRemoved>;

/** A key with which an engine signs agents’ tokens: all engines accept it. */
export const AgentIssuer = {
  type: 'object',
  required: ['type', 'issuer', 'key', 'seen_at'],
  properties: { type: { const: 'agent.issuer' }, ordered: Ordered, /** The key’s id. */ issuer: text, key: PublicJwk, seen_at: Timestamp },
} as const;
export type AgentIssuer = Static<typeof AgentIssuer>;

/** It was told “no” too often in too short a time (`agents.cool_down`): until then it is told nothing else. */
export const AgentCooled = {
  type: 'object',
  required: ['type', 'agent', 'denials', 'until'],
  properties: {
    type: { const: 'agent.cooled' },
    /** `iss|sub` */ agent: text,
    denials: { type: 'integer', minimum: 1 },
    within_ms: { type: 'integer' },
    until: Timestamp,
  },
} as const;
export type AgentCooled = Static<typeof AgentCooled>;
