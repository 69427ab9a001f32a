/** What a session does for statements that a human decides about: looks behind their names, and runs what was approved under control. */
import { sqlOf } from '#schemas/facts';
import type { Examiner } from '#enforcers/common/asked';
import type { ClearedStatement, Use } from '#enforcers/common/cleared';
import type { Refusal } from '#enforcers/common/refusal';
import { Controlled, type ControlHost } from './controlled.ts';
import type { Judging } from './judging.ts';
import type { Approved } from './look-again.ts';
import type { Surveyor } from './surveyor.ts';

export interface ApprovingHost {
  readonly control: ControlHost;
  readonly judging: Judging;
  readonly surveyor: Surveyor;
  readonly database: string;
  /** Nothing more is read of the client until the promise is settled. */
  wait<T>(promise: Promise<T>, next: (value: T) => void): void;
  refuse(form: Approved['message'], why: Refusal): void;
}

export class Approving {
  readonly #host: ApprovingHost;
  readonly controlled: Controlled;
  readonly examiner: Examiner;

  constructor(host: ApprovingHost) {
    this.#host = host;
    this.controlled = new Controlled(host.control);
    const { judging, surveyor, database } = host;
    this.examiner = {
      objection: (_asked, statement) => judging.approvable(statement, this.controlled.open),
      survey: ({ settings }, { facts, text }, purpose) =>
        surveyor.survey({ database, settings, facts: sqlOf(facts), text, bound: judging.bound }, purpose),
      enter: async ({ mode }, statement, given) => {
        const way = judging.wayOf(statement);
        return way === null ? null : this.controlled.enter({ statement, given, way, message: mode === 'simple' ? 'query' : 'execute' });
      },
    };
  }

  run(use: Use, cleared: ClearedStatement, message: Approved['message'], send: Approved['send']): void {
    const way = this.#host.judging.wayOf(cleared.statement);
    if (way === null) return void send(null);
    this.#host.wait(this.controlled.run({ cleared, use, way, message, send }), (verdict) => {
      if (verdict !== null && verdict !== 'said') this.#host.refuse(message, verdict);
    });
  }

  /** A Query is refused: what was taken for it is given back before the client hears of it. */
  refuseQuery(why: Refusal): void {
    if (!this.controlled.entered) return this.#host.refuse('query', why);
    this.#host.wait(this.controlled.leave(), () => this.#host.refuse('query', why));
  }
}
