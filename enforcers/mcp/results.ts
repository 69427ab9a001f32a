/** Answers of calls that were carried out under an approval, for a while: whoever lost one asks again and is told, and nothing runs twice. */
import type { RpcOutcome } from './message.ts';
import { MCP_LIMITS } from './limits.ts';

interface Kept {
  readonly outcome: RpcOutcome;
  readonly bytes: number;
  readonly untilMs: number;
}

export class KeptResults {
  readonly #kept = new Map<string, Kept>();
  readonly #running = new Map<string, Promise<RpcOutcome>>();
  #bytes = 0;

  /** Masked already: as it goes to the client. */
  keep(approvalId: string, outcome: RpcOutcome, nowMs: number): void {
    const bytes = JSON.stringify(outcome).length;
    if (bytes > MCP_LIMITS.resultBytesKept / 8) return;
    this.#forget(approvalId);
    this.#kept.set(approvalId, { outcome, bytes, untilMs: nowMs + MCP_LIMITS.resultMs });
    this.#bytes += bytes;
    for (const [oldest] of this.#kept) {
      if (this.#bytes <= MCP_LIMITS.resultBytesKept && this.#kept.size <= MCP_LIMITS.resultsKept) break;
      this.#forget(oldest);
    }
  }

  /** Runs it, unless somebody does already: then both are told the same. */
  once(approvalId: string, run: () => Promise<RpcOutcome>): Promise<RpcOutcome> {
    const running = this.#running.get(approvalId);
    if (running !== undefined) return running;
    const begun = run().finally(() => this.#running.delete(approvalId));
    this.#running.set(approvalId, begun);
    return begun;
  }

  /** What is kept, or what runs just now; null: neither. */
  async found(approvalId: string, nowMs: number): Promise<RpcOutcome | null> {
    return (await this.#running.get(approvalId)) ?? this.#of(approvalId, nowMs);
  }

  #of(approvalId: string, nowMs: number): RpcOutcome | null {
    const kept = this.#kept.get(approvalId);
    if (kept === undefined) return null;
    if (kept.untilMs > nowMs) return kept.outcome;
    this.#forget(approvalId);
    return null;
  }

  #forget(approvalId: string): void {
    this.#bytes -= this.#kept.get(approvalId)?.bytes ?? 0;
    this.#kept.delete(approvalId);
  }
}
