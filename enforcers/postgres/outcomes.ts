/** What becomes of cleared statements: each gets exactly one `statement.finished`. */
import type { ClearedStatement } from '#enforcers/common/cleared';
import type { Scene } from '#enforcers/common/asked';
import { finishedEvent } from '#enforcers/common/events';
import type { FinishOutcome, Running } from './expected.ts';

export class Outcomes {
  readonly #scene: Pick<Scene, 'journal' | 'clock' | 'sessionId' | 'target' | 'meter'>;
  /** A statement of this session read masked columns. */
  masked = false;

  constructor(scene: Pick<Scene, 'journal' | 'clock' | 'sessionId' | 'target' | 'meter'>) {
    this.#scene = scene;
  }

  /** `text` is what goes upstream; `done` is called once the target has confirmed it. */
  running(cleared: ClearedStatement, text: Uint8Array, done: (() => void) | null): Running {
    const { rewrite } = cleared;
    if (rewrite && rewrite.masked.length > 0) this.masked = true;
    return {
      id: cleared.statementId,
      startedUs: cleared.decidedUs,
      masked: rewrite?.masked ?? NONE,
      toOriginal: rewrite?.toOriginal ?? null,
      text,
      done,
      controlled: null,
      rows: 0,
      bytes: 0,
      tag: null,
      sqlstate: null,
    };
  }

  /** What the target answered: it stands in the record, or is told to the transaction that it runs in. */
  finished(running: Running, outcome: FinishOutcome): void {
    if (running.controlled === null) this.record(running, outcome);
    else running.controlled(outcome);
  }

  record(running: Running, outcome: FinishOutcome): void {
    const { id, rows, bytes, tag, sqlstate, masked, startedUs } = running;
    const durationUs = this.#scene.clock.monotonicUs() - startedUs;
    const finish = {
      statementId: id,
      outcome: sqlstate === CANCELED ? 'cancelled' : outcome,
      rows: rows > 0 ? rows : written(tag),
      bytes,
      tag,
      sqlstate,
      masked,
      durationUs,
    } as const;
    this.#scene.journal.append(finishedEvent(finish, this.#scene));
  }

  /** Its intent stands in the journal, but it never leaves. */
  withheld(cleared: ClearedStatement, sqlstate: string | null = null): void {
    this.record({ ...this.running(cleared, cleared.statement.text, null), sqlstate }, 'aborted');
  }
}

/** What a command that answers no rows says it touched: `UPDATE 3`, `INSERT 0 1`. */
function written(tag: string | null): number {
  return Number(/^(?:INSERT \d+|[A-Z ]+) (\d{1,15})$/.exec(tag ?? '')?.[1] ?? 0);
}

const CANCELED = '57014';
const NONE: readonly string[] = [];
