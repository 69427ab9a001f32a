/** Who is an agent: a fold over `agent.*`, whoever wrote them. It knows no store and no clock; what was seen already changes nothing. */
import type { Event } from '#schemas/event';
import type { AgentRecord, PublicJwk } from '#schemas/event-agent';
import { LIMITS } from './limits.ts';
import type { AgentEvent } from './parts.ts';

/** One agent, as its newest event tells it. */
export interface Agent {
  readonly name: string;
  /** null: it was removed. */
  readonly record: AgentRecord | null;
  /** Whose it is, or was. */
  readonly owner: AgentRecord['owner'] | null;
  /** Of its newest event. */
  readonly at: string;
  readonly by: string;
  /** Position of its last event: what the next one is compared with. */
  readonly last: number;
}

export interface IssuerKey {
  readonly id: string;
  readonly key: PublicJwk;
  readonly seenAt: string;
  readonly last: number;
}

const TYPES: readonly string[] = ['agent.added', 'agent.rotated', 'agent.renewed', 'agent.removed', 'agent.issuer'] satisfies AgentEvent['type'][];

export function isAgentEvent(event: Event): event is AgentEvent {
  return TYPES.includes(event.type);
}

export function streamOf(event: Pick<AgentEvent, 'type'> & { readonly agent?: string; readonly issuer?: string }): string {
  return event.type === 'agent.issuer' ? `agent-issuer:${event.issuer}` : `agent:${event.agent}`;
}

export class Registry {
  readonly #agents = new Map<string, Agent>();
  readonly #issuers = new Map<string, IssuerKey>();

  get size(): number {
    return this.#agents.size;
  }

  get(name: string): Agent | undefined {
    return this.#agents.get(name);
  }

  all(): readonly Agent[] {
    return [...this.#agents.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  issuer(id: string): IssuerKey | undefined {
    return this.#issuers.get(id);
  }

  issuers(): readonly IssuerKey[] {
    return [...this.#issuers.values()];
  }

  lastOf(event: Parameters<typeof streamOf>[0]): number {
    return (event.type === 'agent.issuer' ? this.#issuers.get(event.issuer ?? '') : this.#agents.get(event.agent ?? ''))?.last ?? -1;
  }

  /** Whether it changed anything. */
  apply(event: AgentEvent): boolean {
    if (event.type === 'agent.issuer') return this.#issuer(event);
    const before = this.#agents.get(event.agent);
    if (before !== undefined && event.seq <= before.last) return false;
    const record = event.type === 'agent.removed' ? null : event.record;
    const owner = record?.owner ?? before?.owner ?? null;
    this.#agents.set(event.agent, { name: event.agent, record, owner, at: event.time, by: event.by, last: event.seq });
    return true;
  }

  #issuer({ issuer: id, key, seen_at: seenAt, seq: last }: Extract<AgentEvent, { type: 'agent.issuer' }>): boolean {
    const before = this.#issuers.get(id);
    if (before !== undefined && last <= before.last) return false;
    this.#issuers.delete(id);
    this.#issuers.set(id, { id, key, seenAt, last });
    for (const oldest of this.#issuers.keys()) {
      if (this.#issuers.size <= LIMITS.issuerKeys) break;
      this.#issuers.delete(oldest);
    }
    return true;
  }
}
