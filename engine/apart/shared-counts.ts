/**
 * What agents did lately at each enforcer of this engine, as those say it once a second: each is told what the others counted. In memory; enforcers say it
 * again to an engine that starts. Nothing of it is more than a ceiling needs, and an enforcer is told of agents that it names itself alone.
 */
import type { Clock } from '#client/clock';
import type { AgentCounts } from '#schemas/apart';
import { APART_LIMITS } from './limits.ts';

interface Said {
  readonly counts: AgentCounts;
  readonly atMs: number;
}

/** By enforcer and agent, what was heard last at the end. */
export class SharedCounts {
  readonly #clock: Pick<Clock, 'monotonicUs'>;
  readonly #said = new Map<string, Map<string, Said>>();

  constructor(clock: Pick<Clock, 'monotonicUs'>) {
    this.#clock = clock;
  }

  /** Keeps what this enforcer counted; what all others did of the same agents. */
  share(enforcer: string, counted: readonly AgentCounts[]): AgentCounts[] {
    const nowMs = this.#clock.monotonicUs() / 1000;
    const own = this.#said.get(enforcer) ?? new Map<string, Said>();
    moved(this.#said, enforcer, own, APART_LIMITS.enforcersCounted);
    for (const counts of counted) moved(own, counts.id, { counts, atMs: nowMs }, APART_LIMITS.agentsCounted);
    return counted.map(({ id }) => this.#others(id, enforcer, nowMs));
  }

  /** What was said so long ago that it is in no window any more counts nothing. */
  #others(id: string, enforcer: string, nowMs: number): AgentCounts {
    let [statements, rows, denials] = [0, 0, 0];
    for (const [name, agents] of this.#said) {
      const said = name === enforcer ? undefined : agents.get(id);
      if (said === undefined) continue;
      const agoMs = nowMs - said.atMs;
      if (agoMs < APART_LIMITS.statementsMs) statements += said.counts.statements;
      if (agoMs < APART_LIMITS.denialsMs) denials += said.counts.denials;
      if (agoMs < APART_LIMITS.rowsMs) rows += said.counts.rows;
    }
    return { id, statements, rows, denials };
  }
}

/** To the end; the first goes where there are too many. */
function moved<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > most) for (const first of map.keys()) if (map.delete(first)) break;
}
