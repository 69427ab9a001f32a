/** Agents of this installation: registry, tokens, who may change what, and the end of those who are out. README.md */
import { type Clock, timestamp } from '#client/clock';
import type { Identity, Principal } from '#client/identity';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { AgentView } from '#schemas/agent';
import type { Subject } from '#schemas/decision-request';
import type { Event } from '#schemas/event';
import { agentDesk } from './desk.ts';
import { Humans } from './humans.ts';
import { AgentIssuer, type SigningKey, TokenRefused } from './issuer.ts';
import { LIMITS } from './limits.ts';
import type { AgentDesk, AgentJournal, AgentSettings, Asking, Sessions, TokenEndpoint, Workloads } from './parts.ts';
import { RegistryStore } from './registry-store.ts';
import { Sweeping } from './sweeping.ts';
import { tokenEndpoint } from './tokens.ts';

export type { AgentDesk, AgentJournal, Sessions, TokenEndpoint } from './parts.ts';

export interface AgentsOptions {
  readonly journal: AgentJournal;
  readonly signing: SigningKey;
  /** Where the API is reached: the issuer’s name. Asked when it is needed. */
  readonly url: () => string;
  readonly settings: AgentSettings;
  readonly targets: () => readonly string[];
  /** The target that a `resource` (RFC 8707) means; null: none of ours. */
  readonly targetOf: (resource: string) => string | null;
  readonly workloads: Workloads;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Agents {
  readonly desk: AgentDesk;
  readonly tokens: TokenEndpoint;
  /** The same identity, which also knows agents of this installation, and tells agents of the humans that it saw. */
  known<I extends Identity & { readonly logins: readonly Login[] }>(identity: I): I;
  /** As whom an agent is judged that acts for its owner. @throws InterlockError AGENT_NOT_FOUND */
  judged(name: string, by: Asking): Promise<{ readonly agent: AgentView; readonly subject: Subject }>;
  /** An event that another engine wrote: folded in as if it had been read at start. */
  follow(event: Event): void;
  /** This engine’s key, told to the others; once the registry is complete. */
  announce(): Promise<void>;
  close(): void;
}

/** How a human logs in to the console. */
interface Login {
  finish(...args: never): Promise<Principal>;
}

/** Reads the registry. @throws InterlockError of the journal */
export async function openAgents(options: AgentsOptions): Promise<Agents> {
  const { journal, clock, log, settings } = options;
  const parts: { sweeping: Sweeping | null } = { sweeping: null };
  const store = new RegistryStore(journal, clock, ({ type }) => {
    if (type !== 'agent.added' && type !== 'agent.issuer') parts.sweeping?.changed();
  });
  await store.restore();
  const { registry } = store;
  const humans = new Humans(() => parts.sweeping?.changed());
  const issuer = new AgentIssuer({ ...options, registry, lostBy: (id) => humans.lostBy(id) });
  const sweeping = new Sweeping({
    sessions: options.sessions,
    tokenTtlMs: settings.tokenTtlMs,
    recordOf: (subject) => {
      const name = issuer.nameOf(subject);
      return name === null ? undefined : (registry.get(name)?.record ?? null);
    },
    lostBy: (id) => humans.lostBy(id),
    clock,
    log,
  });
  parts.sweeping = sweeping;
  // what was changed while this engine was away, or just before it went, may not have reached the sessions that are open elsewhere
  if (registry.size > 0) sweeping.changed();
  const renewal = new Renewal(store, clock, log);
  const verified: { identity: Identity | null } = { identity: null };
  const tokens = tokenEndpoint({
    ...options,
    registry,
    issuer,
    human: (token) => ownToken(token, verified.identity),
    settled: () => store.settled(),
    asked: (name) => renewal.asked(name),
    keys: () => [
      { kid: options.signing.kid, jwk: options.signing.jwk },
      ...registry
        .issuers()
        .filter(({ id }) => id !== options.signing.kid)
        .map(({ id, key }) => ({ kid: id, jwk: key })),
    ],
  });
  const desk = agentDesk({ ...options, store, issuer, humans });
  return {
    desk,
    tokens,
    known: (identity) => {
      const noted = async (found: Promise<Principal>): Promise<Principal> => {
        const principal = await found;
        const human = humans.see(principal);
        if (human !== null) renewal.saw(human);
        return principal;
      };
      const known = {
        ...identity,
        authenticate: (token: string, need: Parameters<Identity['authenticate']>[1]) =>
          issuer.claims(token) ? authenticated(token, need.scope, issuer, log) : noted(identity.authenticate(token, need)),
        logins: identity.logins.map((login) => ({ ...login, finish: (...args: never) => noted(login.finish(...args)) })),
      };
      verified.identity = known;
      return known;
    },
    judged: async (name, by) => {
      const agent = await desk.show(name, by);
      return { agent, subject: issuer.subjectFor(name, agent) };
    },
    follow: (event) => store.follow(event),
    announce: () => announce(store, options),
    close: () => sweeping.close(),
  };
}

async function authenticated(token: string, scope: 'connect' | 'approve', issuer: AgentIssuer, log: Log): Promise<Principal> {
  try {
    const principal = await issuer.verify(token);
    if (scope === 'connect') return principal;
  } catch (error) {
    log.warn({ check: error instanceof TokenRefused ? error.message : 'jwt' }, 'a token of an agent was not accepted');
    throw new InterlockError('AUTH_FAILED', 'the token was not accepted');
  }
  throw new InterlockError('AUTH_SCOPE', 'only a human’s own token can decide');
}

/** Of either scope: it says who they are. */
async function ownToken(token: string, identity: Identity | null): Promise<Principal> {
  if (identity === null) throw new InterlockError('AUTH_FAILED', 'nobody can be authenticated yet');
  try {
    return await identity.authenticate(token, { scope: 'connect' });
  } catch (error) {
    if (!(error instanceof InterlockError) || error.code !== 'AUTH_SCOPE') throw error;
    return await identity.authenticate(token, { scope: 'approve' });
  }
}

const SAW_AGAIN_MS = 600_000;

/** What the registry is told again: of humans who were seen, and of agents that are in use. Nobody waits for it. */
class Renewal {
  readonly #store: RegistryStore;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(store: RegistryStore, clock: Clock, log: Log) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  saw({ id, login, groups, issuedAtMs }: NonNullable<ReturnType<Humans['see']>>): void {
    const seenAt = timestamp(issuedAtMs * 1000);
    for (const { name, record } of this.#store.registry.all()) {
      if (record === null) continue;
      const { owner } = record;
      if (owner.id === null ? owner.login !== login : owner.id !== id) continue;
      const next = { id, login, groups: [...groups], seen_at: seenAt };
      if (!isNews(owner, next)) continue;
      this.#renew(name, (current) => (isNews(current.owner, next) ? { ...current, owner: next } : null));
    }
  }

  asked(name: string): void {
    const before = this.#store.registry.get(name);
    if (!before || before.at > timestamp(this.#clock.wallUs() - LIMITS.renewMs * 1000)) return;
    this.#renew(name, (current) => (this.#store.registry.get(name)?.last === before.last ? current : null));
  }

  #renew(name: string, next: (current: NonNullable<ReturnType<RegistryStore['registry']['get']>>['record'] & object) => typeof current | null): void {
    const written = this.#store.change(() => {
      const current = this.#store.registry.get(name)?.record;
      const record = current ? next(current) : null;
      return record === null ? null : { type: 'agent.renewed', agent: name, by: 'interlock', record };
    });
    written.catch((error: unknown) => this.#log.warn({ agent: name, err: error }, 'an agent could not be written down again'));
  }
}

/** Other groups, or seen long after it was written down. An older token says nothing new. */
function isNews(
  before: { readonly id: string | null; readonly groups: readonly string[] | null; readonly seen_at: string | null },
  next: { readonly groups: readonly string[]; readonly seen_at: string },
): boolean {
  if (before.id === null || before.groups === null || before.seen_at === null) return true;
  if (before.seen_at >= next.seen_at) return false;
  const same = before.groups.length === next.groups.length && before.groups.every((group) => next.groups.includes(group));
  return !same || Date.parse(next.seen_at) - Date.parse(before.seen_at) > SAW_AGAIN_MS;
}

async function announce(store: RegistryStore, { signing, clock }: AgentsOptions): Promise<void> {
  await store.change(() => {
    const before = store.registry.issuer(signing.kid);
    if (before && before.seenAt > timestamp(clock.wallUs() - LIMITS.issuerMs * 1000)) return null;
    return { type: 'agent.issuer', issuer: signing.kid, key: signing.jwk, seen_at: timestamp(clock.wallUs()) };
  });
}
