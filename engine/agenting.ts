/** The composition root's part for agents: their registry on this engine's journal or on what several share, their issuer's key, and the sessions they have. */
import { join } from 'node:path';
import { type Agents, openAgents } from './agents/agents.ts';
import { type ClaimedTarget, claimsOf } from './agents/claims.ts';
import type { Sessions } from './agents/parts.ts';
import type { Base } from './base.ts';
import type { LoadedConfig, TargetConfig } from './config/config.ts';
import type { LocalDecisionService } from './decide/service.ts';
import { folding } from './folding.ts';
import { openOwnKey } from './identity/own-key.ts';
import { openWorkloads } from './identity/workload.ts';
import type { AgentClaims } from '#schemas/agent';
import type { Knowledge } from '#schemas/knowledge';
import type { PublicJwk } from '#schemas/event-agent';
import type { Subject } from '#schemas/decision-request';
import { FULFILLED } from './obligations.ts';
import type { Ordering } from './ordering.ts';
import { type Enforcers, hostPort } from './running.ts';

/** As an enforcer elsewhere lists them. */
interface RemoteSession {
  readonly session_id: string;
  readonly subject: Subject;
}

export interface AgentingFrom {
  readonly base: Base;
  readonly enforcers: () => Enforcers;
  /** Where enforcers elsewhere say that they listen. */
  readonly remote?: () => readonly { readonly target: string; readonly address: string }[];
  /** Open at enforcers elsewhere, as they say. */
  readonly remoteSessions?: () => Promise<readonly RemoteSession[]>;
  readonly terminate: (sessionId: string) => Promise<boolean>;
  readonly ordering: Ordering | null;
  /** Where the API is reached. */
  readonly url: () => string;
}

export async function openAgenting(from: AgentingFrom): Promise<Agents> {
  const { base, ordering, url } = from;
  const { config, clock, log, journal } = base;
  const { kid, key, jwk } = await openOwnKey(join(config.stateDir, 'agents'));
  const agents = await openAgents({
    journal: ordering?.agents ?? folding(journal),
    signing: { kid, key, jwk: { kty: jwk.kty, crv: jwk.crv, x: jwk.x } as PublicJwk },
    url,
    settings: config.agents,
    targets: () => Object.keys(config.targets),
    targetOf: (resource) => targetOf(resource, url(), { config, addresses: (target) => addressesOf(target, from) }),
    workloads: openWorkloads(config.agents.workloads, clock, log),
    sessions: sessionsOf(from),
    clock,
    log,
  });
  ordering?.agents.follow((event) => agents.follow(event));
  return agents;
}

/** What an agent may do, by the policies in force and what is known of its targets in this process. */
export async function agentClaims(
  agents: Pick<Agents, 'judged'>,
  { config, decisions, enforcers }: { readonly config: LoadedConfig; readonly decisions: LocalDecisionService; readonly enforcers: Enforcers },
  [name, by]: Parameters<Agents['judged']>,
): Promise<AgentClaims> {
  const { agent, subject } = await agents.judged(name, by);
  const known = agent.targets.map((target) => config.targets[target]).filter((target) => target !== undefined);
  return await claimsOf({
    agent,
    subject,
    revision: decisions.revision,
    targets: await Promise.all(
      known.map(async (target) => claimedTarget(target, decisions.knowledgeOf(target.name) ?? (await peeked(enforcers, target.name)))),
    ),
    judge: async (asked) => (await decisions.dryRun(asked)).decision,
  });
}

/** Where nothing was learnt, because no policy needs it, the target is asked; where it cannot be, that is said. */
async function peeked(enforcers: Enforcers, name: string): Promise<Knowledge | null> {
  const [, enforcer] = enforcers.find(([target]) => target === name) ?? [];
  return (await enforcer?.peek?.().catch(() => null)) ?? null;
}

function claimedTarget({ name: id, protocol: type, env, labels, upstream }: TargetConfig, knowledge: Knowledge | null): ClaimedTarget {
  const database = type === 'postgresql' ? upstream.databases?.[0] : undefined;
  const properties = { env, labels: { ...labels }, ...(database !== undefined && { database }) };
  return { resource: { type, id, properties }, knowledge, supportedObligations: FULFILLED[type] };
}

function sessionsOf({ enforcers, remoteSessions, terminate }: AgentingFrom): Sessions {
  return {
    list: async () => {
      const here = enforcers().flatMap(([, enforcer]) => enforcer.sessions());
      return [...here, ...((await remoteSessions?.()) ?? [])].map(({ session_id: sessionId, subject }) => ({ sessionId, subject }));
    },
    terminate,
  };
}

/** RFC 8707: what a token can be for. A resource of another origin would be a token that somebody else can use here. */
function targetOf(
  resource: string,
  url: string,
  { config, addresses }: { readonly config: LoadedConfig; readonly addresses: (target: string) => readonly string[] },
): string | null {
  const [, origin = '', kind = '', name = ''] = /^(https?:\/\/[^/?#]+)\/(targets|mcp)\/([a-z0-9][a-z0-9_-]{0,62})$/.exec(resource) ?? [];
  const target = Object.hasOwn(config.targets, name) ? config.targets[name] : undefined;
  if (target === undefined) return null;
  if (resource === `${url}/${kind}/${name}`) return name;
  if (kind !== 'mcp' || target.mcp === null) return null;
  return [...target.mcp.hosts, ...addresses(name)].includes(origin.replace(/^https?:\/\//, '')) ? name : null;
}

/** Where a target is enforced: in this process, and elsewhere. */
function addressesOf(target: string, { enforcers, remote }: AgentingFrom): readonly string[] {
  const here = enforcers().flatMap(([of, { address }]) => (of === target ? [hostPort(address)] : []));
  return [...here, ...(remote?.() ?? []).flatMap((one) => (one.target === target && one.address !== '' ? [one.address] : []))];
}
