/** How many calls are carried out at a time, of all and of one principal: each holds a connection that somebody else, a reviewer, may need. */
import { InterlockError } from '#schemas/errors';

export interface SeatRule {
  readonly all: number;
  readonly perPrincipal: number;
}

export class Seats {
  readonly #rule: SeatRule;
  readonly #taken = new Map<string, number>();
  #all = 0;

  constructor(rule: SeatRule) {
    this.#rule = rule;
  }

  /** Until it is disposed of. @throws InterlockError RATE_LIMITED: theirs, or all of them, are taken */
  take(whose: string): Disposable {
    const theirs = this.#taken.get(whose) ?? 0;
    const { all, perPrincipal } = this.#rule;
    if (theirs >= perPrincipal) throw new InterlockError('RATE_LIMITED', `${perPrincipal} calls of yours are being carried out: wait for one to end`);
    if (this.#all >= all) throw new InterlockError('RATE_LIMITED', `${all} calls are being carried out: wait a moment`);
    this.#taken.set(whose, theirs + 1);
    this.#all += 1;
    return { [Symbol.dispose]: () => this.#leave(whose) };
  }

  #leave(whose: string): void {
    const left = (this.#taken.get(whose) ?? 1) - 1;
    if (left === 0) this.#taken.delete(whose);
    else this.#taken.set(whose, left);
    this.#all -= 1;
  }
}
