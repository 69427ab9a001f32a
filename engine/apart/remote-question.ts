/** The question of one decision, and its answer, as the enforcer writes and reads them. decision-wire.ts has the layouts. */
import { type Clock, quickTimestamp } from '#client/clock';
import type { Decided, Moment, Rewrite } from '#client/decision-service';
import { Decision, type Judgement } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import {
  ACTIONS,
  ANSWER,
  ASKED,
  DECIDED,
  DIGEST_BYTES,
  decodeRewrite,
  piece,
  QUESTION,
  Reading,
  TOLD,
  TRANSACTIONS,
  u48At,
  writeU48,
} from './decision-wire.ts';
import { encode, form } from './messages.ts';
import { type Held, type Place, remember } from './remote-place.ts';
import { type RemoteStatement, textDigest } from './remote-statement.ts';

/** What the question said is held here: an answer may leave out this, and nothing else. */
export interface Holding {
  readonly judgement: Held<Judgement> | null;
  readonly rewrite: Held<Rewrite> | null;
}

/** Asked again, in another way, for one of these reasons. */
export type NotDecided = Exclude<keyof typeof ANSWER, 'decided'>;

/** One for all: the channel copies what it sends. */
const scratch = Buffer.alloc(4_096);

export function holdingOf(statement: RemoteStatement, place: Place, moment: Moment): Holding {
  const action = ACTIONS.indexOf(moment.action);
  const judgement = statement.judgements[action] ?? place.last[action] ?? null;
  return {
    judgement: judgement?.place.shared === place.shared ? judgement : null,
    rewrite: statement.rewrite?.place.shared === place.shared ? statement.rewrite : null,
  };
}

export function encodeQuestion(statement: RemoteStatement, place: Place, moment: Moment, holding: Holding): Uint8Array {
  const { statementId, settings, params, approval, usage } = moment;
  const pieces: Buffer[] = [];
  let flags = 0;
  let number = place.settings.of(settings);
  if (number === 0) {
    number = place.settings.next(settings);
    flags |= ASKED.settings;
    pieces.push(settingsPiece(settings));
  }
  if (params !== null) flags |= ASKED.hasParams;
  if (params !== null && statement.readsParams) {
    flags |= ASKED.params;
    pieces.push(piece(encode({ params: params() })));
  }
  if (approval !== undefined) {
    flags |= ASKED.approval;
    pieces.push(piece(encode(approval)));
  }
  if (usage !== undefined) {
    flags |= ASKED.usage;
    pieces.push(piece(encode(usage)));
  }
  scratch.writeUInt32BE(place.session, QUESTION.session);
  scratch.writeUInt32BE(statement.number, QUESTION.statement);
  scratch.writeUInt32BE(number, QUESTION.settings);
  writeU48(scratch, holding.judgement?.number ?? 0, QUESTION.judgement);
  writeU48(scratch, holding.rewrite?.number ?? 0, QUESTION.rewrite);
  scratch[QUESTION.action] = ACTIONS.indexOf(moment.action);
  scratch[QUESTION.transaction] = TRANSACTIONS.indexOf(moment.transaction);
  scratch[QUESTION.flags] = flags;
  if (statementId.length > 255) throw new InterlockError('INTERNAL', 'a statement id that is too long');
  scratch[QUESTION.id] = statementId.length;
  const end = QUESTION.id + 1 + statementId.length;
  for (let index = 0; index < statementId.length; index++) scratch[QUESTION.id + 1 + index] = statementId.charCodeAt(index);
  const head = scratch.subarray(0, end);
  return pieces.length === 0 ? head : Buffer.concat([head, ...pieces]);
}

export function settingsPiece(settings: Moment['settings']): Buffer {
  return piece(encode({ settings }));
}

/** @throws InterlockError ANSWER_REFUSED for one that is not of its form, or refers to what is not held */
export function decodeAnswer(
  bytes: Uint8Array,
  asked: { readonly statement: RemoteStatement; readonly place: Place; readonly moment: Moment; readonly holding: Holding },
  times: { readonly clock: Clock; readonly askedUs: number },
): Decided | NotDecided {
  const answer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (answer.length === 1) return notDecided(answer[0] as number);
  const idLength = answer[DECIDED.id] ?? 0;
  const head = DECIDED.id + 1 + idLength;
  if (answer[DECIDED.answer] !== ANSWER.decided || answer.length < head) throw malformed();
  const flags = answer[DECIDED.flags] as number;
  const { statement, place, moment, holding } = asked;
  const reading = flags & (TOLD.judgement | TOLD.rewrite) ? new Reading(answer, 'an answer', head) : null;
  const told = reading && (flags & TOLD.judgement) !== 0 ? reading.piece(answer.length) : null;
  const judgement = judgementOf(u48At(answer, DECIDED.judgement), told, place, holding);
  const action = ACTIONS.indexOf(moment.action);
  statement.judgements[action] = judgement;
  place.last[action] = judgement;
  const rewrite =
    (flags & TOLD.rewritten) === 0 ? null : rewriteOf(u48At(answer, DECIDED.rewrite), (flags & TOLD.rewrite) === 0 ? null : reading, place, holding);
  if (rewrite) statement.rewrite = rewrite;
  if (reading ? reading.at !== answer.length : answer.length !== head) throw malformed();
  statement.readsParams = (flags & TOLD.readsParams) !== 0;
  const nowUs = times.clock.wallUs() - (times.clock.monotonicUs() - times.askedUs);
  const expires_at = quickTimestamp(nowUs + Math.min(answer.readUInt32BE(DECIDED.expiresInUs), EXPIRES_US_MAX));
  const binding = { payload: statement.digest, context: contextOf(answer), expires_at };
  const decision = bound(answer.toString('latin1', DECIDED.id + 1, head), judgement.value, binding);
  if (rewrite) decision.rewrite = { payload: rewrittenDigest(rewrite.value), masked: [...rewrite.value.masked] };
  return {
    decision,
    judgement: judgement.value,
    rewrite: rewrite?.value ?? null,
    cached: (flags & TOLD.cached) !== 0,
    judgedUs: answer.readUInt32BE(DECIDED.judgedUs),
  };
}

/** @throws InterlockError ANSWER_REFUSED */
export function notDecided(code: number): NotDecided {
  for (const name of ['paramsNeeded', 'unknownStatement', 'unknownSession', 'unknownSettings'] as const) if (ANSWER[name] === code) return name;
  throw malformed();
}

function judgementOf(number: number, told: Buffer | null, place: Place, { judgement }: Holding): Held<Judgement> {
  if (told === null) {
    if (judgement?.number !== number) throw new InterlockError('ANSWER_REFUSED', 'an answer refers to a judgement that was never told');
    return judgement;
  }
  const { judgements } = place.shared;
  return { number, place, value: judgements.get(number) ?? remember(judgements, number, JUDGEMENT.read(told)) };
}

function rewriteOf(number: number, told: Reading | null, place: Place, { rewrite }: Holding): Held<Rewrite> {
  if (told === null) {
    if (rewrite?.number !== number) throw new InterlockError('ANSWER_REFUSED', 'an answer refers to a rewritten text that was never told');
    return rewrite;
  }
  const { rewrites } = place.shared;
  const value = decodeRewrite(told);
  return { number, place, value: rewrites.get(number) ?? remember(rewrites, number, value) };
}

function bound(decision_id: string, judgement: Judgement, binding: Decision['binding']): Decision {
  const { effect, reasons, obligations, approval, revision, shadow } = judgement;
  return { decision_id, effect, reasons, obligations, approval, revision, shadow, binding };
}

const { effect, reasons, obligations, approval, revision, shadow } = Decision.properties;
const JUDGEMENT = form(
  {
    type: 'object',
    required: ['effect', 'reasons', 'obligations', 'approval', 'revision', 'shadow'],
    properties: { effect, reasons, obligations, approval, revision, shadow },
  } as const,
  'a judgement',
);

/** A decision is good for at most five seconds (M6), whatever the engine says. */
const EXPIRES_US_MAX = 5_000_000;
const lastContext = Buffer.alloc(DIGEST_BYTES);
let lastContextText = `sha256:${lastContext.toString('hex')}`;

/** Most decisions have the context of the one before. */
function contextOf(answer: Buffer): string {
  for (let index = 0; index < DIGEST_BYTES; index++) {
    if (lastContext[index] === answer[DECIDED.context + index]) continue;
    answer.copy(lastContext, 0, DECIDED.context, DECIDED.context + DIGEST_BYTES);
    lastContextText = `sha256:${lastContext.toString('hex')}`;
    break;
  }
  return lastContextText;
}

const rewrittenDigests = new WeakMap<Rewrite, string>();

function rewrittenDigest(rewrite: Rewrite): string {
  let known = rewrittenDigests.get(rewrite);
  if (known === undefined) rewrittenDigests.set(rewrite, (known = textDigest(rewrite.text)));
  return known;
}

function malformed(): InterlockError {
  return new InterlockError('ANSWER_REFUSED', 'an answer that is not of its form');
}
