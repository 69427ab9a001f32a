/** The composition root: the only place, with cli/, that builds concrete parts and sees both the engine and the enforcers. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '#client/clock';
import type { Credentials } from '#client/credentials';
import { Ids } from '#client/ids';
import type { Identity, Principal } from '#client/identity';
import type { Journal } from '#client/journal';
import { InterlockError } from '#schemas/errors';
import type { Enforcer } from '#enforcers/common/enforcer';
import { startPostgresEnforcer } from '#enforcers/postgres/enforcer';
import type { PostgresTarget } from '#enforcers/postgres/target';
import type { Status } from './api/parts.ts';
import { openApi } from './api/server.ts';
import type { Notifier } from './approvals/notify/parts.ts';
import { SeenGroups } from './approvals/seen-groups.ts';
import { openApprovals, tellingEnds, type ApprovalBook } from './approvals/approvals.ts';
import { whereIs, type LoadedConfig, type SecretSource, type ServerTlsFiles, type TargetConfig } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { readSecret } from './config/secret.ts';
import { openStateDir } from './config/state.ts';
import { resolveUpstream, type Upstream } from './config/upstream.ts';
import { openCredentials } from './credentials/credentials.ts';
import type { LocalDecisionService } from './decide/service.ts';
import { paramsThatFlowToCode } from './facts/postgres/reader.ts';
import { openIdentity } from './identity/identity.ts';
import { openJournal, type FileJournal, type JournalOptions } from './journal/file-journal.ts';
import { loadCheckpointKey } from './journal/keys.ts';
import { openProjection } from './journal/projection/live.ts';
import type { Projection } from './journal/projection/projection.ts';
import { openJudging, openTheLocalIssuer, type JudgingOptions } from './judging.ts';
import { openNotifying, remembered } from './notifying.ts';
import { openWorlds, seeing } from './worlds.ts';
import { outside } from './outside.ts';
import { apiParts, Changes } from './serving.ts';

export interface UpOptions {
  readonly log: RedactingLog;
  readonly version: string;
  /** Test code hands in a clock that jumps, or files that fail (SURFACE.md, chaos); the product never does. */
  readonly clock?: Clock;
  readonly files?: JournalOptions['files'];
  /** The folder of the built console, as soon as it is there; absent: the API alone. */
  readonly console?: Promise<string>;
}

/** A gateway that accepts. */
export interface Running {
  readonly revision: string;
  readonly api: string;
  readonly targets: Readonly<Record<string, { readonly protocol: string; readonly address: string }>>;
  /** The journal's folder. */
  readonly journal: string;
  /** The file with the public key that verifies it. */
  readonly publicKey: string;
  status(): Status;
  reload(): Promise<void>;
  /** No new sessions; running statements finish; then everything ends. */
  drain(): Promise<void>;
  /** Ends everything now. */
  close(): Promise<void>;
  /** Resolves when it has ended as asked; rejects when it had to end: a dead journal. */
  readonly finished: Promise<void>;
}

interface Parts {
  readonly config: LoadedConfig;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: RedactingLog;
  readonly journal: FileJournal;
  readonly decisions: LocalDecisionService;
  readonly identity: Identity;
  readonly credentials: Credentials;
  readonly upstreams: Readonly<Record<string, Upstream>>;
}

/**
 * Starts everything in the order in which it is needed; what was started is ended again if a later part does not start.
 * @throws InterlockError of the part that did not start: one readable message
 */
export async function up(config: LoadedConfig, options: UpOptions): Promise<Running> {
  await using started = new AsyncDisposableStack();
  const clock = options.clock ?? systemClock;
  const ids = new Ids(clock);
  const { log } = options;
  await openStateDir(config.stateDir);
  const key = loadCheckpointKey(config.journal.checkpoint.keyFile);
  const journal = await openTheJournal(config, options, key.key, clock);
  started.defer(() => journal.close('drain'));
  const changes = new Changes();
  const activated: JudgingOptions['record'] = (event) => {
    journal.append(event);
    if (event.type === 'policy.activated') changes.tell({ live: { kind: 'policy', id: event.revision }, owners: 'everybody' });
  };
  const decisions = started.use(await openJudging(config, { log, clock, ids, record: activated }));
  const local = config.identity.local.enabled ? { local: await openTheLocalIssuer(config, clock) } : {};
  const seen = new SeenGroups();
  const identity = seeing(await openIdentity({ issuers: issuersOf(config, log), ...local, clock, log }), seen);
  const who = openWorlds({ config, journal, clock, ids, log, decisions, seen });
  started.defer(() => who.close());
  const { worlds, delegations } = who;
  const upstreams = await resolveUpstreams(config, log);
  const credentials = openCredentials({ targets: leases(config), ids, log });
  const parts: Parts = { config, clock, ids, log, journal, decisions, identity, credentials, upstreams };

  const projection = openProjection({ file: join(config.stateDir, 'projection.sqlite'), journal, log });
  started.defer(() => projection.close());
  const room: Room = { book: null, ends: null, notifier: null, projection, enforcers: [] };
  projection.onChange((change) => changes.projected(change));
  delegations.onChange((id) => changes.tell({ live: { kind: 'delegation', id }, owners: 'delegation' }));
  const serving = apiParts({
    ...parts,
    version: options.version,
    current: (principal) => withGroups(principal, seen.of(principal.subject)),
    login: { oidc: identity.logins, local: config.identity.local.enabled },
    changes,
    status: () => status(parts, room),
    book: () => room.book,
    projection,
    delegations: {
      list: ({ principal, all }) => delegations.list(all ? undefined : principal.subject),
      open: (by, ask) => delegations.open(by, ask),
      end: (id, by) => delegations.end(id, by),
    },
    notifications: () => room.notifier,
    authzen: outside({ ...parts, book: () => room.book, recorded: () => room.ends ?? journal }),
  });
  const { listen, publicUrl: announced } = config.api;
  const shown = options.console === undefined ? {} : { console: options.console };
  const api = await openApi({ listen, tls: pem(config.api.tls), publicUrl: announced, ...shown, parts: serving, clock, log }).catch(
    located(config, 'api.listen'),
  );
  started.defer(() => api.close());
  const publicUrl = config.api.publicUrl ?? api.url;
  const { expireMs, rememberDenialMs } = config.approvals;
  const notifier = openNotifying({ config, journal, clock, log, publicUrl, worlds });
  started.defer(() => notifier.close());
  room.notifier = notifier;
  const book = await openApprovals({
    journal: remembered(who.journal, notifier),
    clock,
    ids,
    log,
    expireMs,
    rememberDenialMs,
    publicUrl,
    data: { data: () => decisions.documents() },
    envOf: (target) => config.targets[target]?.env ?? null,
    codeParams: paramsThatFlowToCode,
    payloads: config.journal.payloads,
    worlds,
  });
  started.defer(() => book.close());
  const ends = tellingEnds(journal, book);
  room.book = book;
  room.ends = ends;
  started.defer(changes.follow(book));
  delegations.onChange((id) => {
    const opened = delegations.list().find(({ delegation_id, state }) => delegation_id === id && state !== 'ended');
    if (opened) notifier.delegated(opened);
  });
  void notifier.start(book); // nothing waits for it, and it does not reject
  for (const target of Object.values(config.targets)) {
    const enforcer = await startEnforcer(target, { ...parts, journal: ends }, book, publicUrl);
    started.defer(() => enforcer.close());
    room.enforcers.push([target.name, enforcer]);
  }
  return running({ parts, room, api: api.url, publicKey: key.publicKeyFile, stack: started.move() });
}

function withGroups(principal: Principal, groups: readonly string[]): Principal {
  const { subject } = principal;
  return { ...principal, subject: { ...subject, properties: { ...subject.properties, groups: [...groups] } } };
}

/** What the API answers from, filled in as the parts start. */
interface Room {
  book: ApprovalBook | null;
  /** The journal that tells the book how statements ended. */
  ends: Journal | null;
  notifier: Notifier | null;
  readonly projection: Projection;
  readonly enforcers: (readonly [target: string, enforcer: Enforcer])[];
}

function openTheJournal(config: LoadedConfig, options: UpOptions, key: JournalOptions['checkpoint']['key'], clock: Clock): Promise<FileJournal> {
  const { dir, segmentBytes, payloads, checkpoint } = config.journal;
  const origin = `interlock/${hostname()}`;
  const files = options.files === undefined ? {} : { files: options.files };
  return openJournal({
    dir,
    segmentBytes,
    payloads,
    checkpoint: { everyMs: checkpoint.everyMs, key, origin },
    clock,
    version: options.version,
    ...files,
  });
}

async function resolveUpstreams(config: LoadedConfig, log: RedactingLog): Promise<Readonly<Record<string, Upstream>>> {
  const entries = Object.values(config.targets).map(async (target) => {
    const upstream = await resolveUpstream(config, target);
    log.hide(upstream.password);
    if (upstream.notice !== null) log.warn({ target: target.name }, upstream.notice);
    return [target.name, upstream] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

/** The reference is read again for each lease: a rotated password is used from the next session on. */
function leases(config: LoadedConfig): Record<string, () => Promise<{ user: string; password: string }>> {
  return Object.fromEntries(Object.values(config.targets).map((target) => [target.name, () => resolveUpstream(config, target)]));
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

async function startEnforcer(
  target: TargetConfig,
  parts: Omit<Parts, 'journal'> & { readonly journal: Journal },
  approvals: ApprovalBook,
  publicUrl: string,
): Promise<Enforcer> {
  const { config, clock, ids, log, journal, decisions, identity, credentials } = parts;
  const upstream = parts.upstreams[target.name] as Upstream;
  const tls = pem(target.tls);
  const described: PostgresTarget = {
    name: target.name,
    listen: target.listen,
    env: target.env,
    labels: target.labels,
    limits: target.limits,
    publicUrl,
    approvals: { waitMs: config.approvals.waitMs, inTransaction: target.inTransaction },
    ...(tls === null ? {} : { tls }),
    upstream: { host: upstream.host, port: upstream.port, databases: upstream.databases, tls: upstreamTls(upstream) },
  };
  return startPostgresEnforcer({ target: described, decisions, journal, approvals, credentials, identity, clock, ids, log }).catch(
    located(config, `targets.${target.name}`),
  );
}

function upstreamTls({ tls }: Upstream): PostgresTarget['upstream']['tls'] {
  if (tls.mode === 'off') return { mode: 'off' };
  return { mode: 'verify-full', ...(tls.caFile === null ? {} : { ca: readFileSync(tls.caFile, 'utf8') }) };
}

function pem(files: ServerTlsFiles | null): { cert: string; key: string; ca?: string } | null {
  if (files === null) return null;
  const ca = files.caFile === null ? {} : { ca: readFileSync(files.caFile, 'utf8') };
  return { cert: readFileSync(files.certFile, 'utf8'), key: readFileSync(files.keyFile, 'utf8'), ...ca };
}

/** Puts file, line and key in front of what a part said when it did not start. */
function located(config: LoadedConfig, path: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof InterlockError)) throw error;
    throw new InterlockError(error.code, `${whereIs(config, path)}: ${error.message}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  };
}

function status({ decisions, journal, config }: Parts, { book, notifier, projection, enforcers }: Room): Status {
  const policies = decisions.status();
  const { records, bytes, syncs, lastSyncUs } = journal.status();
  const targets = enforcers.map(([name, enforcer]) => {
    const { protocol, address } = enforcer;
    return [name, { protocol, address: hostPort(address), sessions: enforcer.sessions().length }] as const;
  });
  return {
    ok: journal.fault === null && policies.error === null && enforcers.length === Object.keys(config.targets).length,
    revision: policies.revision,
    policy_error: policies.error,
    targets: Object.fromEntries(targets),
    journal: { dir: config.journal.dir, fault: journal.fault?.message ?? null, records, bytes, syncs, last_sync_us: lastSyncUs },
    open_approvals: book?.open ?? 0,
    sessions: targets.reduce((sum, [, { sessions }]) => sum + sessions, 0),
    projection: projection.status(),
    notifications: notifier?.status() ?? { channels: 0, waiting: 0, dead: 0 },
  };
}

function hostPort({ host, port }: Enforcer['address']): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

interface Started {
  readonly parts: Parts;
  readonly room: Room;
  readonly api: string;
  readonly publicKey: string;
  readonly stack: AsyncDisposableStack;
}

function running({ parts, room, api, publicKey, stack }: Started): Running {
  const { decisions, journal, config, log } = parts;
  const finished = Promise.withResolvers<void>();
  let ending: Promise<void> | null = null;
  const close = (): Promise<void> => (ending ??= stack.disposeAsync().then(finished.resolve, finished.reject));
  journal.onFault((fault) => {
    // nothing may run without its record: everything ends, and says why (I6)
    log.error({ fault: fault.message }, 'the journal cannot be written; the gateway ends');
    void close();
    finished.reject(new InterlockError('JOURNAL_UNAVAILABLE', fault.message, { cause: fault }));
  });
  finished.promise.catch(() => {}); // whoever waits for it is told; nobody waiting is no crash
  return {
    get revision() {
      return decisions.revision;
    },
    api,
    publicKey,
    journal: config.journal.dir,
    finished: finished.promise,
    close,
    targets: Object.fromEntries(room.enforcers.map(([name, { protocol, address }]) => [name, { protocol, address: hostPort(address) }])),
    status: () => status(parts, room),
    reload: () => decisions.reload(),
    drain: async () => {
      await Promise.all(room.enforcers.map(([, enforcer]) => enforcer.drain()));
      await close();
    },
  };
}
