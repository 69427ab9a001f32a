/** `interlock engine`: the central half in a process of its own, and the channel on which enforcers reach it. */
import { join } from 'node:path';
import type { TargetDescription } from '#schemas/apart';
import type { ApprovalBook } from './approvals/approvals.ts';
import { engineHandlers } from './apart/engine-side.ts';
import { Fleet } from './apart/fleet.ts';
import type { BundleSource } from './apart/parts.ts';
import { serveDecisions } from './apart/serve-decisions.ts';
import type { ServedCredentials } from './apart/serve-access.ts';
import type { ServedApprovals } from './apart/serve-approvals.ts';
import { openBase, type Base, type BaseOptions } from './base.ts';
import type { BundlePublisher } from './bundles/publisher.ts';
import { openCentral, type Central } from './central.ts';
import { openListener } from './channel/listener.ts';
import type { Listener } from './channel/parts.ts';
import type { CredentialDesk } from './credentials/credentials.ts';
import type { LoadedConfig } from './config/config.ts';
import { openAuthority } from './enrolment/authority.ts';
import { openEnrolment } from './enrolment/enrolment.ts';
import type { Enrolment } from './enrolment/parts.ts';
import { fleetReports } from './fleet-reports.ts';
import { folding } from './folding.ts';
import { located } from './located.ts';
import { placedTools } from './mcp-target.ts';
import { openOrdering } from './ordering.ts';
import { openPublishing } from './policies.ts';
import { hostPort, running, type Running } from './running.ts';
import { InterlockError } from '#schemas/errors';

/** Clients are elsewhere: those who are connected get so long to go to another engine. */
const DRAIN_MS = 5_000;

export interface EngineOptions extends BaseOptions {
  /** The folder of the built console, as soon as it is there; absent: the API alone. */
  readonly console?: Promise<string>;
}

/** @throws InterlockError of the part that did not start: one readable message */
export async function engine(config: LoadedConfig, options: EngineOptions): Promise<Running> {
  if (config.engine === null)
    throw new InterlockError('CONFIG_INVALID', `${config.file}: \`engine\` missing: where enforcers connect`, {
      hint: 'Write `engine: { listen: HOST:PORT }`.',
    });
  await using started = new AsyncDisposableStack();
  const base = await openBase(config, options, started);
  const { publisher, source, publicKeys } = await openPublishing(config, base);
  started.defer(() => publisher.close());
  const keysDir = join(config.stateDir, 'keys');
  const ordering = openOrdering(base, await openAuthority(keysDir, base.clock));
  if (ordering) started.defer(() => ordering.close());
  const enrolment = await openEnrolment({
    ...base,
    journal: ordering?.registry ?? folding(base.journal),
    keysDir,
    trusted: () => publicKeys,
  });
  started.defer(() => enrolment.close());
  ordering?.registry.follow((event) => enrolment.follow(event));
  const fleet = new Fleet({
    ...base,
    bundles: bundlesOf(publisher),
    journals: ({ journal, key }, enforcer) => {
      if (journal !== null && key !== undefined) base.archiving?.learnKey(journal, { enforcer, key });
    },
  });
  started.defer(() => fleet.close());
  const shown = options.console === undefined ? {} : { console: options.console };
  const here = fleetReports({ fleet, enrolment, archived: (id) => base.archiving?.archived(id) ?? null });
  const remote = ordering?.fleets.beside(here) ?? here;
  const terminate = ordering?.fleets.orElsewhere((id) => fleet.terminate(id)) ?? ((id: string) => fleet.terminate(id));
  const central = await openCentral(
    base,
    {
      ...shown,
      enforcers: () => [],
      remote,
      remoteSessions: () => fleet.sessions(),
      runElsewhere: (how, question, signal) => fleet.run(how, question, signal),
      judging: source,
      ordering,
      enrolment,
      terminate,
    },
    started,
  );
  await ordering?.registry.share();
  const listener = await openChannel(base, { central, enrolment, fleet });
  started.defer(() => listener.close());
  started.defer(enrolment.onChange(() => listener.reauthorise()));
  started.defer(enrolment.onRemoved((name) => central.credentials.releaseAll(name)));
  const { decisions, api } = central;
  return running({
    base,
    enforcers: [],
    api,
    channel: hostPort(listener.address),
    revision: () => decisions.revision,
    reload: () => decisions.reload(),
    draining: () => listener.drain(DRAIN_MS),
    ...(ordering && { failed: ordering.log.lost }),
    stack: started.move(),
  });
}

interface ChannelFrom {
  readonly central: Central;
  readonly enrolment: Enrolment;
  readonly fleet: Fleet;
}

function openChannel({ config, live, clock, log, version }: Base, { central, enrolment, fleet }: ChannelFrom): Promise<Listener> {
  const { decisions, identity, credentials, approvals, publicUrl } = central;
  const { calls, streams } = engineHandlers({
    identity,
    credentials: leased(credentials),
    fleet,
    approvals: served(approvals),
    publicUrl: () => publicUrl,
    describe: (target) => described(live.config, target),
  });
  const judging = serveDecisions({ decisions, clock, placed: (knowledge) => placedTools(knowledge, live.config) });
  return openListener({
    listen: config.engine?.listen ?? { host: '127.0.0.1', port: 0 },
    tls: () => enrolment.tls(),
    authorise: enrolment.authorise,
    joining: enrolment.joining,
    handlers: { calls: { ...calls, ...judging.calls, ...enrolment.calls }, streams: { ...streams, ...judging.streams } },
    onChannel: (channel) => fleet.joined(channel),
    clock,
    log,
    software: version,
  }).catch(located(config, 'engine.listen'));
}

function bundlesOf(publisher: BundlePublisher): BundleSource {
  return {
    get current() {
      const { current } = publisher;
      return current === null ? null : { revision: current.manifest.revision, bytes: current.bytes };
    },
    onChange: (listener) => publisher.onChange(listener),
  };
}

function served(book: ApprovalBook): ServedApprovals {
  return {
    request: (draft) => book.request(draft),
    settled: (approvalId, signal) => book.settled(approvalId, signal),
    consume: (approvalId, use) => book.consume(approvalId, use),
    cancel: (approvalId, by) => book.cancel(approvalId, by),
    supersede: (approvalId, detail) => book.supersede(approvalId, detail),
    hear: (approvalId) => book.hear(approvalId),
    show: (approvalId) => book.show(approvalId),
    ended: ({ approval_id: approvalId, statement_id: statementId, outcome, rows }) =>
      book.ended({ approvalId, statementId, outcome, ...(rows === undefined ? {} : { rows }) }),
  };
}

/** An enforcer releases what it holds itself, and nobody else’s. */
function leased(desk: CredentialDesk): ServedCredentials {
  return {
    lease: (target, holder) => desk.lease(target, holder),
    keep: (holder, target, leases) => desk.keep(holder, target, leases),
    release: (holder, target, leases) => {
      const foreign = new Set(desk.keep(holder, target, leases));
      for (const lease of leases) if (!foreign.has(lease.id)) desk.release(lease);
    },
  };
}

function described({ targets, approvals, agents }: LoadedConfig, name: string): TargetDescription | null {
  const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
  if (target === undefined) return null;
  const { env, labels, inTransaction } = target;
  const { coolDown } = agents;
  return {
    env,
    labels: { ...labels },
    approvals: { wait_ms: approvals.waitMs, in_transaction: inTransaction },
    ...(coolDown && { cool_down: { denials: coolDown.denials, within_ms: coolDown.withinMs, for_ms: coolDown.forMs } }),
  };
}
