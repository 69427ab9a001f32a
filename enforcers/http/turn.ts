/**
 * Answers that become ready in one turn of the event loop leave at its end, one behind the other: a peer that sleeps is woken once for all of them, and not
 * once for each, which costs more than all else of a write. With few requests under way there is nobody to wait for, and each leaves at once.
 */
import type { Socket } from 'node:net';

/** Requests under way: with fewer, waiting costs more than it saves (measured with 1, 4, 8 and 16 clients). */
const MANY = 5;

export class Turn {
  #underWay = 0;
  #held: Socket[] = [];

  began(): void {
    this.#underWay++;
  }

  over(): void {
    this.#underWay--;
  }

  /** What is written to this socket from here on leaves when the turn is over, in the order of writing. */
  hold(socket: Socket): void {
    if (this.#underWay < MANY || socket.writableCorked > 0 || socket.writableEnded) return;
    socket.cork();
    if (this.#held.push(socket) === 1) setImmediate(this.#release);
  }

  readonly #release = (): void => {
    const held = this.#held;
    this.#held = [];
    for (const socket of held) socket.uncork();
  };
}
