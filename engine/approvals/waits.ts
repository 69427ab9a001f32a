/** Statements that wait for a request to leave `open`. Each ends by a verdict, by its own signal, or with all others. */
import { InterlockError } from '#schemas/errors';
import type { Ticket } from '#client/approvals';

interface Waiter {
  readonly resolve: (ticket: Ticket) => void;
  readonly reject: (reason: unknown) => void;
}

export class Waits {
  readonly #byApproval = new Map<string, Set<Waiter>>();
  readonly #max: number;
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get count(): number {
    return this.#count;
  }

  wait(approvalId: string, signal: AbortSignal): Promise<Ticket> {
    if (this.#count >= this.#max) return Promise.reject(new InterlockError('APPROVAL_UNAVAILABLE', `${this.#max} statements wait already`));
    return new Promise<Ticket>((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (ticket) => {
          this.#remove(approvalId, waiter);
          signal.removeEventListener('abort', onAbort);
          resolve(ticket);
        },
        reject: (reason) => {
          this.#remove(approvalId, waiter);
          signal.removeEventListener('abort', onAbort);
          // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- the signal's own reason, as the interface says
          reject(reason);
        },
      };
      const onAbort = (): void => waiter.reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#add(approvalId, waiter);
    });
  }

  settle(approvalId: string, ticket: Ticket): void {
    for (const waiter of this.#byApproval.get(approvalId) ?? []) waiter.resolve(ticket);
  }

  rejectAll(reason: Error): number {
    const all = [...this.#byApproval.values()].flatMap((waiters) => [...waiters]);
    for (const waiter of all) waiter.reject(reason);
    return all.length;
  }

  #add(approvalId: string, waiter: Waiter): void {
    const waiters = this.#byApproval.get(approvalId) ?? new Set();
    this.#byApproval.set(approvalId, waiters.add(waiter));
    this.#count += 1;
  }

  #remove(approvalId: string, waiter: Waiter): void {
    const waiters = this.#byApproval.get(approvalId);
    if (!waiters?.delete(waiter)) return;
    this.#count -= 1;
    if (waiters.size === 0) this.#byApproval.delete(approvalId);
  }
}
