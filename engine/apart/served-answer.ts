/** The answer of a decision, as the engine writes it; what the enforcer holds already is left out. decision-wire.ts has the layout. */
import type { Decided, Rewrite, Statement } from '#client/decision-service';
import type { Judgement } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import type { Facts } from '#schemas/facts';
import { ANSWER, DECIDED, encodeRewrite, piece, TOLD, writeU48 } from './decision-wire.ts';

/** @throws InterlockError INTERNAL when it is not bound to the bytes with this digest (`sha256:…`) */
export function decidedAnswer(
  known: { readonly statement: Statement; readonly digest: string },
  decided: Decided,
  held: { readonly judgement: number; readonly rewrite: number },
  nowUs: number,
): Uint8Array {
  const { decision, judgement, rewrite, cached, judgedUs } = decided;
  if (decision.binding.payload !== known.digest) throw new InterlockError('INTERNAL', 'a decision on other bytes');
  const judged = judgementBytes(judgement);
  const rewritten = rewrite === null ? NO_REWRITE : rewriteBytes(rewrite);
  const tellsJudgement = judged.number !== held.judgement;
  const tellsRewrite = rewrite !== null && rewritten.number !== held.rewrite;
  const id = decision.decision_id;
  const head = DECIDED.id + 1 + id.length;
  const size = head + (tellsJudgement ? judged.bytes.length : 0) + (tellsRewrite ? rewritten.bytes.length : 0);
  const answer = Buffer.allocUnsafe(size);
  answer[DECIDED.answer] = ANSWER.decided;
  answer[DECIDED.flags] =
    (cached ? TOLD.cached : 0) |
    (known.statement.readsParams ? TOLD.readsParams : 0) |
    (tellsJudgement ? TOLD.judgement : 0) |
    (rewrite === null ? 0 : TOLD.rewritten) |
    (tellsRewrite ? TOLD.rewrite : 0);
  answer.writeUInt32BE(Math.min(Math.max(0, Math.round(judgedUs)), U32), DECIDED.judgedUs);
  writeU48(answer, judged.number, DECIDED.judgement);
  writeU48(answer, rewritten.number, DECIDED.rewrite);
  answer.writeUInt32BE(expiresInUs(decision.binding.expires_at, nowUs), DECIDED.expiresInUs);
  answer.write(decision.binding.context.slice(PREFIX), DECIDED.context, 'hex');
  answer[DECIDED.id] = id.length;
  for (let index = 0; index < id.length; index++) answer[DECIDED.id + 1 + index] = id.charCodeAt(index);
  if (tellsJudgement) answer.set(judged.bytes, head);
  if (tellsRewrite) answer.set(rewritten.bytes, size - rewritten.bytes.length);
  return answer;
}

const U32 = 0xffff_ffff;
const PREFIX = 'sha256:'.length;
const NO_REWRITE = { number: 0, bytes: Buffer.alloc(0) };

/** As a span: the enforcer's clock may be another. */
function expiresInUs(expiresAt: string, nowUs: number): number {
  return Math.min(Math.max(0, Math.round(Date.parse(expiresAt) * 1000 - nowUs)), U32);
}

interface Numbered {
  readonly number: number;
  readonly bytes: Buffer;
}

/** Numbers are the engine's, for as long as it runs: the same one for the same object, and never another's. */
const judgements = new WeakMap<Judgement, Numbered>();
const rewrites = new WeakMap<Rewrite, Numbered>();
const facts = new WeakMap<Facts, Buffer>();
let lastNumber = 0;

function judgementBytes(judgement: Judgement): Numbered {
  let known = judgements.get(judgement);
  if (known === undefined) judgements.set(judgement, (known = numbered(piece(Buffer.from(JSON.stringify(judgement))))));
  return known;
}

function rewriteBytes(rewrite: Rewrite): Numbered {
  let known = rewrites.get(rewrite);
  if (known === undefined) rewrites.set(rewrite, (known = numbered(encodeRewrite(rewrite))));
  return known;
}

function numbered(bytes: Buffer): Numbered {
  return { number: ++lastNumber, bytes };
}

export function factsBytes(of: Facts): Buffer {
  let known = facts.get(of);
  if (known === undefined) facts.set(of, (known = Buffer.from(JSON.stringify(of))));
  return known;
}
