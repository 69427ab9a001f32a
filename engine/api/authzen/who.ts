/** Who asks, and for whom: an enforcement point is a service; a human or an agent asks for themselves alone. */
import type { Principal } from '#client/identity';
import { InterlockError } from '#schemas/errors';
import type { Subject } from '#schemas/decision-request';
import { AUTHZEN_LIMITS } from './limits.ts';
import type { Entity } from './question.ts';
import { wrong } from './question.ts';

export interface EnforcementPoint {
  /** `iss|sub` of its token: what approvals are bound to. */
  readonly id: string;
  readonly login: string;
  readonly groups: readonly string[];
  /** May ask for others. */
  readonly forOthers: boolean;
  readonly self: Subject;
}

/** @param evaluators groups of services; null: every service */
export function enforcementPoint({ subject }: Principal, evaluators: readonly string[] | null): EnforcementPoint {
  const { login, groups } = subject.properties;
  const forOthers = subject.type === 'service' && (evaluators === null || groups.some((group) => evaluators.includes(group)));
  return { id: subject.id, login, groups, forOthers, self: subject };
}

/** @throws InterlockError AUTH_SCOPE: this token asks for nobody else */
export function checkFor(point: EnforcementPoint, { id }: Entity): void {
  if (point.forOthers || isSelf(point, id)) return;
  throw new InterlockError('AUTH_SCOPE', 'this token asks for itself alone', {
    hint: 'A service whose group stands in `api.evaluators` asks for others; where that is not set, every service.',
  });
}

/** Of themselves they say nothing: what the token says counts. An enforcement point is believed what it says of others. @throws InterlockError USAGE */
export function subjectOf(point: EnforcementPoint, given: Entity): Subject {
  if (!point.forOthers || given.id === point.id) return point.self;
  const { login, groups, on_behalf_of: owner, acr, auth_time: authTime } = given.properties;
  return {
    type: given.type === 'agent' || given.type === 'service' ? given.type : 'user',
    id: given.id,
    properties: {
      login: login === undefined ? plainName(given.id, 'subject.id') : plainName(login, 'subject.properties.login'),
      groups: groupsOf(groups, 'subject.properties.groups'),
      ...(typeof acr === 'string' && { acr }),
      ...(typeof authTime === 'string' && { auth_time: authTime }),
      ...(owner !== undefined && { on_behalf_of: ownerOf(owner) }),
    },
  };
}

function isSelf(point: EnforcementPoint, id: string): boolean {
  return id === point.id || id === point.login;
}

function ownerOf(value: unknown): { id: string; login: string; groups: string[] } {
  const given = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  const at = 'subject.properties.on_behalf_of';
  return {
    id: plainName(given['id'], `${at}.id`),
    login: plainName(given['login'] ?? given['id'], `${at}.login`),
    groups: groupsOf(given['groups'], `${at}.groups`),
  };
}

function groupsOf(value: unknown, what: string): string[] {
  if (value === undefined) return [];
  if (
    !Array.isArray(value) ||
    value.length > AUTHZEN_LIMITS.groups ||
    !value.every((one) => typeof one === 'string' && one.length <= AUTHZEN_LIMITS.nameChars)
  )
    throw wrong(`\`${what}\` is not a list of at most ${AUTHZEN_LIMITS.groups} names`);
  return value as string[];
}

/** No blank, control, bidirectional or zero-width character: what a reviewer reads is who it is (M8). */
function plainName(value: unknown, what: string): string {
  if (typeof value === 'string' && /^[^\p{C}\p{Z}]{1,256}$/u.test(value)) return value;
  throw wrong(`\`${what}\` is not a name`);
}
