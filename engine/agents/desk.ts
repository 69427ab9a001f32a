/** Who may add, change and remove agents, and what becomes of them. */
import { type Clock, timestamp } from '#client/clock';
import { AGENT_NAME, AGENT_NAME_CHARS, AGENT_NAME_RESERVED, type AgentView } from '#schemas/agent';
import { InterlockError } from '#schemas/errors';
import type { AgentHuman, AgentRecord, PublicJwk } from '#schemas/event-agent';
import type { Humans } from './humans.ts';
import { type AgentIssuer, isFresh } from './issuer.ts';
import { keyOf, publicJwk, thumbprint } from './jwk.ts';
import { LIMITS } from './limits.ts';
import type { AddAsk, AgentDesk, AgentSettings, Asking, Sessions } from './parts.ts';
import type { Agent } from './registry.ts';
import type { RegistryStore } from './registry-store.ts';

export interface DeskOptions {
  readonly store: RegistryStore;
  readonly issuer: AgentIssuer;
  readonly humans: Humans;
  readonly settings: AgentSettings;
  readonly sessions: Sessions;
  /** Of the configuration. */
  readonly targets: () => readonly string[];
  readonly clock: Clock;
}

const NAME = new RegExp(AGENT_NAME);
/** What a login may be, as the identity module has it. */
const LOGIN = /^[^\p{C}\p{Z}]{1,512}$/u;

export function agentDesk(options: DeskOptions): AgentDesk {
  const { store } = options;
  return {
    list: async (by) => {
      const open = await counted(options);
      return store.registry
        .all()
        .filter((agent) => isTheirs(agent, by))
        .map((agent) => viewOf(agent, open, options))
        .filter((view) => view !== null);
    },
    show: async (name, by) => shown(name, by, options),
    add: async (ask, by) => {
      await add(ask, by, options);
      return await shown(ask.name, by, options);
    },
    rotate: async (name, key, by) => {
      const [accepted, who] = [await acceptedKey(key), loginOf(by)];
      await store.change(() => {
        const record = changeable(name, by, options);
        return { type: 'agent.rotated', agent: name, by: who, record: { ...record, ...keyed(accepted, options.clock) } };
      });
      return await shown(name, by, options);
    },
    remove: async (name, by) => {
      let last: Agent | undefined;
      await store.change(() => {
        changeable(name, by, options);
        last = store.registry.get(name);
        return { type: 'agent.removed', agent: name, by: loginOf(by) };
      });
      const view = last && viewOf(last, new Map(), options);
      if (!view) throw notFound(name);
      return { ...view, state: 'removed', by: loginOf(by) };
    },
  };
}

async function add(ask: AddAsk, by: Asking, options: DeskOptions): Promise<void> {
  const { store, clock, settings } = options;
  requireHuman(by, settings.selfService);
  checkAsk(ask, options.targets());
  const key = await acceptedKey(ask.key);
  const owner = ownerOf(ask.owner, by, options);
  const groups = ask.groups ?? owner.groups;
  if (!by.admin) requireOwnGroups(ask.groups ?? [], by);
  if (groups === null)
    throw new InterlockError(
      'USAGE',
      `the groups of ${owner.login} are not known here yet: name the agent’s own with \`groups\`, or let them log in first`,
    );
  const record: AgentRecord = {
    owner,
    targets: [...new Set(ask.targets)].toSorted(),
    groups: [...new Set(groups)].toSorted(),
    ceilings: ask.ceilings,
    ...keyed(key, clock),
  };
  await store.change(() => {
    const { registry } = store;
    const before = registry.get(ask.name);
    if (before?.record) throw new InterlockError('AGENT_EXISTS', `there is an agent ${ask.name} already`);
    // the subject of its tokens is the same: what policies, approvals and records say of it
    if (before && !by.admin && before.owner?.id !== by.principal.subject.id)
      throw new InterlockError('AGENT_EXISTS', `there was an agent ${ask.name} of somebody else: only members of \`api.admins\` give its name away`);
    if (before === undefined && registry.size >= LIMITS.agents) throw new InterlockError('USAGE', `more than ${LIMITS.agents} agents`);
    const owned = registry.all().filter((agent) => agent.record?.owner.login === owner.login).length;
    if (owned >= LIMITS.agentsPerOwner) throw new InterlockError('USAGE', `${owner.login} has ${LIMITS.agentsPerOwner} agents already`);
    return { type: 'agent.added', agent: ask.name, by: loginOf(by), record };
  });
}

/** Agents and services add none: nobody would be behind them. */
function requireHuman({ principal: { subject }, admin }: Asking, selfService: boolean): void {
  if (subject.type !== 'user') throw new InterlockError('AGENT_REFUSED', 'only humans add agents');
  if (!selfService && !admin) throw new InterlockError('AGENT_REFUSED', 'here only members of `api.admins` add agents (agents.self_service)');
}

/** Ceilings and approvals go by the groups of agents: nobody gives themselves an agent that is held to less. */
function requireOwnGroups(groups: readonly string[], { principal }: Asking): void {
  const { groups: own } = principal.subject.properties;
  const strange = groups.find((group) => !own.includes(group));
  if (strange !== undefined)
    throw new InterlockError('AGENT_REFUSED', `you are not in the group ${strange}: only members of \`api.admins\` give it to an agent`);
}

function checkAsk({ name, targets, groups, ceilings }: AddAsk, known: readonly string[]): void {
  if (!NAME.test(name) || name.length > AGENT_NAME_CHARS)
    throw new InterlockError('USAGE', `a name of an agent has lower-case letters, digits and single \`-\` between them, at most ${AGENT_NAME_CHARS}`);
  const reserved = AGENT_NAME_RESERVED.find((word) => name.includes(word));
  if (reserved !== undefined) throw new InterlockError('USAGE', `a skill’s name must not contain \`${reserved}\``);
  if (targets.length === 0 || targets.length > LIMITS.targetsPerAgent)
    throw new InterlockError('USAGE', `an agent has 1 to ${LIMITS.targetsPerAgent} targets`);
  const strange = targets.find((target) => !known.includes(target));
  if (strange !== undefined) throw new InterlockError('USAGE', `there is no target ${strange}; there are: ${known.join(', ')}`);
  if (groups !== null && groups.length > LIMITS.groupsPerAgent)
    throw new InterlockError('USAGE', `an agent has at most ${LIMITS.groupsPerAgent} groups`);
  const odd = Object.entries(ceilings).find(([, value]) => typeof value === 'number' && !(Number.isSafeInteger(value) && value >= 0));
  if (odd !== undefined) throw new InterlockError('USAGE', `ceiling ${odd[0]}: a whole number is needed`);
}

async function acceptedKey(given: PublicJwk): Promise<PublicJwk> {
  const key = publicJwk(given);
  const usable =
    key !== null &&
    (await keyOf(key).then(
      () => true,
      () => false, // no point of its curve
    ));
  if (usable) return key;
  throw new InterlockError('USAGE', 'the key must be a public JWK of Ed25519 or P-256, and nothing else');
}

function keyed(key: PublicJwk, clock: Clock): Pick<AgentRecord, 'key' | 'key_id' | 'key_since'> {
  return { key, key_id: thumbprint(key), key_since: timestamp(clock.wallUs()) };
}

/** Whose agent it will be: whoever asks; or, for an admin, anybody, who may be seen here later. */
function ownerOf(owner: string | null, { principal, admin }: Asking, { humans }: DeskOptions): AgentHuman {
  const { id, properties } = principal.subject;
  if (owner === null || owner === properties.login || owner === id)
    return { id, login: properties.login, groups: [...properties.groups], seen_at: timestamp(principal.issuedAtMs * 1000) };
  if (!admin) throw new InterlockError('AGENT_REFUSED', 'for somebody else only members of `api.admins` add agents, with a token of scope `approve`');
  if (!LOGIN.test(owner)) throw new InterlockError('USAGE', 'the owner is a login, or `iss|sub`');
  const known = humans.byId(owner);
  const found = known ? [known] : humans.byLogin(owner);
  if (found.length > 1) throw new InterlockError('USAGE', `several people have the login ${owner}: ${found.map((one) => one.id).join(', ')}`);
  const [human] = found;
  if (human) return { id: human.id, login: human.login, groups: [...human.groups], seen_at: timestamp(human.issuedAtMs * 1000) };
  const bar = owner.indexOf('|');
  return { id: bar < 0 ? null : owner, login: bar < 0 ? owner : owner.slice(bar + 1), groups: null, seen_at: null };
}

function isTheirs({ record }: Agent, { principal, admin }: Asking): boolean {
  return record !== null && (admin || record.owner.id === principal.subject.id);
}

/** What is not theirs answers like what does not exist. */
function changeable(name: string, by: Asking, { store }: DeskOptions): AgentRecord {
  const agent = store.registry.get(name);
  if (!agent?.record || by.principal.subject.type !== 'user' || !isTheirs(agent, by)) throw notFound(name);
  return agent.record;
}

async function shown(name: string, by: Asking, options: DeskOptions): Promise<AgentView> {
  const agent = options.store.registry.get(name);
  const view = agent && (isTheirs(agent, by) || isItself(agent, by, options)) ? viewOf(agent, await counted(options), options) : null;
  if (!view) throw notFound(name);
  return view;
}

function isItself({ name }: Agent, { principal }: Asking, { issuer }: DeskOptions): boolean {
  return issuer.nameOf(principal.subject) === name;
}

function viewOf({ name, record, by }: Agent, open: ReadonlyMap<string, number>, { issuer, settings, clock }: DeskOptions): AgentView | null {
  if (record === null) return null;
  const { owner, targets, groups, ceilings, key_id, key_since } = record;
  const subject = issuer.subjectOf(name);
  const state = owner.id !== null && isFresh(owner, settings.humanMaxAgeMs, clock) ? 'active' : 'silent';
  return { name, state, subject, owner, targets, groups, ceilings, key_id, key_since, sessions: open.get(subject) ?? 0, by };
}

/** Open sessions by subject. */
async function counted({ sessions }: DeskOptions): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { subject } of await sessions.list()) if (subject.type === 'agent') counts.set(subject.id, (counts.get(subject.id) ?? 0) + 1);
  return counts;
}

function loginOf({ principal }: Asking): string {
  return principal.subject.properties.login;
}

function notFound(name: string): InterlockError {
  return new InterlockError('AGENT_NOT_FOUND', `there is no agent ${name} of yours`);
}
