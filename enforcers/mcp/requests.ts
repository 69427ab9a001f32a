/** One request of a client, once its form, its era and its session are known: answered by the gateway, or judged and forwarded. */
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import { InterlockError } from '#schemas/errors';
import type { Answering } from './answer.ts';
import { carryOut, type Call, type CallOutcome, type OpenSink } from './calls.ts';
import {
  carried,
  digestOf,
  doesTasks,
  ended,
  inputRequired,
  nowMs,
  OWN_QUESTION,
  pendingResult,
  sealServerState,
  task,
  unknownState,
  verdict,
  type Held,
  type HeldState,
} from './holding.ts';
import { filtered, isList, visibleTools } from './listing.ts';
import { MCP_LIMITS } from './limits.ts';
import { localPathObjection } from './local-paths.ts';
import type { RpcOutcome } from './message.ts';
import { CLIENT_REQUESTS, ERROR, isObject, MAY_ASK, META, objectOf, SERVER_REQUESTS, type Treatment } from './protocol.ts';
import { sinkFor } from './relay.ts';
import { failed, succeeded } from './reply.ts';
import type { McpSession } from './session.ts';
import type { Asking, Ready } from './asking.ts';
import { own } from './own-methods.ts';
import { capabilitiesFor, metaFor, resultFor } from './translate.ts';
import { hidden, toolObjection } from './visibility.ts';
import { rpcErrorOf } from './words.ts';

/** Total: whatever happens is an outcome for the client. Rejects only when the journal is dead. */
export async function answerTo(asking: Asking, session: McpSession): Promise<RpcOutcome> {
  try {
    const { method } = asking.request;
    const treatment = Object.hasOwn(CLIENT_REQUESTS, method) ? CLIENT_REQUESTS[method] : undefined;
    if (treatment === undefined || !treatment.eras.includes(asking.era)) return failed(notKnown(method));
    if (asksOnly(asking) && carriesOn(asking)) return failed(rpcErrorOf(refusal('PROTOCOL', 'what only asks goes on with nothing that was held')));
    using _place = session.enter();
    return treatment.kind === 'own' ? await own(asking, session, approved) : await judged(asking, treatment, session);
  } catch (error) {
    if (session.scene.journal.fault !== null) throw error;
    if (!(error instanceof InterlockError)) session.house.deps.log.error({ session: session.id, err: error }, 'a request failed');
    return failed(rpcErrorOf(refusalOf(error)));
  }
}

/** Fail closed: whatever the member says but `false`. */
function asksOnly({ request }: Asking): boolean {
  return (request.meta[META.askOnly] ?? false) !== false;
}

/** It would run what was approved meanwhile. */
function carriesOn({ request: { method, params } }: Asking): boolean {
  return method.startsWith('tasks/') || params['requestState'] !== undefined;
}

function notKnown(method: string): { readonly code: number; readonly message: string } {
  return { code: ERROR.method, message: `the method ${JSON.stringify(method.slice(0, 64))} is not supported` };
}

async function judged(asking: Asking, treatment: Treatment & { kind: 'judged' }, session: McpSession): Promise<RpcOutcome> {
  const { method } = asking.request;
  if (treatment.capability === 'logging' && !session.house.target.fromServer.logging) return failed(notKnown(method));
  const { requestState, inputResponses, ...rest } = asking.request.params;
  if (rest['task'] !== undefined)
    return failed(rpcErrorOf(refusal('UNSUPPORTED', 'tasks that the client asks for are not supported: the gateway says when there is one')));
  const answers = MAY_ASK.has(method) && isObject(inputResponses) ? withoutOwn(inputResponses) : inputResponses;
  const params = answers === undefined || (isObject(answers) && Object.keys(answers).length === 0) ? rest : { ...rest, inputResponses: answers };
  if (requestState !== undefined) {
    if (typeof requestState !== 'string' || !MAY_ASK.has(method) || asking.era !== 'modern') return failed(rpcErrorOf(unknownState()));
    const known = carried(requestState, session);
    if (known === null || known.state === undefined) return failed(rpcErrorOf(unknownState()));
    if (known.kind === 'held') {
      const early = await waited(known.state, params, asking, session);
      return early ?? approved({ asking, treatment, params, rest, state: null }, known.state.approval, session);
    }
    if (known.digest !== digestOf(session.payload(method, rest))) return failed(rpcErrorOf(unknownState()));
    return again({ asking, treatment, params, rest, state: known.state }, session);
  }
  return again({ asking, treatment, params, rest, state: null }, session);
}

/** What the client answers to our own question is ours. */
function withoutOwn(answers: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { [OWN_QUESTION]: _own, ...others } = answers;
  return others;
}

/** null: it may run now. */
async function waited(state: HeldState, params: Readonly<Record<string, unknown>>, asking: Asking, session: McpSession): Promise<RpcOutcome | null> {
  const { request, signal, capabilities } = asking;
  const payload = session.payload(request.method, params);
  if (state.digest !== digestOf(payload)) return failed(rpcErrorOf(unknownState()));
  const { results } = session.house;
  const kept = await results.found(state.approval, nowMs(session));
  if (kept !== null) return kept;
  const said = objectOf(objectOf(request.params['inputResponses'])[OWN_QUESTION])['action'];
  if (said === 'decline') {
    await session.scene.approvals.cancel(state.approval, session.subject.id);
    return failed(rpcErrorOf(refusal('CANCELLED', `the call was taken back, and approval ${state.approval} with it`)));
  }
  const ticket = await verdict(state, session, session.house.target.pollMs, signal);
  if (ticket !== 'open') {
    const why = ended(ticket);
    // another of the client's tries may have carried it out meanwhile
    if (why !== null) return (await results.found(state.approval, nowMs(session))) ?? failed(rpcErrorOf(why));
    return null;
  }
  const why = refusal('APPROVAL_PENDING', `${state.approval} is not decided yet`, { detail: `code=APPROVAL_PENDING approval=${state.approval}` });
  const held: Held = { approvalId: state.approval, who: state.who, payload, params, why };
  const { rounds = 0 } = state;
  if (rounds < MCP_LIMITS.heldRounds) return succeeded(inputRequired(held, session, capabilities, rounds + 1));
  return inWords(held, asking, session);
}

/** Once, however many ask for it; it runs to its end even if they leave, as its approval is used up. */
function approved(ready: Ready, approvalId: string, session: McpSession): Promise<RpcOutcome> {
  const asking = { ...ready.asking, signal: session.ended.signal };
  return session.house.results.once(approvalId, () => again({ ...ready, asking }, session));
}

/** Judges, and carries out what may be. */
async function again(ready: Ready, session: McpSession): Promise<RpcOutcome> {
  const { asking, treatment, params, state } = ready;
  const { request, era, reply, questions, signal } = asking;
  const { target } = session.house;
  const { method } = request;
  const link = session.openLink;
  const upstreamEra = link?.self.era ?? era;
  const capabilities = capabilitiesFor(asking.capabilities, target.fromServer);
  const call: Call = {
    method,
    action: treatment.action,
    params,
    meta: metaFor(upstreamEra, request.meta, capabilities, asking.info, target.fromServer.logging),
    state,
    mode: `mcp/${era}`,
    asksOnly: asksOnly(asking),
    objection: await objectionTo(method, params, session),
    signal,
  };
  const subscription = method === 'subscriptions/listen' ? request.id : null;
  const sinkOf: OpenSink = (answering: Answering) => sinkFor({ session, questions, reply, answering, subscription });
  const outcome = await carryOut(call, session, sinkOf);
  return told(outcome, ready, session);
}

async function objectionTo(method: string, params: Readonly<Record<string, unknown>>, session: McpSession): Promise<Refusal | null> {
  const { name, uri } = params;
  switch (method) {
    case 'tools/call':
      if (typeof name !== 'string') return null;
      return (await toolObjection(name, session)) ?? localPathObjection(name, params, session);
    case 'prompts/get':
      return typeof name === 'string' ? hidden('prompts/list', name, session) : null;
    case 'resources/read':
    case 'resources/subscribe':
      return typeof uri === 'string' ? hidden('resources/list', uri, session) : null;
    case 'subscriptions/listen':
      return listenObjection(params, session);
    default:
      return null;
  }
}

/** Each resource that is to be told of must be one that may be seen. */
async function listenObjection(params: Readonly<Record<string, unknown>>, session: McpSession): Promise<Refusal | null> {
  const wanted = objectOf(params['notifications'])['resourceSubscriptions'];
  if (wanted === undefined) return null;
  if (!Array.isArray(wanted) || wanted.length > MCP_LIMITS.subscriptionsPerSession)
    return refusal('BUDGET_SEGMENT', 'too many resources to be told of');
  for (const uri of wanted as unknown[]) {
    const why = typeof uri === 'string' ? await hidden('resources/list', uri, session) : refusal('PROTOCOL', 'a resource is not a text');
    if (why !== null) return why;
  }
  return null;
}

async function told(outcome: CallOutcome, ready: Ready, session: McpSession): Promise<RpcOutcome> {
  switch (outcome.kind) {
    case 'pending':
      return pending({ ...outcome, params: ready.params }, ready, session);
    case 'refused':
      return failed(rpcErrorOf(outcome.why, await allowedInstead(outcome.why, ready, session)));
    case 'done': {
      const made = await done(outcome.outcome, ready, session);
      if (outcome.approvalId !== null) session.house.results.keep(outcome.approvalId, made, nowMs(session));
      return made;
    }
  }
}

async function allowedInstead({ by }: Refusal, { asking }: Ready, session: McpSession): Promise<readonly string[]> {
  return by === 'policy' && asking.request.method === 'tools/call' ? visibleTools(session, MCP_LIMITS.allowedNamed) : [];
}

function pending(held: Held, { asking }: Ready, session: McpSession): RpcOutcome {
  const { era, capabilities, request } = asking;
  if (era === 'modern' && request.method === 'tools/call' && doesTasks(capabilities)) {
    const made = task(held, session);
    if (made !== null) return succeeded(made);
  }
  if (era === 'modern' && MAY_ASK.has(request.method)) return succeeded(inputRequired(held, session, capabilities));
  return inWords(held, asking, session);
}

/** A client that asks again and again by itself would tell its agent nothing, and give up after some rounds without a word of the approval. */
function inWords(held: Held, { era, request }: Asking, session: McpSession): RpcOutcome {
  if (request.method !== 'tools/call') return failed(rpcErrorOf(held.why, [], held));
  const definition = session.house.keeper.definition(String(held.params['name']));
  const result = pendingResult(held, definition?.['outputSchema'] !== undefined);
  return succeeded(era === 'modern' ? { resultType: 'complete', ...result } : result);
}

async function done(outcome: RpcOutcome, ready: Ready, session: McpSession): Promise<RpcOutcome> {
  if (!outcome.ok) return outcome;
  const { request, era } = ready.asking;
  const { method } = request;
  const odd = notUnderstood(method, outcome.result);
  if (odd !== null) return failed(rpcErrorOf(odd));
  const asked = outcome.result['resultType'] === 'input_required' ? serverAsks(outcome.result, ready, session) : outcome.result;
  if ('refused' in asked) return failed(rpcErrorOf(asked as Refusal));
  const seen = isList(method) ? await filtered(method, asked, session) : asked;
  const result = resultFor(era, method, seen);
  return 'refused' in result ? failed(rpcErrorOf(result as Refusal)) : succeeded(result);
}

/** A server that was told of no extension answers in none: what it begins there nobody could judge, mask or end. */
function notUnderstood(method: string, { resultType = 'complete', task: begun }: Readonly<Record<string, unknown>>): Refusal | null {
  const isTask = resultType === 'task' || (method === 'tools/call' && isObject(begun));
  if (isTask) return refusal('UNSUPPORTED', 'the server answers with a task of its own, which is not supported: nothing of it is passed on');
  const known = resultType === 'complete' || resultType === 'input_required';
  return known ? null : refusal('UNSUPPORTED', 'the server answers with a kind of result that is not supported');
}

/** The server wants to know something first: only what it may ask, and its state comes back sealed. */
function serverAsks(
  result: Readonly<Record<string, unknown>>,
  { rest, asking }: Ready,
  session: McpSession,
): Readonly<Record<string, unknown>> | Refusal {
  const { request } = asking;
  const { inputRequests, requestState } = result;
  if (!MAY_ASK.has(request.method)) return refusal('ANSWER_REFUSED', 'the server asks for input where it cannot');
  for (const question of Object.values(objectOf(inputRequests))) {
    const method = isObject(question) ? String(question['method']) : '';
    const kind = Object.hasOwn(SERVER_REQUESTS, method) ? SERVER_REQUESTS[method as keyof typeof SERVER_REQUESTS] : null;
    if (kind === null || !session.house.target.fromServer[kind])
      return refusal('UNSUPPORTED', `the server asks for ${method.slice(0, 64)}, which is not allowed here`);
  }
  const state =
    typeof requestState === 'string' ? { requestState: sealServerState(requestState, session.payload(request.method, rest), session) } : {};
  return { resultType: 'input_required', ...(inputRequests === undefined ? {} : { inputRequests }), ...state };
}
