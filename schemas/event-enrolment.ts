/** CONTRACT §4: who is an enforcer of this installation. The registry is a fold over these, each enforcer a stream of its own (`enforcer:NAME`). */
import type { Static } from 'typebox';
import { Digest, Timestamp } from './common.ts';
import { Ordered } from './event-ordered.ts';

const text = { type: 'string' } as const;
const names = { type: 'array', minItems: 1, items: text } as const;

/** A join code was made. Of the code itself only the hash is known from here on. */
export const EnforcerInvited = {
  type: 'object',
  required: ['type', 'enforcer', 'enrolment_id', 'targets', 'code_hash', 'expires_at', 'by'],
  properties: {
    type: { const: 'enforcer.invited' },
    ordered: Ordered,
    enforcer: text,
    /** What its certificates will name: they are valid as long as this enrolment is. */ enrolment_id: text,
    targets: names,
    /** SHA-256 of the code’s 192 random bits. */ code_hash: Digest,
    expires_at: Timestamp,
    by: text,
  },
} as const;
export type EnforcerInvited = Static<typeof EnforcerInvited>;

/** The code was used: by the holder of this key, once. Durable before the certificate leaves the engine. */
export const EnforcerJoined = {
  type: 'object',
  required: ['type', 'enforcer', 'enrolment_id', 'serial', 'key', 'not_after'],
  properties: {
    type: { const: 'enforcer.joined' },
    ordered: Ordered,
    enforcer: text,
    enrolment_id: text,
    /** Of the certificate, hexadecimal. */ serial: text,
    /** SHA-256 of the public key (SPKI). */ key: Digest,
    not_after: Timestamp,
  },
} as const;
export type EnforcerJoined = Static<typeof EnforcerJoined>;

export const EnforcerRenewed = {
  type: 'object',
  required: ['type', 'enforcer', 'enrolment_id', 'serial', 'key', 'not_after'],
  properties: { ...EnforcerJoined.properties, type: { const: 'enforcer.renewed' } },
} as const;
export type EnforcerRenewed = Static<typeof EnforcerRenewed>;

export const EnforcerRemoved = {
  type: 'object',
  required: ['type', 'enforcer', 'by'],
  properties: { type: { const: 'enforcer.removed' }, ordered: Ordered, enforcer: text, by: text },
} as const;
export type EnforcerRemoved = Static<typeof EnforcerRemoved>;
