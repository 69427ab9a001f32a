/** How a session ends: once, whoever ends it, and with what runs at the target let come to its end, so that its outcome is known. */
import type { DecisionSession } from '#client/decision-service';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { LIMITS } from '#enforcers/common/limits';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import type { Wire } from '#enforcers/common/socket';
import type { Controlled } from './controlled.ts';
import type { Holding } from './holding.ts';
import type { Line } from './line.ts';
import { B, report, TERMINATE } from './protocol.ts';
import type { Replies } from './replies.ts';
import { errorFields } from './words.ts';

export type CloseReason = 'client' | 'target' | 'policy' | 'terminated' | 'drain' | 'fault';

export interface EndingHost {
  readonly sessionId: string;
  readonly client: Wire;
  readonly target: Wire;
  readonly line: Line;
  readonly replies: Replies;
  readonly controlled: Controlled;
  readonly holding: Holding;
  readonly decisions: DecisionSession;
  readonly log: Log;
  /** Everything of it is over. */
  closed(reason: CloseReason): void;
}

export class Ending {
  readonly #host: EndingHost;
  #reason: CloseReason | null = null;
  #over = false;

  constructor(host: EndingHost) {
    this.#host = host;
  }

  /** It goes on. */
  get alive(): boolean {
    return !this.#over && this.#reason === null;
  }

  /** Ends the session from our side; the client is told why. */
  end(reason: CloseReason, why: Refusal): void {
    if (!this.alive) return;
    this.#say(why);
    this.finish(reason);
  }

  /** Lets what runs at the target come to its end, for a while. */
  finish(reason: CloseReason): void {
    if (!this.alive) return;
    this.#reason = reason;
    const { client, target, line, holding } = this.#host;
    holding.end('disconnect');
    if (line.idle || target.socket.destroyed) return this.#close(reason);
    if (!client.socket.destroyed) client.socket.end();
    const timer = setTimeout(() => this.#close(reason), LIMITS.closeMs);
    target.socket.once('close', () => clearTimeout(timer));
    line.end(TERMINATE);
    target.flush();
  }

  /** Nothing more is to be waited for. */
  now(): void {
    if (this.#reason !== null) this.#close(this.#reason);
  }

  targetGone(): void {
    if (this.#over) return;
    const { client, replies, controlled } = this.#host;
    if (this.#reason === null && (!replies.fatal || controlled.withholds)) {
      client.write(report(B.error, errorFields(refusal('TARGET_UNREACHABLE', 'the target closed the connection'), 'FATAL')));
    }
    client.flush();
    this.#close(this.#reason ?? 'target');
  }

  /** Nothing thrown stays unseen: the session ends, closed. */
  guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.fault(error);
    }
  }

  fault(error: unknown): void {
    if (this.#over) return;
    this.#host.log.error({ session: this.#host.sessionId, err: error }, 'session ended by a fault');
    this.#say(error instanceof InterlockError ? refusalOf(error) : refusal('INTERNAL'));
    this.#close('fault');
  }

  #say(why: Refusal): void {
    const { client } = this.#host;
    client.write(report(B.error, errorFields(why, 'FATAL')));
    client.flush();
  }

  #close(reason: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    const { holding, line, replies, controlled, log, target, client, decisions } = this.#host;
    holding.end('disconnect');
    line.close();
    try {
      replies.lost();
      controlled.lost();
    } catch (error) {
      log.error({ session: this.#host.sessionId, err: error }, 'the outcome of statements could not be recorded');
    }
    if (!target.socket.destroyed) {
      target.socket.end(TERMINATE);
      target.socket.destroySoon();
    }
    if (!client.socket.destroyed) client.socket.destroySoon();
    decisions.close();
    this.#host.closed(reason);
  }
}
