/** Agents over a journal in memory, with a clock that a test moves and humans whose tokens are their names. */
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { generateKeyPair, exportJWK } from 'jose';
import { silentLog } from '#client/log';
import type { Identity, Principal } from '#client/identity';
import { type Agents, openAgents } from '#engine/agents/agents';
import type { AgentJournal, OpenSession, Workloads } from '#engine/agents/parts';
import { InterlockError } from '#schemas/errors';
import type { PublicJwk } from '#schemas/event-agent';
import { FakeClock } from './fake-clock.ts';
import { MemoryJournal } from './memory-journal.ts';

export const ISSUER = 'https://interlock.example.com';

export interface AgentBed {
  readonly agents: Agents;
  readonly identity: Identity;
  readonly clock: FakeClock;
  readonly journal: MemoryJournal;
  readonly sessions: OpenSession[];
  readonly ended: string[];
  /** By login, which is their token. */
  readonly people: Map<string, Principal>;
}

export interface AgentBedOptions {
  readonly journal?: MemoryJournal;
  readonly shared?: AgentJournal;
  readonly clock?: FakeClock;
  readonly workloads?: Workloads;
  readonly people?: readonly Principal[];
  /** Open at its start. */
  readonly sessions?: readonly OpenSession[];
}

export async function agentBed(options: AgentBedOptions = {}): Promise<AgentBed> {
  const { clock = new FakeClock(), workloads } = options;
  const people = new Map((options.people ?? []).map((principal) => [principal.subject.properties.login, principal]));
  const journal = options.journal ?? new MemoryJournal(clock);
  const sessions: OpenSession[] = [...(options.sessions ?? [])];
  const ended: string[] = [];
  const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
  const { kty, crv, x } = await exportJWK(publicKey);
  const agents = await openAgents({
    journal: options.shared ?? journal,
    signing: { kid: randomUUID(), key: privateKey, jwk: { kty, crv, x } as PublicJwk },
    url: () => ISSUER,
    settings: { tokenTtlMs: 900_000, humanMaxAgeMs: 7 * 86_400_000, selfService: true },
    targets: () => ['shop', 'billing', 'every'],
    targetOf: (resource) => /^https:\/\/interlock\.example\.com\/(?:targets|mcp)\/([a-z]+)$/.exec(resource)?.[1] ?? null,
    workloads: workloads ?? (() => Promise.reject(new InterlockError('AUTH_FAILED', 'the token was not accepted'))),
    sessions: { list: () => sessions, terminate: (id) => (ended.push(id), true) },
    clock,
    log: silentLog,
  });
  const outside = {
    authenticate: (token: string): Promise<Principal> => {
      const found = people.get(token);
      return found
        ? Promise.resolve({ ...found, issuedAtMs: clock.wallUs() / 1000 })
        : Promise.reject(new InterlockError('AUTH_FAILED', 'the token was not accepted'));
    },
    logins: [],
  };
  return { agents, identity: agents.known(outside), clock, journal, sessions, ended, people };
}

export interface AgentKeys {
  readonly open: PublicJwk;
  readonly assert: (claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>) => string;
}

/** @param kind whose algorithm the header names unless it is told otherwise */
export function keys(kind: 'ed25519' | 'p256' = 'ed25519'): AgentKeys {
  const { privateKey } = kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { d: _, ...open } = privateKey.export({ format: 'jwk' });
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    open: open as unknown as PublicJwk,
    assert: (claims, header = {}) => {
      const text = `${part({ alg: kind === 'ed25519' ? 'EdDSA' : 'ES256', typ: 'JWT', ...header })}.${part(claims)}`;
      const key = kind === 'ed25519' ? privateKey : { key: privateKey, dsaEncoding: 'ieee-p1363' as const };
      return `${text}.${sign(kind === 'ed25519' ? null : 'sha256', Buffer.from(text), key).toString('base64url')}`;
    },
  };
}

/** What an assertion must say; a test makes one thing wrong. */
export function claimsAt(clock: FakeClock, name: string): Record<string, unknown> {
  const iat = Math.floor(clock.wallUs() / 1_000_000);
  return { iss: name, sub: name, aud: ISSUER, iat, exp: iat + 60, jti: randomUUID() };
}

export function form(fields: Readonly<Record<string, string>>): URLSearchParams {
  return new URLSearchParams(fields);
}

export function byKey(assertion: string, more: Readonly<Record<string, string>> = {}): URLSearchParams {
  return form({
    grant_type: 'client_credentials',
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
    ...more,
  });
}
