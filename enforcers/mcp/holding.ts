/**
 * Calls that wait for somebody's verdict. Nothing of them is kept here: a client of the newest protocol carries a sealed state, or the name of a
 * task that is one; older ones call again. The approval itself is the engine's, so a restart loses none (DESIGN §1 "Holding is not a decision call").
 */
import { createHash } from 'node:crypto';
import type { Ticket } from '#client/approvals';
import type { Payload } from '#client/journal';
import { timestamp } from '#client/clock';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { visible } from '#enforcers/common/visible';
import { MCP_LIMITS } from './limits.ts';
import { isObject, META, objectOf, TASKS } from './protocol.ts';
import type { McpSession } from './session.ts';

/** What a client carries of a held call. */
export interface HeldState {
  readonly approval: string;
  /** Of the call as it was judged. */
  readonly digest: string;
  readonly who: string;
  /** Wall clock, milliseconds. */
  readonly until: number;
  /** How often it was asked to come back with the state. */
  readonly rounds?: number;
  /** Of a task: the call itself. */
  readonly call?: { readonly params: Readonly<Record<string, unknown>>; readonly createdMs: number };
}

export interface Held {
  readonly approvalId: string;
  readonly who: string;
  readonly payload: Payload;
  readonly params: Readonly<Record<string, unknown>>;
  readonly why: Refusal;
}

type Json = Readonly<Record<string, unknown>>;

export function digestOf(payload: Payload): string {
  return createHash('sha256').update(payload.bytes).digest('base64url');
}

/** Whether a client can poll a task. */
export function doesTasks(capabilities: Json): boolean {
  return objectOf(capabilities['extensions'])[TASKS] !== undefined;
}

/** What a client of the newest protocol is told: come back with this state; the human at the client, where one can be told, is pointed to the page. */
export function inputRequired(held: Held, session: McpSession, capabilities: Json, rounds = 0): Json {
  const requestState = seal('state', { ...stateOf(held, session), rounds }, session);
  const url = /https?:\/\/[^\s)]+/.exec(held.who)?.[0];
  const canTell = url !== undefined && objectOf(capabilities['elicitation'])['url'] !== undefined;
  const message = `Held for approval ${held.approvalId}: ${visible(held.who)}. Go on to wait for the verdict; decline to take the call back.`;
  const inputRequests = canTell ? { inputRequests: { [OWN_QUESTION]: { method: 'elicitation/create', params: { mode: 'url', message, url } } } } : {};
  return { resultType: 'input_required', ...inputRequests, requestState, _meta: { [META.approval]: described(held) } };
}

export const OWN_QUESTION = 'interlock_approval';

/** null: the call is too long to be carried in a name. */
export function task(held: Held, session: McpSession): Json | null {
  if (held.payload.bytes.length > MCP_LIMITS.taskCallBytes) return null;
  const createdMs = nowMs(session);
  const state = { ...stateOf(held, session), call: { params: held.params, createdMs } };
  const taskId = seal('task', state, session);
  return {
    resultType: 'task',
    ...taskView(taskId, state, session),
    status: 'working',
    statusMessage: pendingText(held),
    _meta: { [META.approval]: described(held) },
  };
}

/** What every view of a task has. */
export function taskView(taskId: string, { until, call }: HeldState, session: McpSession): Json {
  const createdMs = call?.createdMs ?? nowMs(session);
  const createdAt = timestamp(createdMs * 1000);
  return {
    taskId,
    createdAt,
    lastUpdatedAt: timestamp(nowMs(session) * 1000),
    ttlMs: Math.max(0, until - createdMs),
    pollIntervalMs: MCP_LIMITS.taskPollMs,
  };
}

/** What an older client is told, and one that came back often enough: an ordinary result, so that its agent reads it and can come back. */
export function pendingResult(held: Held, hasOutputSchema: boolean): Json {
  const failed = hasOutputSchema ? { isError: true } : {};
  return { content: [{ type: 'text', text: pendingText(held) }], ...failed, _meta: { [META.approval]: described(held) } };
}

function pendingText({ approvalId, who, why }: Held): string {
  return [
    `PENDING: this call needs approval and has not been carried out. Approval ${approvalId}.`,
    `${visible(who)}.`,
    'To resume: call the same tool again with exactly the same arguments, after somebody has decided. It is carried out once; until then you get this answer.',
    visible(why.detail),
  ].join('\n');
}

function described({ approvalId, who }: Pick<Held, 'approvalId' | 'who'>): Json {
  return { id: approvalId, state: 'pending', who_decides: visible(who) };
}

function stateOf({ approvalId, who, payload }: Held, session: McpSession): HeldState {
  return { approval: approvalId, digest: digestOf(payload), who: who.slice(0, 500), until: nowMs(session) + MCP_LIMITS.heldMs };
}

function seal(purpose: 'state' | 'task', state: HeldState, { house, subject }: McpSession): string {
  return house.sealer.seal(purpose, subject.id, state);
}

/** What the client carries for the server, sealed so that it comes back as it went, from the same principal, with the same call. */
export function sealServerState(state: string, payload: Payload, { house, subject }: McpSession): string {
  return house.sealer.seal('server', subject.id, { state, digest: digestOf(payload) });
}

export type CarriedState =
  | { readonly kind: 'held'; readonly state: HeldState }
  | { readonly kind: 'server'; readonly state: string; readonly digest: string };

/** null: not ours, changed, somebody else's, or too old. */
export function carried(text: string, session: McpSession): CarriedState | null {
  const { sealer } = session.house;
  const held = sealer.open('state', session.subject.id, text);
  if (isHeld(held)) return held.until > nowMs(session) ? { kind: 'held', state: held } : null;
  const server = sealer.open('server', session.subject.id, text);
  if (!isObject(server) || typeof server['state'] !== 'string' || typeof server['digest'] !== 'string') return null;
  return { kind: 'server', state: server['state'], digest: server['digest'] };
}

export function taskState(taskId: string, session: McpSession): HeldState | null {
  const state = session.house.sealer.open('task', session.subject.id, taskId);
  return isHeld(state) && state.call !== undefined && state.until > nowMs(session) ? state : null;
}

function isHeld(value: unknown): value is HeldState {
  return isObject(value) && typeof value['approval'] === 'string' && typeof value['digest'] === 'string' && typeof value['until'] === 'number';
}

/** The verdict, or `open` when it does not come in time. */
export async function verdict({ approval }: HeldState, session: McpSession, waitMs: number, left: AbortSignal): Promise<Ticket | 'open'> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), waitMs);
  const signal = AbortSignal.any([late.signal, left, session.ended.signal]);
  using _waiting = session.wait(approval);
  try {
    return await session.scene.approvals.settled(approval, signal);
  } catch (error) {
    if (late.signal.aborted && !left.aborted && session.alive) return 'open';
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** A verdict that lets nothing run; null: it may be used. */
export function ended(ticket: Ticket): Refusal | null {
  const { approvalId, state, comment } = ticket;
  const detail = `code=APPROVAL approval=${approvalId}`;
  const words = comment === null ? '' : `: ${comment}`;
  switch (state) {
    case 'open':
    case 'approved':
      return null;
    case 'denied':
      return refusal('APPROVAL_DENIED', `denied by a reviewer${words}`, { detail });
    case 'changes_requested':
      return refusal('APPROVAL_CHANGES', `a reviewer asks for another call${words}`, { detail });
    case 'consumed':
      return refusal('APPROVAL_VOID', `approval ${approvalId} is used up: the call was carried out, and its answer is no longer kept`, {
        detail,
        hint: 'Call again without the state if it is to be carried out once more: that needs another approval.',
      });
    default:
      return refusal('APPROVAL_VOID', `approval ${approvalId} is ${state}`, { detail });
  }
}

export function unknownState(): Refusal {
  return refusal('PROTOCOL', 'the requestState is not one of this gateway’s for this call', { hint: 'Call again without requestState.' });
}

export function nowMs({ scene }: McpSession): number {
  return Math.floor(scene.clock.wallUs() / 1000);
}
