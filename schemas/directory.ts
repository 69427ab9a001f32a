/** `data.directory`: who is whose manager, who owns what, which accounts are one human. A data document of the policies; approvals read it. */
import type { Static } from 'typebox';

const name = { type: 'string', minLength: 1, maxLength: 512 } as const;
const Group = { type: 'object', additionalProperties: false, required: ['group'], properties: { group: name } } as const;
const User = { type: 'object', additionalProperties: false, required: ['user'], properties: { user: name } } as const;
/** A login or subject id, or a member of a group. */
const Member = { anyOf: [Group, User] } as const;
const Members = { type: 'array', maxItems: 256, items: Member } as const;

/** One human and their accounts. What is linked here is one person for every rule about who may decide. */
const Person = {
  type: 'object',
  additionalProperties: false,
  required: ['id'],
  properties: {
    id: name,
    logins: { type: 'array', maxItems: 64, items: name },
    /** `iss|sub` */ subjects: { type: 'array', maxItems: 64, items: name },
  },
} as const;

/** All that is said must hold; one that says nothing owns everything. */
const Owner = {
  type: 'object',
  additionalProperties: false,
  required: ['approvers'],
  properties: {
    target: name,
    /** all of these labels, on the target */ labels: { type: 'object', additionalProperties: name },
    /** `public.payments`, or `public.*` */ table: name,
    approvers: Members,
  },
} as const;

export const Directory = {
  type: 'object',
  additionalProperties: false,
  properties: {
    people: { type: 'array', maxItems: 20_000, items: Person },
    /** whose → by whom: each a login, subject id, or id of `people` */
    managers: { type: 'object', additionalProperties: { anyOf: [name, { type: 'array', maxItems: 16, items: name }] } },
    owners: { type: 'array', maxItems: 10_000, items: Owner },
    roles: { type: 'object', additionalProperties: Members },
  },
} as const;
export type Directory = Static<typeof Directory>;
