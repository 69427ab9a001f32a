/** How much may be asked at once: in all, by one principal, and in bytes. */
import { InterlockError } from '#schemas/errors';
import type { ApprovalLimits } from './limits.ts';

export class Quota {
  readonly #limits: ApprovalLimits;
  readonly #byPrincipal = new Map<string, number>();
  #live = 0;
  #bytes = 0;

  constructor(limits: ApprovalLimits) {
    this.#limits = limits;
  }

  /** @throws InterlockError APPROVAL_UNAVAILABLE that names the limit. */
  take(principal: string, bytes: number): void {
    const mine = this.#byPrincipal.get(principal) ?? 0;
    if (this.#live >= this.#limits.liveMax) throw full(`${this.#limits.liveMax} requests are open`);
    if (mine >= this.#limits.livePerPrincipalMax) throw full(`${mine} requests of this principal are open`);
    if (this.#bytes + bytes > this.#limits.liveBytesMax) throw full(`the open requests hold ${this.#bytes} bytes`);
    this.add(principal, bytes);
  }

  /** What was there before a restart counts, whatever the limits are now. */
  add(principal: string, bytes: number): void {
    this.#live += 1;
    this.#bytes += bytes;
    this.#byPrincipal.set(principal, (this.#byPrincipal.get(principal) ?? 0) + 1);
  }

  give(principal: string, bytes: number): void {
    this.#live -= 1;
    this.#bytes -= bytes;
    const mine = (this.#byPrincipal.get(principal) ?? 0) - 1;
    if (mine > 0) this.#byPrincipal.set(principal, mine);
    else this.#byPrincipal.delete(principal);
  }
}

function full(what: string): InterlockError {
  return new InterlockError('APPROVAL_UNAVAILABLE', `no further approval can be asked for: ${what}`, { hint: 'wait until some are decided' });
}
