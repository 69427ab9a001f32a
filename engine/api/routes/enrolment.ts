/** Who is an enforcer of this installation. For members of `api.admins` alone, each with a token of their own that may decide (scope `approve`). */
import { InterlockError } from '#schemas/errors';
import { ENFORCER_NAME } from '#schemas/enrolment';
import type { Answer, Call, Route } from '../call.ts';
import { matching, optional, readBody } from '../fields.ts';
import { enrolmentOf } from '../ready.ts';

const NAMED = new RegExp(`^/v1/enrolment/(${ENFORCER_NAME.slice(1, -1)})$`);

export const ENROLMENT_ROUTES: readonly Route[] = [
  { method: 'GET', path: /^\/v1\/enrolment$/, scope: 'approve', query: [], answer: list },
  { method: 'POST', path: /^\/v1\/enrolment$/, scope: 'approve', query: [], answer: add },
  { method: 'GET', path: NAMED, scope: 'approve', query: [], answer: show },
  { method: 'DELETE', path: NAMED, scope: 'approve', query: [], answer: remove },
];

const NAME = matching(new RegExp(ENFORCER_NAME), 'a name of lower-case letters, digits, `-` and `_`');
const TTL_MS_MAX = 604_800_000;
const TARGETS_MAX = 64;

const ASK = {
  name: NAME,
  targets: { says: `a list of 1 to ${TARGETS_MAX} names of targets`, optional: false, read: targetsOf },
  ttl_ms: { says: `milliseconds, 1000 to ${TTL_MS_MAX}`, optional: false, read: ttlOf },
  replace: optional({ says: 'true or false', optional: false, read: (value: unknown) => (typeof value === 'boolean' ? value : undefined) }),
} as const;

function list(call: Call): Answer {
  requireAdmin(call);
  return { document: { items: enrolmentOf(call.house).list() } };
}

function show(call: Call): Answer {
  requireAdmin(call);
  return { document: enrolmentOf(call.house).show(call.id) };
}

async function add(call: Call): Promise<Answer> {
  const by = requireAdmin(call);
  const { name, targets, ttl_ms: ttlMs, replace = false } = readBody(call.body, ASK);
  const { code, enforcer } = await enrolmentOf(call.house).add({ name, targets, ttlMs, replace, by });
  return { document: { code, expires_at: enforcer.invited_until, enforcer } };
}

async function remove(call: Call): Promise<Answer> {
  const by = requireAdmin(call);
  return { document: await enrolmentOf(call.house).remove(call.id, by) };
}

/** Their login. Where nobody is named, nobody may: who reads everything is not who decides what may speak for a target. */
function requireAdmin({ principal, house }: Call): string {
  const { login, groups } = principal.subject.properties;
  if (!groups.some((group) => house.parts.admins.includes(group)))
    throw new InterlockError('NOT_ADMIN', 'only members of `api.admins` say who is an enforcer');
  return login;
}

function targetsOf(value: unknown): readonly string[] | undefined {
  if (!Array.isArray(value) || value.length < 1 || value.length > TARGETS_MAX) return undefined;
  const names = value.map((each) => NAME.read(each));
  return names.every((name) => name !== undefined) ? names : undefined;
}

function ttlOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1000 && value <= TTL_MS_MAX ? value : undefined;
}
