/** Connections of one session to where a server really is: its name is looked up and its addresses checked once for all (SECURITY H9). */
import { Agent, type AgentOptions, type ClientRequestArgs } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Place } from '#enforcers/common/service/place';

/** What goes over them is plain HTTP: TLS is the connection's own. */
export class PlacedAgent extends Agent {
  readonly #place: Place;

  constructor(place: Place, options: AgentOptions) {
    super(options);
    this.#place = place;
  }

  override createConnection(_options: ClientRequestArgs, opened: (error: Error | null, stream: Duplex) => void): undefined {
    this.#place.connect().then(
      (socket) => opened(null, socket),
      (error: unknown) => opened(error as Error, undefined as unknown as Duplex),
    );
    return undefined;
  }
}
