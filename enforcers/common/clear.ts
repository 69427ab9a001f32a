/**
 * The only maker of `ClearedStatement`: the proof that a statement was decided on these bytes, in this context, and that its intent stands
 * in the journal (not yet that it is durable: `Outbox.release` asks for that).
 */
import type { Receipt } from '#client/approvals';
import type { Decided, Rewrite, Statement } from '#client/decision-service';
import type { EventDraft, Payload } from '#client/journal';
import { askOnly } from './ask-only.ts';
import type { Asked, Scene } from './asked.ts';
import type { ClearedStatement, Outcome, Use } from './cleared.ts';
import { hold } from './hold.ts';
import { policyRefusal, refusal } from './refusal.ts';
import { refuse } from './refuse.ts';

export function clear(asked: Asked, statement: Statement, decided: Decided, scene: Scene): Outcome | Promise<Outcome> {
  if (scene.asksOnly && asked.action !== 'sql.prepare') return askOnly(asked, statement, decided, scene);
  switch (decided.decision.effect) {
    case 'deny':
      return refuse(asked, policyRefusal(decided.decision), scene);
    case 'require_approval':
      // what only needs approval may be prepared and described; it is held when it is executed, with its parameters known
      return asked.action === 'sql.prepare' ? mint(asked, statement, decided, scene, null) : hold(asked, statement, decided, scene, mint);
    case 'allow':
    case 'mask':
      return mint(asked, statement, decided, scene, null);
  }
}

function mint(asked: Asked, statement: Statement, decided: Decided, scene: Scene, use: Use | null): Outcome {
  const unable = decided.decision.obligations.find((one) => !scene.supported.includes(one.type));
  // the decision service has refused this already; an obligation that we cannot fulfil never passes, whoever forgot it
  if (unable) return refuse(asked, refusal('OBLIGATION_UNSUPPORTED', `the policy asks for ${unable.type}, which is not supported here`), scene);
  const intent = scene.journal.append(intentEvent(asked, decided, use?.receipt ?? null, scene));
  const made: Omit<ClearedStatement, keyof { [K in keyof ClearedStatement as K extends symbol ? K : never]: true }> = {
    refused: false,
    statementId: asked.statementId,
    statement,
    intent,
    runs: asked.action !== 'sql.prepare',
    decidedUs: scene.clock.monotonicUs(),
    rewrite: decided.rewrite,
    decided,
    approval: use?.approval ?? asked.approval,
    use,
  };
  return made as ClearedStatement;
}

/** One literal for each shape: this is on the hot path. */
function intentEvent(asked: Asked, decided: Decided, receipt: Receipt | null, scene: Scene): EventDraft {
  const type = 'statement.cleared';
  const { sessionId: session_id, target } = scene;
  const { statementId: statement_id, params } = asked;
  const payload = decided.rewrite === null ? asked.payload : payloadOf(decided.rewrite);
  const { binding } = decided.decision;
  const obligations = decided.decision.obligations.length === 0 ? NONE : decided.decision.obligations.map((one) => one.id);
  if (receipt === null) {
    return params === null
      ? { type, session_id, statement_id, target, payload, binding, obligations }
      : { type, session_id, statement_id, target, payload, binding, obligations, params };
  }
  const approval = { approval_id: receipt.approvalId, receipt: receipt.receipt };
  return params === null
    ? { type, session_id, statement_id, target, payload, binding, obligations, approval }
    : { type, session_id, statement_id, target, payload, binding, obligations, params, approval };
}

const NONE: string[] = [];

/** The record says what leaves, not what was asked for. One payload for each rewritten text, so that the journal stores it once. */
function payloadOf(rewrite: Rewrite): Payload {
  let payload = REWRITTEN.get(rewrite);
  if (!payload) REWRITTEN.set(rewrite, (payload = { bytes: rewrite.text, media: 'text' }));
  return payload;
}

const REWRITTEN = new WeakMap<Rewrite, Payload>();
