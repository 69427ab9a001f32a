/** What agents present: access tokens of this installation's own issuer (RFC 9068), each naming the human behind the agent and the agent (RFC 8693 `act`). */
import { randomUUID } from 'node:crypto';
import { type CryptoKey, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { type Clock, timestamp } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Subject } from '#schemas/decision-request';
import type { AgentHuman, AgentRecord, PublicJwk } from '#schemas/event-agent';
import { keyOf } from './jwk.ts';
import { LIMITS } from './limits.ts';
import type { Registry } from './registry.ts';

/** This engine's own key: stays in its state directory, and whoever can read it can make tokens of agents. */
export interface SigningKey {
  readonly kid: string;
  readonly key: CryptoKey;
  readonly jwk: PublicJwk;
}

export interface IssuerOptions {
  /** `iss`: where the engine's API is reached. */
  readonly url: () => string;
  readonly signing: SigningKey;
  readonly registry: Registry;
  /** Groups that a human had, and has no more. */
  readonly lostBy: (humanId: string) => readonly string[];
  /** The target that a `resource` means; null: it is none of ours. */
  readonly targetOf: (resource: string) => string | null;
  readonly clock: Clock;
}

/** For whom a token is made. */
export interface Wanted {
  readonly agent: string;
  readonly keyId: string;
  readonly human: { readonly id: string; readonly login: string; readonly groups: readonly string[] };
  /** RFC 8707: what `aud` will say. */
  readonly resources: readonly string[];
  readonly ttlMs: number;
}

export interface Issued {
  readonly token: string;
  readonly expiresInS: number;
}

const ALGORITHM = 'EdDSA';
const TYPE = 'at+jwt';
/** Where a token brings, or points to, its own key or asks for special treatment. */
const HEADERS_REFUSED = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];
const TOLERANCE_S = 30;

/** Why a token was not accepted: for our log. Never holds a claim's value. */
export class TokenRefused extends Error {}

export class AgentIssuer {
  readonly #options: IssuerOptions;
  readonly #keys = new Map<string, Promise<CryptoKey>>();

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  /** Whether it claims to be one of ours: nothing of it is believed yet. */
  claims(token: string): boolean {
    if (token.length > LIMITS.tokenChars) return false;
    try {
      return decodeJwt(token).iss === this.#options.url();
    } catch {
      return false; // no token at all: whoever is asked next says so
    }
  }

  async issue({ agent, keyId, human, resources, ttlMs }: Wanted): Promise<Issued> {
    const { clock, signing, url } = this.#options;
    const iss = url();
    const iat = Math.floor(clock.wallUs() / 1_000_000);
    const expiresInS = Math.floor(ttlMs / 1000);
    const claims = {
      sub: human.id,
      preferred_username: human.login,
      groups: [...human.groups],
      act: { iss, sub: agent },
      client_id: agent,
      scope: 'connect',
      jti: randomUUID(),
      key: keyId,
    };
    const aud = resources.length === 0 ? [iss] : [...resources];
    const token = await new SignJWT({ ...claims, iss, aud, iat, exp: iat + expiresInS })
      .setProtectedHeader({ alg: ALGORITHM, typ: TYPE, kid: signing.kid })
      .sign(signing.key);
    return { token, expiresInS };
  }

  /** Signature and form by the token, everything else as it stands in the registry now. @throws TokenRefused, or what jose throws */
  async verify(token: string): Promise<Principal> {
    const { clock, registry, url } = this.#options;
    const { payload } = await jwtVerify(token, await this.#keyFor(token), {
      issuer: url(),
      algorithms: [ALGORITHM],
      typ: TYPE,
      requiredClaims: ['sub', 'exp', 'iat', 'aud', 'act', 'jti'],
      clockTolerance: TOLERANCE_S,
      currentDate: new Date(clock.wallUs() / 1000),
    });
    const { name, keyId, human } = readClaims(payload, url());
    const record = registry.get(name)?.record;
    if (!record) throw new TokenRefused('agent');
    if (record.key_id !== keyId) throw new TokenRefused('key');
    const targets = this.#targets(payload.aud, record.targets);
    const subject: Subject = {
      type: 'agent',
      id: this.subjectOf(name),
      properties: {
        login: name,
        groups: [...record.groups],
        on_behalf_of: { id: human.id, login: human.login, groups: this.#groupsOf(human, record.owner) },
        targets,
        ceilings: record.ceilings,
        key: keyId,
      },
    };
    const { iat, exp } = payload as { iat: number; exp: number };
    return { subject, scopes: ['connect'], issuedAtMs: iat * 1000, expiresAtMs: exp * 1000 };
  }

  /** On behalf of its owner, as far as they are known: without groups, and so without rights, where they are not. */
  subjectFor(
    name: string,
    { owner, groups, targets, ceilings, key_id: key }: Pick<AgentRecord, 'owner' | 'groups' | 'targets' | 'ceilings' | 'key_id'>,
  ): Subject {
    const human = { id: owner.id ?? `unknown|${owner.login}`, login: owner.login, groups: [...(owner.groups ?? [])] };
    return {
      type: 'agent',
      id: this.subjectOf(name),
      properties: { login: name, groups: [...groups], on_behalf_of: human, targets: [...targets], ceilings, key },
    };
  }

  /** `iss|sub` of an agent. */
  subjectOf(name: string): string {
    return `${this.#options.url()}|${name}`;
  }

  /** Of a session's subject; null: no agent of this installation. */
  nameOf({ type, id }: Subject): string | null {
    const prefix = `${this.#options.url()}|`;
    return type === 'agent' && id.startsWith(prefix) ? id.slice(prefix.length) : null;
  }

  /** Of its owner what was heard last; of another human what their own token said, but for what they were seen to have lost since. */
  #groupsOf(human: Claims['human'], owner: AgentHuman): string[] {
    if (owner.id !== human.id) {
      const lost = this.#options.lostBy(human.id);
      return human.groups.filter((group) => !lost.includes(group));
    }
    if (owner.groups === null) throw new TokenRefused('human');
    return [...owner.groups];
  }

  #keyFor(token: string): Promise<CryptoKey> {
    if (token.length > LIMITS.tokenChars || token.split('.', 6).length !== 3) throw new TokenRefused('form');
    const header = decodeProtectedHeader(token);
    const odd = HEADERS_REFUSED.find((name) => name in header);
    if (odd !== undefined) throw new TokenRefused(odd);
    const { signing, registry } = this.#options;
    const { kid = '' } = header;
    if (kid === signing.kid) return this.#imported(kid, signing.jwk);
    const other = registry.issuer(kid);
    if (other === undefined) throw new TokenRefused('kid');
    return this.#imported(kid, other.key);
  }

  #imported(kid: string, jwk: PublicJwk): Promise<CryptoKey> {
    let key = this.#keys.get(kid);
    if (key === undefined) {
      if (this.#keys.size >= LIMITS.issuerKeys) this.#keys.clear();
      this.#keys.set(kid, (key = keyOf(jwk)));
    }
    return key;
  }

  /** A token for one resource opens nothing else (RFC 8707). */
  #targets(aud: JWTPayload['aud'], own: readonly string[]): string[] {
    const resources = typeof aud === 'string' ? [aud] : (aud ?? []);
    if (resources.length === 1 && resources[0] === this.#options.url()) return [...own];
    const named = resources.map((resource) => this.#options.targetOf(resource));
    if (named.length === 0 || named.includes(null)) throw new TokenRefused('aud');
    return own.filter((target) => named.includes(target));
  }
}

interface Claims {
  readonly name: string;
  readonly keyId: string;
  readonly human: { readonly id: string; readonly login: string; readonly groups: readonly string[] };
}

function readClaims({ sub, act, key, preferred_username: login, groups }: JWTPayload, iss: string): Claims {
  const actor = act as { readonly iss?: unknown; readonly sub?: unknown } | null;
  if (typeof actor !== 'object' || actor === null || actor.iss !== iss || typeof actor.sub !== 'string') throw new TokenRefused('act');
  if (typeof key !== 'string' || typeof sub !== 'string' || typeof login !== 'string') throw new TokenRefused('claims');
  if (!Array.isArray(groups) || !groups.every((group) => typeof group === 'string')) throw new TokenRefused('groups');
  return { name: actor.sub, keyId: key, human: { id: sub, login, groups } };
}

/** Whether somebody who was seen then still counts. */
export function isFresh({ groups, seen_at: seenAt }: AgentHuman, maxAgeMs: number, clock: Clock): boolean {
  return groups !== null && seenAt !== null && seenAt >= timestamp(clock.wallUs() - maxAgeMs * 1000);
}
