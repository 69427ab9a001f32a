/** Verified claims → a principal. Anything that does not have the form that is expected here refuses the token. */
import type { JWTPayload } from 'jose';
import { timestamp } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Subject } from '#schemas/decision-request';
import type { IssuerConfig } from './issuer.ts';
import { Refused } from './refused.ts';

const GROUPS_MAX = 1_000;
const NAME_CHARS_MAX = 256;
/** No space, control, bidirectional or zero-width character: what a reviewer reads is who it is (M8). */
const LOGIN = /^[^\p{C}\p{Z}]{1,128}$/u;

interface Claims {
  readonly [name: string]: unknown;
}

/** @throws Refused */
export function principalOf(payload: JWTPayload, issuer: IssuerConfig): Principal {
  const { iat, exp } = payload as { iat: number; exp: number };
  return {
    subject: subjectOf(payload, issuer),
    scopes: scopesOf(payload['scope']),
    issuedAtMs: iat * 1000,
    expiresAtMs: Math.min(exp * 1000, iat * 1000 + issuer.maxAgeMs),
  };
}

function subjectOf(claims: Claims, issuer: IssuerConfig): Subject {
  const own = personOf(claims, issuer, true);
  const acr = claims['acr'] === undefined ? {} : { acr: text(claims['acr'], 'acr') };
  const authTime = claims['auth_time'] === undefined ? {} : { auth_time: timestamp(seconds(claims['auth_time'], 'auth_time') * 1_000_000) };
  const { person, type, owner } = actingOf(own, claims, issuer);
  const { id, login, groups } = person;
  return { type, id, properties: { login, groups, ...acr, ...authTime, ...(owner && { on_behalf_of: owner }) } };
}

interface Person {
  readonly id: string;
  readonly login: string;
  readonly groups: string[];
  readonly named_only?: true;
}

interface Acting {
  readonly person: Person;
  readonly type: Subject['type'];
  readonly owner: Person | null;
}

/**
 * Who acts: the token's own subject; or, where it carries `act` (RFC 8693 §4.1), the actor on the subject's behalf; or what the claim
 * `interlock` says, `{type, on_behalf_of: {sub, login, groups}}`, for issuers that know no token exchange.
 */
function actingOf(own: Person, claims: Claims, issuer: IssuerConfig): Acting {
  const { act, interlock } = claims;
  if (act !== undefined && interlock !== undefined) throw new Refused('act');
  if (act !== undefined) return { person: actorOf(act, issuer), type: 'agent', owner: own };
  if (interlock === undefined) return { person: own, type: isService(claims) ? 'service' : 'user', owner: null };
  const { type, on_behalf_of: behalf } = object(interlock, 'interlock');
  if (type !== 'user' && type !== 'service' && type !== 'agent') throw new Refused('interlock.type');
  const owner = behalf === undefined ? null : ownerOf(behalf, issuer);
  // A human acts for themselves; who claims to be one for another is refused rather than read either way.
  if (type === 'user' && (owner !== null || isService(claims))) throw new Refused('interlock.type');
  return { person: own, type, owner };
}

function actorOf(claim: unknown, issuer: IssuerConfig): Person {
  const actor = object(claim, 'act');
  // A chain of actors has no place in a subject, and who stands behind it matters to approvals.
  if (actor['act'] !== undefined) throw new Refused('act');
  if (actor['iss'] !== undefined && actor['iss'] !== issuer.url) throw new Refused('act');
  return personOf({ [issuer.claims.login]: actor['client_id'] ?? actor['sub'], ...actor }, issuer, false);
}

function ownerOf(claim: unknown, issuer: IssuerConfig): Person {
  const owner = object(claim, 'interlock.on_behalf_of');
  const groups = groupsOf(owner['groups']);
  return {
    id: `${issuer.url}|${text(owner['sub'], 'interlock.on_behalf_of')}`,
    login: loginOf(owner['login']),
    groups,
    // of any other issuer a human of whom nothing is said has no rights, and so has what acts for them
    ...(issuer.trial === true && groups.length === 0 && { named_only: true as const }),
  };
}

/** The subject is issuer and `sub`, never a name or an address: those change hands. */
function personOf(claims: Claims, issuer: IssuerConfig, own: boolean): Person {
  const { login, groups } = issuer.claims;
  // An address that nobody verified is whatever somebody typed in.
  if (own && login === 'email' && claims['email_verified'] !== true) throw new Refused('email_verified');
  return { id: `${issuer.url}|${text(claims['sub'], 'sub')}`, login: loginOf(at(claims, login)), groups: groupsOf(at(claims, groups)) };
}

/** A token that a client got for itself (RFC 9068 §2.2: `sub` is the client). */
function isService(claims: Claims): boolean {
  const client = claims['client_id'] ?? claims['azp'];
  return claims['gty'] === 'client-credentials' || (client !== undefined && client === claims['sub']);
}

/** `groups`, or a path such as `realm_access.roles`. */
function at(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Claims)[step];
  }
  return value;
}

function loginOf(value: unknown): string {
  if (typeof value !== 'string' || !LOGIN.test(value) || value !== value.normalize('NFC')) throw new Refused('login');
  return value;
}

function groupsOf(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > GROUPS_MAX) throw new Refused('groups');
  return value.map((group: unknown) => text(group, 'groups'));
}

function scopesOf(value: unknown): string[] {
  if (value === undefined) return [];
  if (typeof value !== 'string') throw new Refused('scope');
  return value.split(' ').filter((scope) => scope !== '');
}

function text(value: unknown, check: string): string {
  if (typeof value !== 'string' || value === '' || value.length > NAME_CHARS_MAX) throw new Refused(check);
  return value;
}

function seconds(value: unknown, check: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value < 1e10)) throw new Refused(check);
  return Math.floor(value);
}

function object(value: unknown, check: string): Claims {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Refused(check);
  return value as Claims;
}
