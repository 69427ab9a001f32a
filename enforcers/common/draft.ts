/** What an approval is asked for, and compared with when it is used. */
import type { ApprovalDraft } from '#client/approvals';
import type { Decided, Statement } from '#client/decision-service';
import type { Asked, Scene } from './asked.ts';
import type { Survey } from './survey.ts';

export function draftOf(asked: Asked, statement: Statement, decided: Decided, survey: Survey, scene: Scene): ApprovalDraft {
  const { decision } = decided;
  if (!decision.approval) throw new Error('an approval without a requirement');
  return {
    subject: scene.subject,
    sessionId: scene.sessionId,
    statementId: asked.statementId,
    target: scene.target,
    database: scene.database,
    role: roleOf(asked, scene),
    payload: asked.payload,
    params: asked.params,
    settings: asked.settings,
    transaction: asked.transaction,
    objects: [...effectsOf(statement), ...survey.objects, ...(asked.before ?? []).map((text, index) => `${index + 1} before it: ${text}`)],
    decision,
    requirement: decision.approval,
    facts: statement.facts,
    ...(survey.estimate !== null && { estimate: survey.estimate }),
  };
}

/** `update public.payments` */
function effectsOf(statement: Statement): string[] {
  return [...new Set(statement.facts.effects.map((effect) => `${effect.verb} ${effect.object.qualified}`))].toSorted((a, b) => (a < b ? -1 : 1));
}

/** `none`: no SET ROLE; no role can have that name. */
function roleOf({ settings }: Asked, scene: Scene): string {
  const role = settings['role'] ?? 'none';
  return role === 'none' ? scene.role : role;
}
