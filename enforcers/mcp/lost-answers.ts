/** Answers whose stream ended before them: an older client comes back for them with the id of the last event that it saw. */
import type { RpcOutcome } from './message.ts';
import { MCP_LIMITS } from './limits.ts';
import type { RpcId } from './protocol.ts';
import type { Reply } from './reply.ts';

export class LostAnswers {
  /** Streams that a client came back with. */
  readonly #resumed = new Set<Reply>();
  readonly #kept = new Map<RpcId, { readonly outcome: RpcOutcome; readonly sinceMs: number }>();
  readonly #expected = new Set<RpcId>();
  #wake: (() => void)[] = [];
  /** Ids of events that this session was told, the oldest first. */
  readonly #told = new Set<string>();

  /** Whether it may be told: it is then a place to take up the stream from, for this session alone. */
  tell(eventId: string): boolean {
    if (eventId.length > MCP_LIMITS.eventIdChars) return false;
    this.#told.delete(eventId);
    this.#told.add(eventId);
    if (this.#told.size > MCP_LIMITS.eventIds) for (const oldest of this.#told) if (this.#told.delete(oldest)) break;
    return true;
  }

  /** Only what was told here goes back to the server: with another's it could be asked for what was said to somebody else. */
  knows(eventId: string): boolean {
    return this.#told.has(eventId);
  }

  /** Its stream ended without it. */
  expect(id: RpcId): void {
    if (this.#expected.size < MCP_LIMITS.lostAnswers) this.#expected.add(id);
  }

  deliver(id: RpcId, outcome: RpcOutcome): void {
    this.#expected.delete(id);
    const [reply] = this.#resumed;
    if (reply?.open) reply.say(messageOf(id, outcome));
    else if (this.#kept.size < MCP_LIMITS.lostAnswers) this.#kept.set(id, { outcome, sinceMs: performance.now() });
    for (const wake of this.#wake.splice(0)) wake();
  }

  resume(reply: Reply): Disposable {
    this.#resumed.add(reply);
    for (const [id, { outcome, sinceMs }] of this.#kept) {
      this.#kept.delete(id);
      if (performance.now() - sinceMs < MCP_LIMITS.lostMs) reply.say(messageOf(id, outcome));
    }
    return { [Symbol.dispose]: () => void this.#resumed.delete(reply) };
  }

  /** Resolves when nothing is expected any more, or at the signal. */
  async settled(signal: AbortSignal): Promise<void> {
    while (this.#expected.size > 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
  }
}

function messageOf(id: RpcId, outcome: RpcOutcome): object {
  return { jsonrpc: '2.0', id, ...(outcome.ok ? { result: outcome.result } : { error: outcome.error }) };
}
