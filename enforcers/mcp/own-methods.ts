/** What the gateway answers itself: who it is, whether it is there, and its tasks. */
import { refusal } from '#enforcers/common/refusal';
import { digestOf, ended, nowMs, taskState, taskView, verdict } from './holding.ts';
import { MCP_LIMITS } from './limits.ts';
import type { RpcOutcome } from './message.ts';
import { CLIENT_REQUESTS, ERROR, META, VERSIONS } from './protocol.ts';
import { failed, succeeded } from './reply.ts';
import type { Asking, Ready } from './asking.ts';
import type { McpSession } from './session.ts';
import { capabilitiesOf } from './translate.ts';
import { rpcErrorOf } from './words.ts';

type Run = (ready: Ready, approvalId: string, session: McpSession) => Promise<RpcOutcome>;

export async function own(asking: Asking, session: McpSession, run: Run): Promise<RpcOutcome> {
  switch (asking.request.method) {
    case 'initialize':
      return initialized(session);
    case 'server/discover':
      return discovered(session);
    case 'tasks/get':
      return gotTask(asking, session, run);
    case 'tasks/cancel':
      return cancelledTask(asking, session);
    case 'tasks/update':
      return ofTask(asking, session) === null ? noTask() : succeeded({ resultType: 'complete' });
    default:
      return succeeded({});
  }
}

async function initialized(session: McpSession): Promise<RpcOutcome> {
  const { self } = await session.link();
  const { who } = session.arrival;
  return succeeded({
    protocolVersion: who.version,
    capabilities: capabilitiesOf(self.capabilities, 'legacy', session.house.target.fromServer),
    serverInfo: self.info ?? { name: session.scene.target, version: '0' },
    ...(self.instructions === null ? {} : { instructions: self.instructions }),
  });
}

async function discovered(session: McpSession): Promise<RpcOutcome> {
  const { self } = await session.link();
  return succeeded({
    resultType: 'complete',
    supportedVersions: [...VERSIONS],
    capabilities: capabilitiesOf(self.capabilities, 'modern', session.house.target.fromServer),
    ...(self.instructions === null ? {} : { instructions: self.instructions }),
    ttlMs: 0,
    cacheScope: 'private',
    _meta: { [META.server]: self.info ?? { name: session.scene.target, version: '0' } },
  });
}

function ofTask({ request }: Asking, session: McpSession): ReturnType<typeof taskState> {
  const { taskId } = request.params;
  return typeof taskId === 'string' ? taskState(taskId, session) : null;
}

function noTask(): RpcOutcome {
  return failed({ code: ERROR.params, message: 'there is no such task of yours' });
}

/** Carried out by whoever asks for it first after the verdict: once. */
async function gotTask(asking: Asking, session: McpSession, run: Run): Promise<RpcOutcome> {
  const state = ofTask(asking, session);
  const { call } = state ?? {};
  if (state === null || call === undefined) return noTask();
  const view = taskView(String(asking.request.params['taskId']), state, session);
  const answer = (outcome: RpcOutcome): RpcOutcome =>
    succeeded({
      resultType: 'complete',
      ...view,
      ...(outcome.ok ? { status: 'completed', result: outcome.result } : { status: 'failed', error: outcome.error }),
    });
  const { results } = session.house;
  const kept = await results.found(state.approval, nowMs(session));
  if (kept !== null) return answer(kept);
  const ticket = await verdict(state, session, MCP_LIMITS.taskLookMs, asking.signal);
  if (ticket === 'open')
    return succeeded({ resultType: 'complete', ...view, status: 'working', statusMessage: `Approval ${state.approval} is not decided yet.` });
  const why = ended(ticket);
  if (why !== null && ticket.state === 'cancelled') return succeeded({ resultType: 'complete', ...view, status: 'cancelled' });
  if (why !== null) return answer((await results.found(state.approval, nowMs(session))) ?? failed(rpcErrorOf(why)));
  if (digestOf(session.payload('tools/call', call.params)) !== state.digest) return answer(failed(rpcErrorOf(refusal('INTERNAL'))));
  const treatment = CLIENT_REQUESTS['tools/call'];
  if (treatment?.kind !== 'judged') return noTask();
  const request = { ...asking.request, method: 'tools/call', params: call.params };
  const ready = { asking: { ...asking, request, capabilities: {} }, treatment, params: call.params, rest: call.params, state: null };
  return answer(await run(ready, state.approval, session));
}

async function cancelledTask(asking: Asking, session: McpSession): Promise<RpcOutcome> {
  const state = ofTask(asking, session);
  if (state === null) return noTask();
  await session.scene.approvals.cancel(state.approval, session.subject.id);
  return succeeded({ resultType: 'complete' });
}
