/** `interlock enforce TARGET`: one enforcer beside its target, with a journal of its own; what it must not decide itself, it asks its engines. */
import type { DecisionService } from '#client/decision-service';
import type { Enforcer, SessionInfo } from '#enforcers/common/enforcer';
import type { SessionMessage } from '#schemas/apart';
import type { Event } from '#schemas/event';
import type { ChannelReport } from '#schemas/enforcer-report';
import type { Meters } from '#enforcers/common/meters';
import { InterlockError } from '#schemas/errors';
import { tellingEnds } from './approvals/approvals.ts';
import { enforcerHandlers, startReporting, startSharing } from './apart/enforcer-side.ts';
import type { CallRunner, SessionControl } from './apart/parts.ts';
import { describeTargets, remoteIdentity } from './apart/remote-access.ts';
import { RemoteCredentials } from './apart/remote-credentials.ts';
import { openRemoteDecisions } from './apart/remote-decisions.ts';
import { remoteApprovals } from './apart/remote-approvals.ts';
import { APART_LIMITS } from './apart/limits.ts';
import { type Recorded, UseEnds } from './apart/use-ends.ts';
import { openBase, type Base, type BaseOptions } from './base.ts';
import { openDialer } from './channel/dialer.ts';
import type { Dialer } from './channel/parts.ts';
import { atOwnDoor, hostOf } from './own-door.ts';
import { whereIs, type LoadedConfig, type TargetConfig } from './config/config.ts';
import { openIdentity } from './enrolment/identity.ts';
import type { EnforcerIdentity } from './enrolment/parts.ts';
import { localHome, type LocalHome } from './local-home.ts';
import { openOperating, openOperationsListener } from './operating.ts';
import { running, type Enforcers, type Running } from './running.ts';
import { placeOf, startEnforcer, type Said } from './targets.ts';

/** An engine that is started in the same moment may take so long; then whoever supervises us starts us anew. */
const ENGINE_MS_MAX = 60_000;

/** @throws InterlockError of the part that did not start; ENGINE_UNAVAILABLE when no engine is there within a minute */
export async function beside(whole: LoadedConfig, name: string, options: BaseOptions): Promise<Running> {
  const { config, target } = ownPart(whole, name);
  await using started = new AsyncDisposableStack();
  const base = await openBase(config, options, started);
  const identity = await ownIdentity(base, name);
  started.defer(() => identity.close());
  const home = target.judging === 'local' ? await localHome(base, identity) : null;
  if (home !== null) started.use(home);
  const enforcers: (readonly [target: string, enforcer: Enforcer])[] = [];
  const run: CallRunner = (how, question, signal) =>
    atOwnDoor({ target, enforcer: enforcers[0]?.[1], host: () => hostOf(said.now.publicUrl) }, { how, ...question }, signal);
  const engines = openEngines(base, identity, { home, sessions: sessionsOf(enforcers), run });
  started.defer(() => engines.close());
  identity.start(engines);
  started.defer(identity.onRenewed(() => engines.rotated()));
  await engines.ready(ENGINE_MS_MAX);
  const said = await listening(engines, base, name, started);
  await home?.ready(ENGINE_MS_MAX);
  const decisions = home?.decisions ?? remoteHome(engines, base, started);
  const operations = await openOperating(base, {
    enforcers: () => enforcers,
    revision: () => decisions.revision,
    policies: () => home?.decisions.status() ?? null,
    channel: () => channelReport(engines),
  });
  const url = await openOperationsListener(base, operations, started);
  const ends = new UseEnds(engines, base.log);
  started.defer(() => ends.close());
  recall(ends, base);
  base.journal.started();
  const credentials = new RemoteCredentials({ engines, log: base.log });
  started.defer(() => credentials.close());
  const enforcer = await startEnforcer(target, {
    config,
    place: placeOf(target),
    said: () => said.now,
    deps: {
      ...base,
      decisions,
      journal: tellingEnds(base.journal, ends),
      approvals: remoteApprovals(engines, ends),
      credentials,
      identity: remoteIdentity(engines, name),
    },
  });
  started.defer(() => enforcer.close());
  enforcers.push([name, enforcer]);
  started.defer(startReporting(engines, () => operations.selves(), base.log));
  started.defer(startSharing(engines, base.meters, base.log));
  return running({
    base,
    enforcers,
    api: url ?? '',
    revision: () => decisions.revision,
    reload: () => said.again(),
    stack: started.move(),
  });
}

/** Of the process before this one; nothing waits for it. */
function recall(ends: UseEnds, { journal, log }: Base): void {
  const since = Math.max(-1, journal.status().records - APART_LIMITS.recordsRecalled);
  const done = ends.recall(recorded(journal.events({ since })));
  done.catch((error: unknown) => log.warn({ err: error }, 'how approved statements ended before the start is not known'));
}

/** Only what is of use, so that nothing more is looked at. */
async function* recorded(events: AsyncIterable<Event>): AsyncGenerator<Recorded> {
  for await (const event of events) if (event.type === 'statement.cleared' || event.type === 'statement.finished') yield event;
}

interface Own {
  /** With this target alone. */
  readonly config: LoadedConfig;
  readonly target: TargetConfig;
}

function ownPart(config: LoadedConfig, name: string): Own {
  if (config.enforcer === null)
    throw new InterlockError('CONFIG_INVALID', `${config.file}: \`enforcer\` missing: which engines this enforcer asks`, {
      hint: 'Write `enforcer: { engines: [HOST:PORT] }`.',
    });
  const target = Object.hasOwn(config.targets, name) ? config.targets[name] : undefined;
  if (target === undefined)
    throw new InterlockError('USAGE', `${config.file} has no target ${name}; it has ${Object.keys(config.targets).join(', ')}`);
  return { config: { ...config, targets: { [name]: target } }, target };
}

async function ownIdentity({ config, clock, log }: Base, target: string): Promise<EnforcerIdentity> {
  const identity = await openIdentity({ dir: config.enforcer?.identityDir ?? '', clock, log });
  if (identity.targets.includes(target)) return identity;
  identity.close();
  throw new InterlockError(
    'TARGET_NOT_GRANTED',
    `${whereIs(config, `targets.${target}`)}: the enforcer ${identity.name} was enrolled for ${identity.targets.join(', ')}`,
  );
}

function openEngines(
  { config, clock, log, version }: Base,
  identity: EnforcerIdentity,
  { home, sessions, run }: { readonly home: LocalHome | null; readonly sessions: SessionControl; readonly run: CallRunner },
): Dialer {
  return openDialer({
    engines: config.enforcer?.engines ?? [],
    tls: () => identity.tls(),
    authorise: identity.authorise,
    handlers: enforcerHandlers({ sessions, bundles: home?.bundles ?? null, run }),
    clock,
    log,
    software: version,
  });
}

interface Listening {
  /** What was said last. */
  readonly now: Said;
  again(): Promise<void>;
}

/** What the engine says of the target: asked at start, of each engine anew, every few seconds, and on SIGHUP. */
async function listening(engines: Dialer, { log, meters }: Base, name: string, started: AsyncDisposableStack): Promise<Listening> {
  let now = await saidBy(engines, name, meters);
  const again = async (): Promise<void> => {
    now = await saidBy(engines, name, meters);
  };
  const stop = engines.onChange((channel) => {
    if (channel === null) return;
    again().catch((error: unknown) => log.warn({ err: error }, 'what this engine says of the target is not known: what the last one said stays'));
  });
  started.defer(stop);
  const timer = setInterval(() => {
    // the engine may have read its configuration again; without one, what was said stays
    if (engines.channel !== null) again().catch((error: unknown) => log.debug({ err: error }, 'what the engine says of the target was not heard'));
  }, APART_LIMITS.describeEveryMs);
  timer.unref();
  started.defer(() => clearInterval(timer));
  return {
    get now() {
      return now;
    },
    again,
  };
}

async function saidBy(engines: Dialer, name: string, meters: Meters): Promise<Said> {
  const { publicUrl, targets } = await describeTargets(engines, [name]);
  const target = targets[name];
  if (target === undefined) throw new InterlockError('CONFIG_INVALID', `the engine does not know the target ${name}`);
  const { env, labels, approvals, cool_down: coolDown } = target;
  meters.follow(coolDown ? { denials: coolDown.denials, withinMs: coolDown.within_ms, forMs: coolDown.for_ms } : null);
  return { env, labels, publicUrl, approvals: { waitMs: approvals.wait_ms, inTransaction: approvals.in_transaction } };
}

function sessionsOf(enforcers: Enforcers): SessionControl {
  return {
    list: () => enforcers.flatMap(([, enforcer]) => enforcer.sessions().map(sessionMessage)),
    terminate: (sessionId) => enforcers.some(([, enforcer]) => enforcer.terminate(sessionId)),
  };
}

function sessionMessage({ session_id, subject, target, client, opened_at, statements, state, approval_id }: SessionInfo): SessionMessage {
  return { session_id, subject, target, client, opened_at, statements, state, approval_id };
}

function channelReport(engines: Dialer): ChannelReport {
  const { connected, engine } = engines.status();
  const { rttMs = null, clockOffsetMs = null } = engines.channel ?? {};
  return {
    connected,
    engine: connected ? engine : null,
    rtt_us: rttMs === null ? null : Math.round(rttMs * 1000),
    clock_offset_us: clockOffsetMs === null ? null : Math.round(clockOffsetMs * 1000),
  };
}

function remoteHome(engines: Dialer, { clock, log }: Base, started: AsyncDisposableStack): DecisionService {
  const decisions = openRemoteDecisions({ engines, clock, log });
  started.defer(() => decisions.close());
  return decisions;
}
