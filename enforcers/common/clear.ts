/**
 * The only maker of `ClearedStatement`: the proof that a statement was decided on these bytes, in this context, and that its intent stands
 * in the journal (not yet that it is durable: `Outbox.release` asks for that).
 */
import type { Receipt } from '#client/approvals';
import type { Decided, Statement } from '#client/decision-service';
import type { EventDraft } from '#client/journal';
import type { Asked, Scene } from './asked.ts';
import type { ClearedStatement, Outcome, Use } from './cleared.ts';
import { hold } from './hold.ts';
import { policyRefusal, refusal } from './refusal.ts';
import { refuse } from './refuse.ts';

export function clear(asked: Asked, statement: Statement, decided: Decided, scene: Scene): Outcome | Promise<Outcome> {
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
  const obligations: string[] = [];
  for (const obligation of decided.decision.obligations) {
    // the decision service has refused this already; an obligation that we cannot fulfil never passes, whoever forgot it
    if (!scene.supported.includes(obligation.type)) {
      return refuse(asked, refusal('OBLIGATION_UNSUPPORTED', `the policy asks for ${obligation.type}, which is not supported here`), scene);
    }
    obligations.push(obligation.id);
  }
  const intent = scene.journal.append(intentEvent(asked, decided, obligations, use?.receipt ?? null, scene));
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
  };
  return made as ClearedStatement;
}

function intentEvent(asked: Asked, decided: Decided, obligations: string[], receipt: Receipt | null, scene: Scene): EventDraft {
  const base = {
    type: 'statement.cleared',
    session_id: scene.sessionId,
    statement_id: asked.statementId,
    target: scene.target,
    payload: asked.payload,
    binding: decided.decision.binding,
    obligations,
  } as const;
  const approval = receipt && { approval_id: receipt.approvalId, receipt: receipt.receipt };
  if (approval) return asked.params ? { ...base, params: asked.params, approval } : { ...base, approval };
  return asked.params ? { ...base, params: asked.params } : base;
}
