/** What an enforcer needs, asked of an engine over a real private channel, where the run asks for it: the parts of both sides are the product's. */
import type { Approvals } from '#client/approvals';
import { systemClock } from '#client/clock';
import type { Credentials } from '#client/credentials';
import type { DecisionService } from '#client/decision-service';
import type { Identity } from '#client/identity';
import type { Journal } from '#client/journal';
import { silentLog } from '#client/log';
import { engineHandlers } from '#engine/apart/engine-side';
import { Fleet } from '#engine/apart/fleet';
import { remoteIdentity } from '#engine/apart/remote-access';
import { remoteApprovals } from '#engine/apart/remote-approvals';
import { RemoteCredentials } from '#engine/apart/remote-credentials';
import { openRemoteDecisions } from '#engine/apart/remote-decisions';
import type { ServedCredentials } from '#engine/apart/serve-access';
import type { ServedApprovals } from '#engine/apart/serve-approvals';
import { serveDecisions } from '#engine/apart/serve-decisions';
import { UseEnds } from '#engine/apart/use-ends';
import { type ApprovalBook, tellingEnds } from '#engine/approvals/approvals';
import { channelPair } from './channel.ts';
import type { Shape } from './shapes.ts';

/** All of the engine that an enforcer sees, and its own journal. */
export interface EnforcerParts {
  readonly decisions: DecisionService;
  readonly journal: Journal;
  readonly approvals: Approvals;
  readonly credentials: Credentials;
  readonly identity: Identity;
}

export type PartsApart = EnforcerParts & AsyncDisposable;

/** @param parts the engine's, and the journal that is the enforcer's */
export async function inShape(shape: Shape, parts: EnforcerParts, target: string): Promise<PartsApart> {
  if (shape === 'up') return { ...parts, [Symbol.asyncDispose]: () => Promise.resolve() };
  await using started = new AsyncDisposableStack();
  const fleet = new Fleet({ bundles: { current: null, onChange: () => () => {} }, clock: systemClock, log: silentLog });
  started.defer(() => fleet.close());
  const { calls, streams } = engineHandlers({
    fleet,
    approvals: served(parts.approvals, target),
    identity: parts.identity,
    credentials: leased(parts.credentials),
    publicUrl: () => 'https://interlock.example.com',
    describe: () => null, // the test says what the target is
  });
  const judging = serveDecisions({ decisions: parts.decisions, clock: systemClock });
  const handlers = { calls: { ...calls, ...judging.calls }, streams: { ...streams, ...judging.streams } };
  const { dialer } = started.use(await channelPair({ listener: { handlers }, targets: [target] }));
  const ends = new UseEnds(dialer, silentLog);
  started.defer(() => ends.close());
  const credentials = new RemoteCredentials({ engines: dialer, log: { ...silentLog, hide: () => {}, forget: () => {} } });
  started.defer(() => credentials.close());
  const remote = shape === 'apart-remote' ? openRemoteDecisions({ engines: dialer, clock: systemClock, log: silentLog }) : null;
  if (remote !== null) started.defer(() => remote.close());
  const stack = started.move();
  return {
    decisions: remote ?? parts.decisions,
    journal: tellingEnds(parts.journal, ends),
    approvals: remoteApprovals(dialer, ends),
    credentials,
    identity: remoteIdentity(dialer, target),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A book tells more than an enforcer may ask; what is none has requests of this target alone. */
function served(approvals: Approvals & Partial<Pick<ApprovalBook, 'show' | 'ended' | 'hear'>>, target: string): ServedApprovals {
  return {
    request: (draft) => approvals.request(draft),
    hear: (approvalId) => approvals.hear?.(approvalId) ?? Promise.resolve(),
    settled: (approvalId, signal) => approvals.settled(approvalId, signal),
    consume: (approvalId, use) => approvals.consume(approvalId, use),
    cancel: (approvalId, by) => approvals.cancel(approvalId, by),
    supersede: (approvalId, detail) => approvals.supersede(approvalId, detail),
    show: (approvalId) => approvals.show?.(approvalId) ?? { target },
    ended: ({ approval_id: approvalId, statement_id: statementId, outcome, rows }) =>
      approvals.ended?.({ approvalId, statementId, outcome, ...(rows === undefined ? {} : { rows }) }),
  };
}

function leased(credentials: Credentials): ServedCredentials {
  return {
    lease: (target) => credentials.lease(target),
    keep: () => [],
    release: (_holder, _target, leases) => {
      for (const lease of leases) credentials.release(lease);
    },
  };
}
