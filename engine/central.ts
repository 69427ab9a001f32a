/** The engine's half of the composition: policies, identity, approvals, credentials, projection, API and console on one journal. */
import { join } from 'node:path';
import type { Identity, Principal } from '#client/identity';
import type { Journal } from '#client/journal';
import { Mounts } from './api/mounts.ts';
import type { Status } from './api/parts.ts';
import type { AssistantPart } from './api/parts.ts';
import { answerMessage } from './assistant/server.ts';
import { assisting } from './assisting.ts';
import { agentClaims, openAgenting, type AgentingFrom } from './agenting.ts';
import type { Agents } from './agents/agents.ts';
import type { CallRunner } from './apart/parts.ts';
import { openApi } from './api/server.ts';
import { openApprovals, tellingEnds, type ApprovalBook } from './approvals/approvals.ts';
import type { Notifier } from './approvals/notify/parts.ts';
import { SeenGroups } from './approvals/seen-groups.ts';
import type { EnforcerReport } from '#schemas/enforcer-report';
import type { Base } from './base.ts';
import type { Enrolment } from './enrolment/parts.ts';
import type { LoadedConfig, SecretSource } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { readSecret } from './config/secret.ts';
import type { CredentialDesk } from './credentials/credentials.ts';
import type { LocalDecisionService } from './decide/service.ts';
import { paramsThatFlowToCode } from './facts/postgres/reader.ts';
import { openIdentity } from './identity/identity.ts';
import { openProjection } from './journal/projection/live.ts';
import type { Projection } from './journal/projection/projection.ts';
import { openJudging, openTheLocalIssuer, type JudgingOptions } from './judging.ts';
import { openLeasing, type Upstreams } from './leasing.ts';
import { located, pem } from './located.ts';
import { openNotifying, remembered } from './notifying.ts';
import { askedHere, type Ordering, toldHere } from './ordering.ts';
import { outside } from './outside.ts';
import type { JudgingSource } from './policies.ts';
import { openOperating, openOperationsListener } from './operating.ts';
import type { Operations } from './operations/operations.ts';
import { byTarget } from './operations/targets.ts';
import type { Enforcers } from './running.ts';
import { apiParts, Changes, watched } from './serving.ts';
import { openWorlds, seeing, type OpenWorlds } from './worlds.ts';

export interface Central {
  readonly decisions: LocalDecisionService;
  readonly identity: Identity;
  readonly credentials: CredentialDesk;
  /** Where the targets are. @throws InterlockError CREDENTIAL_UNAVAILABLE, CONFIG_INVALID */
  upstreams(): Promise<Upstreams>;
  readonly approvals: ApprovalBook;
  /** Enforcers of this process write here: the book hears how statements that used an approval ended. */
  readonly journal: Journal;
  /** Its address. */
  readonly api: string;
  /** What refusals and notices point to. */
  readonly publicUrl: string;
  /** Where enforcers of this process put endpoints on the API's address. */
  readonly mounts: Mounts;
}

export interface CentralOptions {
  /** The folder of the built console, as soon as it is there; absent: the API alone. */
  readonly console?: Promise<string>;
  /** Who enforces in this process, as far as they have started. */
  readonly enforcers: () => Enforcers;
  /** Ends a session that is open at an enforcer elsewhere; false: none has it. */
  readonly terminate?: (sessionId: string) => Promise<boolean>;
  /** What is open at enforcers elsewhere, as they say. */
  readonly remoteSessions?: AgentingFrom['remoteSessions'];
  /** Runs a statement at an enforcer elsewhere. */
  readonly runElsewhere?: CallRunner;
  /** Who enforces elsewhere. */
  readonly remote?: () => readonly EnforcerReport[];
  /** Where policies come from, and what becomes of them; absent: the folder of the configuration, for this process alone. */
  readonly judging?: JudgingSource;
  /** Where other engines write approvals too; absent: this engine's journal alone orders them. */
  readonly ordering?: Ordering | null;
  /** Who is an enforcer elsewhere; absent: nobody can be. */
  readonly enrolment?: Enrolment;
}

/** What the API answers from, filled in as the parts start. */
interface Room {
  book: ApprovalBook | null;
  /** The journal that tells the book how statements ended. */
  ends: Journal | null;
  notifier: Notifier | null;
  /** Where the API is reached, as soon as it is. */
  url: string;
}

/** The parts that the book and the API are made of. */
interface Halls {
  readonly base: Base;
  readonly options: CentralOptions;
  readonly room: Room;
  readonly changes: Changes;
  readonly seen: SeenGroups;
  readonly decisions: LocalDecisionService;
  readonly identity: Awaited<ReturnType<typeof openIdentity>>;
  readonly agents: Agents;
  readonly who: OpenWorlds;
  readonly projection: Projection;
  readonly operations: Operations;
  readonly mounts: Mounts;
}

/**
 * Starts everything in the order in which it is needed; `started` ends it in the other.
 * @throws InterlockError of the part that did not start: one readable message
 */
export async function openCentral(base: Base, options: CentralOptions, started: AsyncDisposableStack): Promise<Central> {
  const { config, journal, clock, ids, log } = base;
  const changes = new Changes();
  const activated: JudgingOptions['record'] = (event) => {
    journal.append(event);
    if (event.type === 'policy.activated') changes.tell({ live: { kind: 'policy', id: event.revision }, owners: 'everybody' });
  };
  const decisions = started.use(await openJudging(config, { ...options.judging, log, clock, ids, record: activated }));
  const local = config.identity.local.enabled ? { local: await openTheLocalIssuer(config, clock) } : {};
  const seen = new SeenGroups();
  const leasing = openLeasing(base);
  started.defer(() => leasing.close());
  const { ordering = null } = options;
  const room: Room = { book: null, ends: null, notifier: null, url: '' };
  const agents = await openAgenting({
    base,
    enforcers: options.enforcers,
    ...(options.remote && { remote: options.remote }),
    ...(options.remoteSessions && { remoteSessions: options.remoteSessions }),
    terminate: (id) => terminated(options, id),
    ordering,
    url: () => room.url,
  });
  started.defer(() => agents.close());
  const identity = seeing(agents.known(await openIdentity({ issuers: issuersOf(config, log), ...local, clock, log })), seen);
  const who = openWorlds({ config, live: base.live, journal, clock, ids, log, decisions, seen, ...(ordering && { ordered: ordering.log }) });
  started.defer(() => who.close());
  const projection = openProjection({ file: join(config.stateDir, 'projection.sqlite'), journal, log, ...archiveOf(base) });
  started.defer(() => projection.close());
  projection.onChange((change) => changes.projected(change));
  who.delegations.onChange((id) => changes.tell({ live: { kind: 'delegation', id }, owners: 'delegation' }));
  const operations = await openOperating(base, {
    enforcers: options.enforcers,
    ...(options.remote === undefined ? {} : { remote: options.remote }),
    revision: () => decisions.revision,
    policies: () => decisions.status(),
    approvals: () => ({ open: room.book?.open ?? 0, trouble: ordering?.log.trouble?.message ?? null }),
    projection: () => projection.status(),
    notifications: () => room.notifier?.status() ?? { waiting: 0, dead: 0 },
  });
  const halls: Halls = { base, options, room, changes, seen, decisions, identity, agents, who, projection, operations, mounts: new Mounts() };
  const api = await openTheApi(halls);
  started.defer(() => api.close());
  base.reloadables.push({ keys: ['api.tls.cert', 'api.tls.key', 'api.tls.ca'], apply: (next) => api.renew(pem(next.api.tls)) });
  await openOperationsListener(base, operations, started);
  const publicUrl = config.api.publicUrl ?? api.url;
  room.url = publicUrl;
  const { book, ends } = await openTheBook(halls, publicUrl, started);
  await ordering?.agents.share();
  await agents.announce();
  journal.started();
  return {
    decisions,
    identity,
    credentials: leasing.desk,
    upstreams: () => leasing.upstreams(),
    approvals: book,
    journal: ends,
    api: api.url,
    publicUrl,
    mounts: halls.mounts,
  };
}

function openTheApi(halls: Halls): ReturnType<typeof openApi> {
  const { base, options, room, changes, seen, decisions, identity, agents, who, projection, operations } = halls;
  const { config, journal, clock, log } = base;
  const { delegations } = who;
  const parts = apiParts({
    ...base,
    identity,
    current: (principal) => withGroups(principal, seen.of(principal.subject)),
    login: { oidc: identity.logins, local: config.identity.local.enabled },
    changes,
    status: () => status(halls),
    enrolment: () => options.enrolment ?? null,
    terminate: (id) => terminated(options, id),
    agents: { ...agents, claims: (...asked) => agentClaims(agents, { config, decisions, enforcers: options.enforcers() }, asked) },
    assistant: assistantOf(halls),
    operations: watched(operations, () => decisions.revision),
    book: () => room.book,
    projection,
    delegations: {
      list: ({ principal, all }) => delegations.list(all ? undefined : principal.subject),
      open: (by, ask) => delegations.open(by, ask),
      end: (id, by) => delegations.end(id, by),
    },
    notifications: () => room.notifier,
    authzen: outside({ ...base, decisions, book: () => room.book, recorded: () => room.ends ?? journal }),
  });
  const { listen, publicUrl } = config.api;
  const shown = options.console === undefined ? {} : { console: options.console };
  return openApi({ listen, tls: pem(config.api.tls), publicUrl, ...shown, parts, mounts: halls.mounts, clock, log }).catch(
    located(config, 'api.listen'),
  );
}

function assistantOf({ base, options, room, decisions }: Halls): AssistantPart {
  const { live, version } = base;
  const parts = assisting({
    live,
    decisions,
    enforcers: options.enforcers,
    ...(options.runElsewhere && { elsewhere: options.runElsewhere }),
    book: () => room.book,
    publicUrl: () => room.url,
    version,
  });
  return { answer: (bytes, caller, signal) => answerMessage(bytes, parts, caller, signal) };
}

async function openTheBook(
  { base, options, room, changes, decisions, who }: Halls,
  publicUrl: string,
  started: AsyncDisposableStack,
): Promise<{ readonly book: ApprovalBook; readonly ends: Journal }> {
  const { config, journal, clock, ids, log } = base;
  const { worlds, delegations } = who;
  const { expireMs, rememberDenialMs } = config.approvals;
  const { ordering = null } = options;
  const notifier = openNotifying({ config, journal: toldHere(journal, ordering), clock, log, publicUrl, worlds });
  started.defer(() => notifier.close());
  room.notifier = notifier;
  const book = await openApprovals({
    journal: remembered(who.journal, notifier, ordering),
    ...(ordering && { ordered: ordering.log }),
    clock,
    ids,
    log,
    expireMs,
    rememberDenialMs,
    publicUrl,
    data: { data: () => decisions.documents() },
    envOf: (target) => base.live.config.targets[target]?.env ?? null,
    codeParams: paramsThatFlowToCode,
    payloads: config.journal.payloads,
    worlds,
  });
  started.defer(() => book.close());
  const ends = tellingEnds(journal, book);
  room.book = book;
  room.ends = ends;
  started.defer(changes.follow(book));
  delegations.onChange((id, here) => {
    if (!here) return;
    const opened = delegations.list().find(({ delegation_id, state }) => delegation_id === id && state !== 'ended');
    if (opened) notifier.delegated(opened);
  });
  void notifier.start(askedHere(book, ordering)); // nothing waits for it, and it does not reject
  return { book, ends };
}

async function terminated({ enforcers, terminate }: CentralOptions, id: string): Promise<boolean> {
  return enforcers().some(([, enforcer]) => enforcer.terminate(id)) || ((await terminate?.(id)) ?? false);
}

/** What enforcers and other engines recorded is there as well: their sessions and statements are shown beside this journal's. */
function archiveOf({ config, journal }: Base): { readonly archive?: { readonly dir: string; readonly own: string } } {
  return config.nats === null ? {} : { archive: { dir: join(config.stateDir, 'archive'), own: journal.id } };
}

function withGroups(principal: Principal, groups: readonly string[]): Principal {
  const { subject } = principal;
  return { ...principal, subject: { ...subject, properties: { ...subject.properties, groups: [...groups] } } };
}

function issuersOf(config: LoadedConfig, log: RedactingLog): Parameters<typeof openIdentity>[0]['issuers'] {
  const read = async (source: SecretSource): Promise<string> => {
    const secret = await readSecret(source);
    log.hide(secret);
    return secret;
  };
  return config.identity.issuers.map(({ login, ...issuer }) => {
    if (login === null) return issuer;
    const { clientSecret: source, ...rest } = login;
    return { ...issuer, login: { ...rest, clientSecret: source === null ? null : () => read(source) } };
  });
}

function status({ base, room, decisions, projection, operations }: Halls): Status {
  const { journal, config } = base;
  const policies = decisions.status();
  const { records, bytes, syncs, lastSyncUs } = journal.status();
  const enforcers = operations.reports();
  const problems = operations.problems();
  const targets = byTarget(enforcers);
  return {
    ok:
      problems.length === 0 && enforcers.every(({ health }) => health === 'ok') && Object.keys(targets).length === Object.keys(config.targets).length,
    role: config.role,
    problems,
    revision: policies.revision,
    policy_error: policies.error,
    restart: base.live.restart,
    targets,
    journal: { dir: config.journal.dir, fault: journal.fault?.message ?? null, records, bytes, syncs, last_sync_us: lastSyncUs },
    open_approvals: room.book?.open ?? 0,
    sessions: enforcers.reduce((sum, { sessions }) => sum + sessions, 0),
    enforcers,
    projection: projection.status(),
    notifications: room.notifier?.status() ?? { channels: 0, waiting: 0, dead: 0 },
  };
}
