import type { Asked, Scene } from './asked.ts';
import { refusedEvent } from './events.ts';
import type { Refusal } from './refusal.ts';

/** Ends a statement that never reaches the target. */
export function refuse(asked: Pick<Asked, 'statementId'>, refusal: Refusal, scene: Scene): Refusal {
  scene.journal.append(refusedEvent(asked, refusal, scene));
  return refusal;
}
