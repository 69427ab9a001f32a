/** Agents: whose they are, what they may, and their end. Humans see and change their own; members of `api.admins` all of them. */
import { AGENT_NAME_CHARS } from '#schemas/agent';
import type { Ceilings } from '#schemas/decision-request';
import type { PublicJwk } from '#schemas/event-agent';
import type { Answer, Call, Route } from '../call.ts';
import { type Field, optional, readBody, text } from '../fields.ts';
import type { AgentAsking } from '../parts.ts';
import { agentsOf, claimsOf } from '../ready.ts';

const NAME = `[a-z0-9][a-z0-9-]{0,${AGENT_NAME_CHARS - 1}}`;
const NAMED = new RegExp(`^/v1/agents/(${NAME})$`);

export const AGENT_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/agents$/, scope: 'any', query: [], answer: list },
  { method: 'POST', path: /^\/v1\/agents$/, scope: 'any', query: [], answer: add },
  { method: 'GET', path: NAMED, scope: 'any', query: [], answer: show },
  { method: 'DELETE', path: NAMED, scope: 'any', query: [], answer: remove },
  { method: 'POST', path: new RegExp(`^/v1/agents/(${NAME})/rotate$`), scope: 'any', query: [], answer: rotate },
  { method: 'GET', path: new RegExp(`^/v1/agents/(${NAME})/claims$`), scope: 'any', query: [], answer: claims },
];

const NAMES_MAX = 100;
const NAME_CHARS = 256;

const ASK = {
  name: text(AGENT_NAME_CHARS),
  targets: namesField('names of targets'),
  owner: optional(text(512)),
  groups: optional(namesField('names of groups')),
  ceilings: optional(ceilingsField()),
  key: keyField(),
} as const;

async function list(call: Call): Promise<Answer> {
  return { document: { items: await agentsOf(call.house).list(asking(call)) } };
}

async function show(call: Call): Promise<Answer> {
  return { document: await agentsOf(call.house).show(call.id, asking(call)) };
}

async function add(call: Call): Promise<Answer> {
  const { name, targets, owner = null, groups = null, ceilings = {}, key } = readBody(call.body, ASK);
  return { document: await agentsOf(call.house).add({ name, targets, owner, groups, ceilings, key }, asking(call)) };
}

async function rotate(call: Call): Promise<Answer> {
  const { key } = readBody(call.body, { key: keyField() });
  return { document: await agentsOf(call.house).rotate(call.id, key, asking(call)) };
}

async function remove(call: Call): Promise<Answer> {
  return { document: await agentsOf(call.house).remove(call.id, asking(call)) };
}

async function claims(call: Call): Promise<Answer> {
  return { document: await claimsOf(call.house)(call.id, asking(call)) };
}

function asking({ principal, house }: Call): AgentAsking {
  const { groups } = principal.subject.properties;
  const decides = principal.scopes.includes('approve') && !principal.scopes.includes('connect');
  return { principal, admin: decides && groups.some((group) => house.parts.admins.includes(group)) };
}

function namesField(of: string): Field<readonly string[]> & { readonly optional: false } {
  return {
    says: `a list of at most ${NAMES_MAX} ${of}`,
    optional: false,
    read: (value) =>
      Array.isArray(value) && value.length <= NAMES_MAX && value.every((name) => typeof name === 'string' && name !== '' && name.length <= NAME_CHARS)
        ? (value as string[])
        : undefined,
  };
}

function ceilingsField(): Field<Ceilings> & { readonly optional: false } {
  const numbers = ['statements_per_minute', 'rows_per_hour', 'distinct_objects'];
  return {
    says: `{"read_only"?, ${numbers.map((name) => `"${name}"?`).join(', ')}}`,
    optional: false,
    read: (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
      const fits = Object.entries(value).every(
        ([name, one]) =>
          (name === 'read_only' && typeof one === 'boolean') || (numbers.includes(name) && Number.isSafeInteger(one) && (one as number) >= 0),
      );
      return fits ? (value as Ceilings) : undefined;
    },
  };
}

/** What it must be exactly, the desk says. */
function keyField(): Field<PublicJwk> & { readonly optional: false } {
  return {
    says: 'a public JWK',
    optional: false,
    read: (value) => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as PublicJwk) : undefined),
  };
}
