/** A session's wait for a verdict: one at a time, ended by the verdict, the client or the session. */
import { HoldEnded, type Voice } from '#enforcers/common/asked';
import { B, report } from './protocol.ts';

export interface HoldingHost {
  alive(): boolean;
  /** To the client, at once. */
  say(bytes: Uint8Array): void;
  released(): void;
}

export class Holding {
  readonly voice: Voice;
  #held: { readonly approvalId: string; readonly controller: AbortController } | null = null;

  constructor(host: HoldingHost) {
    this.voice = {
      held: (approvalId, controller) => {
        this.#held = { approvalId, controller };
        if (!host.alive()) this.end('disconnect');
      },
      released: () => {
        this.#held = null;
        host.released();
      },
      alive: () => host.alive(),
      notice: (text, detail, hint) => host.say(report(B.notice, { S: 'NOTICE', V: 'NOTICE', C: '00000', M: text, D: detail, H: hint })),
    };
  }

  get approvalId(): string | null {
    return this.#held?.approvalId ?? null;
  }

  /** False: nothing waits. */
  end(why: HoldEnded['why']): boolean {
    this.#held?.controller.abort(new HoldEnded(why));
    return this.#held !== null;
  }
}
