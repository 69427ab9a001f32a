/** What packages of scope `access` see: a question of an enforcement point that is not ours, in AuthZEN's own words. */
import type { Static } from 'typebox';
import { Timestamp } from './common.ts';
import { ApprovalContext } from './decision-request.ts';

const text = { type: 'string', minLength: 1 } as const;
/** Whatever the enforcement point says: only it knows what is true of its world. */
const Free = { type: 'object', additionalProperties: true, properties: {} } as const;
const Entity = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'id', 'properties'],
  properties: { type: text, id: text, properties: Free },
} as const;

export const AccessRequest = {
  type: 'object',
  additionalProperties: false,
  required: ['stage', 'subject', 'action', 'resource', 'context'],
  properties: {
    stage: { const: 'access' },
    subject: Entity,
    action: { type: 'object', additionalProperties: false, required: ['name', 'properties'], properties: { name: text, properties: Free } },
    resource: Entity,
    context: {
      type: 'object',
      additionalProperties: false,
      required: ['time', 'evaluation_id', 'enforcer', 'supported_obligations', 'given'],
      properties: {
        time: Timestamp,
        evaluation_id: text,
        /** Whose token asked. */
        enforcer: {
          type: 'object',
          additionalProperties: false,
          required: ['id', 'login', 'groups'],
          properties: { id: text, login: text, groups: { type: 'array', items: { type: 'string' } } },
        },
        approval: ApprovalContext,
        supported_obligations: { type: 'array', items: { type: 'string' } },
        /** The `context` that came with the question. */
        given: Free,
      },
    },
  },
} as const;

/** By hand: what is free has no type of its own. */
export interface AccessRequest {
  readonly stage: 'access';
  readonly subject: AccessEntity;
  readonly action: { readonly name: string; readonly properties: Readonly<Record<string, unknown>> };
  readonly resource: AccessEntity;
  readonly context: {
    readonly time: string;
    readonly evaluation_id: string;
    readonly enforcer: { readonly id: string; readonly login: string; readonly groups: readonly string[] };
    readonly approval?: Static<typeof ApprovalContext>;
    readonly supported_obligations: readonly string[];
    readonly given: Readonly<Record<string, unknown>>;
  };
}

export interface AccessEntity {
  readonly type: string;
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
}
