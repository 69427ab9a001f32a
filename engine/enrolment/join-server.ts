/** The engine's side of the join protocol: one connection, one question, within seconds. */
import type { TLSSocket } from 'node:tls';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { type Certified, frame, isJoinQuestion, type JoinAnswer, type JoinQuestion, readFrame } from './join-protocol.ts';
import { LIMITS } from './limits.ts';

const TOLD_EVERY_MS = 1_000;

export class JoinServer {
  readonly #join: (question: JoinQuestion) => Promise<Certified>;
  readonly #log: Log;
  readonly #sockets = new Set<TLSSocket>();
  /** Refusals since the last one that was told; null: the next one is told at once. */
  #untold: number | null = null;

  constructor(join: (question: JoinQuestion) => Promise<Certified>, log: Log) {
    this.#join = join;
    this.#log = log;
  }

  serve(socket: TLSSocket): void {
    socket.on('error', () => {}); // whoever breaks off has their answer, or wanted none
    if (this.#sockets.size >= LIMITS.joining) return void socket.destroy();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const late = setTimeout(() => socket.destroy(), LIMITS.joinMs);
    socket.once('close', () => clearTimeout(late));
    void this.#answer(socket).then(
      (answer) => socket.end(frame(answer)),
      () => socket.destroy(),
    );
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Anybody can be refused as often as they like: told once a second, with how many there were. */
  #refused(address: string | undefined, why: string): void {
    if (this.#untold !== null) {
      this.#untold++;
      return;
    }
    this.#log.warn({ address, why }, 'an attempt to join was refused');
    this.#untold = 0;
    setTimeout(() => {
      if (this.#untold !== null && this.#untold > 0) this.#log.warn({ times: this.#untold }, 'more attempts to join were refused');
      this.#untold = null;
    }, TOLD_EVERY_MS).unref();
  }

  /** Rejects when there was no question: an enforcer that looks whether this is its engine sends none. */
  async #answer(socket: TLSSocket): Promise<JoinAnswer> {
    const question = await readFrame(socket);
    try {
      if (!isJoinQuestion(question)) throw new InterlockError('JOIN_REFUSED', 'this is not how one joins');
      return await this.#join(question);
    } catch (error) {
      this.#refused(socket.remoteAddress, error instanceof Error ? error.message : 'unknown');
      if (!(error instanceof InterlockError)) return { error: { code: 'INTERNAL', message: 'a fault of ours' } };
      return { error: { code: error.code, message: error.message } };
    }
  }
}
