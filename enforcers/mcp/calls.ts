/** One judged request, from the client's words to the server's: recorded, decided, cleared, durable, sent — in this order (DESIGN §1). */
import type { Action } from '#client/decision-service';
import type { Payload } from '#client/journal';
import type { Asked, Scene } from '#enforcers/common/asked';
import type { ClearedStatement } from '#enforcers/common/cleared';
import { enforce } from '#enforcers/common/enforce';
import { finishedEvent, type Finish } from '#enforcers/common/events';
import { isPromise } from '#enforcers/common/promise';
import { Outbox } from '#enforcers/common/outbox';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import type { Obligation } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import { parameterHeaders } from './parameter-headers.ts';
import { answering, type Answering } from './answer.ts';
import type { RpcOutcome } from './message.ts';
import { rowsOf } from './rows.ts';
import type { McpSession } from './session.ts';
import type { Link, Outgoing, Sink } from './upstream/link.ts';
import { isObject } from './protocol.ts';

/** What is asked for, once its form was checked. */
export interface Call {
  readonly method: string;
  readonly action: Action;
  /** As they are judged: without `_meta` and without what only carries our own state. */
  readonly params: Readonly<Record<string, unknown>>;
  /** `_meta` for the server. */
  readonly meta: Readonly<Record<string, unknown>>;
  /** The server's own state, which it gave and now gets back. */
  readonly state: string | null;
  readonly mode: string;
  /** Nothing is run: the approval that it needs is asked for, and what comes back is `refused`. */
  readonly asksOnly: boolean;
  /** Objections that are known before anything is judged: a hidden tool, a server that cannot be reached. */
  readonly objection: Refusal | null;
  readonly signal: AbortSignal;
}

export type CallOutcome =
  | { readonly kind: 'done'; readonly outcome: RpcOutcome /** Set: it ran under this approval. */; readonly approvalId: string | null }
  | { readonly kind: 'refused'; readonly why: Refusal }
  | { readonly kind: 'pending'; readonly why: Refusal; readonly approvalId: string; readonly who: string; readonly payload: Payload };

/** What a call may hear meanwhile; the answerer decides what of it may pass. */
export type OpenSink = (answering: Answering) => Sink;

const NO_SETTINGS: Readonly<Record<string, string>> = {};

export async function carryOut(call: Call, session: McpSession, sinkOf: OpenSink): Promise<CallOutcome> {
  const payload = session.payload(call.method, call.params);
  session.statements++;
  const held: Held = { approvalId: null, who: '' };
  const link = call.objection === null ? await linkOf(session) : null;
  const objection = call.objection ?? (link !== null && 'refused' in link ? link : null);
  const asked = askedOf(call, payload, session);
  const outcome = enforce(asked, sceneOf(call, held, session, objection));
  const cleared = isPromise(outcome) ? await outcome : outcome;
  if (cleared.refused) return refusedAs(cleared, held, payload);
  if (link === null || 'refused' in link) throw new InterlockError('INTERNAL', 'cleared without a connection');
  return sent(cleared, call, { link, session, sinkOf });
}

function refusedAs(why: Refusal, { approvalId, who }: Held, payload: Payload): CallOutcome {
  const pending = why.code === 'APPROVAL_PENDING' && approvalId !== null;
  return pending ? { kind: 'pending', why, approvalId, who, payload } : { kind: 'refused', why };
}

function askedOf(call: Call, payload: Payload, { scene }: McpSession): Asked {
  const statementId = scene.ids.next('stm');
  const { action, mode } = call;
  const nothing = { params: null, decoded: null, known: null, before: null, approval: null } as const;
  return { statementId, action, mode, payload, ...nothing, transaction: 'idle', settings: NO_SETTINGS };
}

interface Held {
  approvalId: string | null;
  who: string;
}

/** Nobody waits inside the call: what needs a verdict is told at once, and comes back. */
const AT_ONCE = { waitMs: 0, inTransaction: 'any' } as const;

function sceneOf({ asksOnly }: Call, held: Held, session: McpSession, objection: Refusal | null): Scene {
  return {
    ...session.scene,
    asksOnly,
    approvalRules: AT_ONCE,
    objects: () => objection,
    examiner: null,
    voice: {
      held: (approvalId) => {
        held.approvalId = approvalId;
      },
      released: () => {},
      alive: () => session.alive,
      notice: (_message, _detail, hint) => {
        held.who = hint;
      },
    },
  };
}

async function linkOf(session: McpSession): Promise<Link | Refusal> {
  try {
    const link = await session.link();
    await link.ready();
    return link;
  } catch (error) {
    if (session.scene.journal.fault !== null) throw error;
    return said(error);
  }
}

/** Of what a credential is read from a client learns no more than that it failed. */
function said(error: unknown): Refusal {
  const why = refusalOf(error);
  return why.code === 'CREDENTIAL_UNAVAILABLE' ? refusal(why.code) : why;
}

const NOTHING = { rows: 0, bytes: 0, masked: {} } as const;

interface Way {
  readonly link: Link;
  readonly session: McpSession;
  readonly sinkOf: OpenSink;
}

async function sent(cleared: ClearedStatement, call: Call, way: Way): Promise<CallOutcome> {
  const { journal, clock } = way.session.scene;
  const startedUs = clock.monotonicUs();
  const answerer = answering(call.method, leftToDo(cleared), typeof call.params['uri'] === 'string' ? call.params['uri'] : null);
  const approvalId = cleared.use?.receipt.approvalId ?? null;
  if ('refused' in answerer) {
    finish(cleared, way.session, { outcome: 'aborted', ...NOTHING, durationUs: 0 });
    return { kind: 'refused', why: answerer };
  }
  const leaving = { left: false };
  try {
    const raw = await forwarded(cleared, call, way, answerer, leaving);
    const answer = answerer.answer(raw);
    const durationUs = clock.monotonicUs() - startedUs;
    const { bytes } = answer;
    const rows = 'refusal' in answer ? 0 : rowsOf(call.method, answer.outcome);
    finish(cleared, way.session, { outcome: raw.ok ? 'ok' : 'error', rows, bytes, masked: answer.masked, durationUs });
    if ('refusal' in answer) return { kind: 'refused', why: answer.refusal };
    return { kind: 'done', outcome: answer.outcome, approvalId };
  } catch (error) {
    if (journal.fault !== null) throw error;
    const why = said(error);
    const outcome = !leaving.left ? 'aborted' : why.code === 'CANCELLED' ? 'cancelled' : 'unknown';
    finish(cleared, way.session, { outcome, ...NOTHING, durationUs: clock.monotonicUs() - startedUs });
    return { kind: 'refused', why };
  }
}

/** Masks on columns are in the statement already where the call was rewritten: its server reads nothing else. */
function leftToDo({ rewrite, decided }: ClearedStatement): readonly Obligation[] {
  const { obligations } = decided.decision;
  if (rewrite === null) return obligations;
  return obligations.flatMap((obligation): Obligation[] => {
    if (obligation.type !== 'mask') return [obligation];
    const { paths, detectors } = obligation.properties;
    if (Object.keys(paths).length + detectors.length === 0) return [];
    return [{ ...obligation, properties: { ...obligation.properties, columns: {} } }];
  });
}

/** Exactly the cleared bytes, with the proof that the intent is on stable storage. */
async function forwarded(
  cleared: ClearedStatement,
  call: Call,
  { link, session, sinkOf }: Way,
  answerer: Answering,
  leaving: { left: boolean },
): Promise<RpcOutcome> {
  const { journal, clock } = session.scene;
  const params = paramsOf(cleared, call);
  const outgoing: Outgoing = {
    method: call.method,
    params: call.state === null ? params : { ...params, requestState: call.state },
    meta: call.meta,
    headers: link.self.era === 'modern' ? parameterHeaders(call.method, params, session.house.keeper) : [],
  };
  const written = link.write(outgoing);
  let answer: Promise<RpcOutcome> | null = null;
  const outbox = new Outbox((bytes) => {
    leaving.left = true;
    answer = link.send(written, bytes, sinkOf(answerer), call.signal);
  });
  outbox.stage(cleared, written.bytes);
  const batch = outbox.take();
  const durable = journal.durable(batch.intent);
  outbox.release(batch, isPromise(durable) ? await durable : durable, clock.monotonicUs());
  if (answer === null) throw new InterlockError('INTERNAL', 'nothing was sent');
  return answer;
}

/** What was decided is what leaves: of a rewritten call the rewritten one. */
function paramsOf(cleared: ClearedStatement, call: Call): Readonly<Record<string, unknown>> {
  if (cleared.rewrite === null) return call.params;
  const message: unknown = JSON.parse(Buffer.from(cleared.rewrite.text).toString('utf8'));
  if (!isObject(message) || message['method'] !== call.method || !isObject(message['params']))
    throw new InterlockError('INTERNAL', 'a rewritten call is none');
  return message['params'];
}

type Finished = Pick<Finish, 'outcome' | 'rows' | 'bytes' | 'masked' | 'durationUs'>;

function finish({ statementId }: ClearedStatement, { scene }: McpSession, finished: Finished): void {
  const durationUs = Math.round(finished.durationUs);
  scene.journal.append(finishedEvent({ ...finished, statementId, durationUs, tag: null, sqlstate: null }, scene));
}
