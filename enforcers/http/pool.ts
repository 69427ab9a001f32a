/** Connections to the target for one principal's session: never shared with another (SECURITY H1). */
import { InterlockError } from '#schemas/errors';
import { HTTP_LIMITS } from './limits.ts';
import type { Place } from '#enforcers/common/service/place';
import { TargetConnection } from './target-connection.ts';

export class Pool {
  readonly #place: Place;
  readonly #all = new Set<TargetConnection>();
  readonly #idle: TargetConnection[] = [];
  #closed = false;

  constructor(place: Place) {
    this.#place = place;
  }

  /** The one that was used last, or a new one. Rejects TARGET_UNREACHABLE. */
  async take(): Promise<TargetConnection> {
    return this.known() ?? (await this.fresh());
  }

  /** One that is there; null: there is none. */
  known(): TargetConnection | null {
    for (;;) {
      const connection = this.#idle.pop();
      if (connection === undefined) return null;
      if (connection.usable) return connection;
      connection.destroy();
    }
  }

  async fresh(): Promise<TargetConnection> {
    const socket = await this.#place.connect();
    const connection = new TargetConnection(socket, (ended) => this.#gone(ended));
    this.#all.add(connection);
    if (this.#closed) {
      connection.destroy();
      throw new InterlockError('CANCELLED', 'the session has ended');
    }
    return connection;
  }

  /** Its answer is complete, or it was not needed. */
  give(connection: TargetConnection): void {
    if (this.#closed || !connection.usable || this.#idle.length >= HTTP_LIMITS.idleConnections) connection.destroy();
    else if (!this.#idle.includes(connection)) this.#idle.push(connection);
  }

  close(): void {
    this.#closed = true;
    for (const connection of this.#all) connection.destroy();
  }

  #gone(connection: TargetConnection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
  }
}
