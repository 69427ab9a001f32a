/** Where a session is: at the engine that is connected, opened there when it is first needed. */
import type { SessionScope } from '#client/decision-service';
import { Decision } from '#schemas/decision';
import { InterlockError } from '#schemas/errors';
import type { Deadline } from './deadline.ts';
import { DECISION_LIMITS } from './decision-limits.ts';
import { METHOD } from './decision-wire.ts';
import { encode, form } from './messages.ts';
import type { RemoteConnection } from './remote-connection.ts';
import { type Place, SettingNumbers } from './remote-place.ts';

/** What it needs of the service. */
export interface Connections {
  /** The one that is asked now; null: there is none. */
  readonly connection: RemoteConnection | null;
  /** Rejects ENGINE_UNAVAILABLE. */
  connected(deadline: Deadline): Promise<RemoteConnection>;
}

export class Placement {
  readonly #connections: Connections;
  readonly #scope: SessionScope;
  #opening: Decision | null = null;
  #place: Place | null = null;
  #opened: { readonly connection: RemoteConnection; readonly place: Promise<Place> } | null = null;
  #closed = false;

  constructor(connections: Connections, scope: SessionScope) {
    this.#connections = connections;
    this.#scope = scope;
  }

  /** As the first engine answered. */
  get opening(): Decision {
    if (this.#opening === null) throw new InterlockError('INTERNAL', 'the session was not opened');
    return this.#opening;
  }

  /** null: it has to be waited for. */
  get now(): Place | null {
    return this.#place !== null && this.#place.channel === this.#connections.connection?.channel ? this.#place : null;
  }

  async placed(deadline: Deadline): Promise<Place> {
    if (this.#closed) throw new InterlockError('CANCELLED', 'the session is closed');
    const { now } = this;
    if (now !== null) return now;
    const connection = await this.#connections.connected(deadline);
    if (this.#opened?.connection !== connection) {
      const opened = { connection, place: this.#open(connection, deadline) };
      this.#opened = opened;
      opened.place.catch(() => {
        if (this.#opened === opened) this.#opened = null; // the next one tries again
      });
    }
    this.#place = await deadline.within(this.#opened.place);
    return this.#place;
  }

  /** The engine does not know it. */
  forget(): void {
    this.#place = null;
    this.#opened = null;
  }

  close(): void {
    this.#closed = true;
    if (this.#place) end(this.#place);
    this.#place = null;
  }

  async #open({ channel, shared, breaker }: RemoteConnection, deadline: Deadline): Promise<Place> {
    const { leftMs: deadlineMs } = deadline;
    const { session, opening } = OPENED.read(await channel.call(METHOD.open, encode({ scope: this.#scope }), { deadlineMs }));
    // a session that stands is not opened anew by going to another engine
    this.#opening ??= opening;
    const place: Place = { channel, session, shared, breaker, settings: new SettingNumbers(), last: [null, null] };
    if (this.#closed) end(place);
    return place;
  }
}

const OPENED = form(
  { type: 'object', required: ['session', 'opening'], properties: { session: { type: 'integer', minimum: 1 }, opening: Decision } } as const,
  'the opening of a session',
);

/** Without it, it ends with the connection. */
function end({ channel, session }: Place): void {
  if (channel.ended) return;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(session);
  channel.call(METHOD.close, bytes, { deadlineMs: DECISION_LIMITS.answerMs }).catch(() => {});
}
