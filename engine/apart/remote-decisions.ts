/** The decision service where the engine judges (`judging: remote`): every question crosses the channel, and any trouble is a refusal (E6). */
import { createHash } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { DecisionService, DecisionSession, SessionScope } from '#client/decision-service';
import type { Log } from '#client/log';
import type { Knowledge } from '#schemas/knowledge';
import { InterlockError } from '#schemas/errors';
import type { Channel, Dialer } from '../channel/parts.ts';
import type { Deadline } from './deadline.ts';
import { APART_LIMITS } from './limits.ts';
import { databaseOf, RemoteConnection, type State } from './remote-connection.ts';
import { RemoteSession, type SessionHome } from './remote-session.ts';
import { FactsPool } from './remote-statement.ts';

export interface RemoteDecisionOptions {
  readonly engines: Pick<Dialer, 'channel' | 'onChange' | 'ready'>;
  readonly clock: Clock;
  readonly log: Log;
}

export function openRemoteDecisions(options: RemoteDecisionOptions): RemoteDecisionService {
  return new RemoteDecisionService(options);
}

export class RemoteDecisionService implements DecisionService, SessionHome {
  readonly #options: RemoteDecisionOptions;
  readonly #catalogs: Map<string, { readonly target: string; readonly catalog: Knowledge }> = new Map();
  readonly #stop: () => void;
  readonly facts = new FactsPool();
  #connection: RemoteConnection | null = null;
  /** As the last engine said; before that, what asks for the most care. */
  #state: State = { revision: NO_REVISION, masksPossible: true };
  /** By our monotonic clock: since when there is no engine. */
  #lostUs: number;
  /** Another number after each catalog: what was read before may read otherwise now. */
  generation = 0;

  constructor(options: RemoteDecisionOptions) {
    this.#options = options;
    this.#lostUs = options.clock.monotonicUs();
    this.#stop = options.engines.onChange((channel) => this.#changed(channel));
    if (options.engines.channel) this.#changed(options.engines.channel);
  }

  get revision(): string {
    return this.#state.revision;
  }

  get masksPossible(): boolean {
    return this.#state.masksPossible;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  learn(target: string, catalog: Knowledge): void {
    this.generation++;
    this.#catalogs.set(`${target}\n${databaseOf(catalog)}`, { target, catalog });
    this.#connection?.learned()?.catch(() => {}); // whoever reads next is told
  }

  /** Rejects ENGINE_UNAVAILABLE and what else the engine says. */
  async openSession(scope: SessionScope): Promise<DecisionSession> {
    const session = new RemoteSession(this, scope);
    await session.start();
    return session;
  }

  /** The connection that is asked now; null: there is none. */
  get connection(): RemoteConnection | null {
    const connection = this.#connection;
    return connection?.channel.ended === null ? connection : null;
  }

  /** When the engine was only just lost, another one may be there in a moment; else, or when it is not, this rejects. */
  async connected(deadline: Deadline): Promise<RemoteConnection> {
    const { engines, clock } = this.#options;
    let { connection } = this;
    if (connection === null) {
      const graceMs = APART_LIMITS.againMs - (clock.monotonicUs() - this.#lostUs) / 1000;
      await engines.ready(Math.max(0, Math.min(deadline.leftMs, graceMs)));
      connection = this.connection;
    }
    if (connection === null) throw new InterlockError('ENGINE_UNAVAILABLE', 'no engine is connected');
    if (connection.state === null) await deadline.within(connection.first);
    return connection;
  }

  close(): void {
    this.#stop();
    this.#connection?.leave();
    this.#connection = null;
  }

  #changed(channel: Channel | null): void {
    this.#connection?.leave();
    if (channel === null) {
      this.#lostUs = this.clock.monotonicUs();
      this.#connection = null;
      return;
    }
    const connection = new RemoteConnection(channel, this.#catalogs, this.#options.log, (state) => {
      if (this.#connection === connection) this.#state = state;
    });
    this.#connection = connection;
    connection.learned()?.catch(() => {}); // whoever reads next is told
  }
}

/** Before any engine said which one is in force. */
const NO_REVISION = `sha256:${createHash('sha256').digest('hex')}`;
