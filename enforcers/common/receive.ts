import type { Asked, Scene } from './asked.ts';
import { receivedEvent } from './events.ts';
import { refusalOf, type Refusal } from './refusal.ts';

/**
 * Places `statement.received`; the refusal, while nothing new may begin (the archive is too far behind). Such a statement is neither read nor
 * judged, and leaves no record: the records are what must not grow.
 * @throws InterlockError JOURNAL_UNAVAILABLE: the journal is dead, and the session ends
 */
export function receive(asked: Asked, scene: Scene): Refusal | null {
  try {
    scene.journal.append(receivedEvent(asked, scene));
    return null;
  } catch (error) {
    if (scene.journal.fault !== null) throw error;
    return refusalOf(error);
  }
}
