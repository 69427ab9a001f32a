/** The path of a statement (DESIGN §1), the same for every protocol. Nothing here awaits what is not a promise. */
import type { Decided, Statement } from '#client/decision-service';
import type { Asked, Scene } from './asked.ts';
import { clear } from './clear.ts';
import type { Outcome } from './cleared.ts';
import { decidedEvent } from './events.ts';
import type { Meter } from './meters.ts';
import { momentOf } from './moment.ts';
import { isPromise } from './promise.ts';
import { receive } from './receive.ts';
import { refusalOf, type Refusal } from './refusal.ts';
import { refuse } from './refuse.ts';

/**
 * received → facts → decided → cleared or refused. What comes back is the proof that the statement may go upstream (it goes with
 * `Outbox.stage`, and leaves with a proof of durability, `Outbox.release`), or the refusal for the client.
 * Rejects only when the journal is dead: the session ends then.
 */
export function enforce(asked: Asked, scene: Scene): Outcome | Promise<Outcome> {
  const shut = receive(asked, scene) ?? cooling(asked, scene);
  if (shut !== null) return shut;
  const statement = asked.known ?? scene.decisions.read(asked.payload.bytes, asked.settings);
  if (isPromise(statement)) return statement.then((known) => judge(asked, known, scene), refuseFault(asked, scene));
  return judge(asked, statement, scene);
}

function judge(asked: Asked, statement: Statement, scene: Scene): Outcome | Promise<Outcome> {
  const objection = scene.objects(asked, statement);
  if (objection) return refuse(asked, objection, scene);
  if (asked.action !== 'sql.prepare') scene.meter?.asked();
  const decided = scene.decisions.decide(statement, momentOf(asked, statement, scene));
  if (isPromise(decided)) return decided.then((known) => judged(asked, statement, known, scene), refuseFault(asked, scene));
  return judged(asked, statement, decided, scene);
}

function judged(asked: Asked, statement: Statement, decided: Decided, scene: Scene): Outcome | Promise<Outcome> {
  scene.journal.append(decidedEvent(asked, statement, decided, scene));
  if (scene.meter !== null) count(statement, decided, scene, scene.meter);
  return clear(asked, statement, decided, scene);
}

/** An agent that keeps being denied is told nothing else for a while. */
function cooling(asked: Asked, scene: Scene): Refusal | null {
  const shut = scene.meter?.shut() ?? null;
  return shut && refuse(asked, shut, scene);
}

function count(statement: Statement, { decision }: Decided, { journal, sessionId: session_id, target }: Scene, meter: Meter): void {
  if (decision.effect !== 'deny') return meter.touched(statement);
  const cooled = meter.denied();
  if (cooled !== null) journal.append({ ...cooled, session_id, target });
}

/** A fault while reading or judging is a refusal that names its cause: fail closed. */
function refuseFault(asked: Asked, scene: Scene): (error: unknown) => Refusal {
  return (error) => refuse(asked, refusalOf(error), scene);
}
