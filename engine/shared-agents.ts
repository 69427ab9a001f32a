/** The registry of agents over several engines: the same order as approvals, each agent a stream (ADR 0018). Its newest event tells an agent whole. */
import type { Event } from '#schemas/event';
import type { AgentEvent, AgentEventDraft, AgentJournal } from './agents/parts.ts';
import { isAgentEvent, streamOf } from './agents/registry.ts';
import type { Applied, FollowedLog } from './approvals/approvals.ts';

/** Events of one message have positions of their own. */
const EVENTS_PER_MESSAGE = 256;

export class SharedAgents implements AgentJournal {
  readonly #log: FollowedLog;
  readonly #journal: Pick<AgentJournal, 'events'>;
  readonly #last = new Map<string, number>();
  /** From before this engine shared anything: the newest of each. */
  readonly #alone = new Map<string, AgentEventDraft>();
  #heard: (event: Event) => void = () => {};

  constructor(log: FollowedLog, journal: Pick<AgentJournal, 'events'>) {
    this.#log = log;
    this.#journal = journal;
    log.follow('agent', (applied) => this.#apply(applied));
  }

  /** Told of every event, of all engines, oldest first. */
  follow(heard: (event: Event) => void): void {
    this.#heard = heard;
  }

  /** The order tells everything once it is read: here stands only what was never shared. */
  async *events(): AsyncGenerator<Event> {
    for await (const event of this.#journal.events())
      if (isAgentEvent(event) && event.ordered === undefined) this.#alone.set(streamOf(event), draftOf(event));
    yield* [];
  }

  /** Once the order was read: what this engine had before there were others. */
  async share(): Promise<void> {
    for (const [stream, draft] of this.#alone) {
      if (draft.type === 'agent.removed') continue;
      await this.#log.commit(stream, () => (this.#last.has(stream) ? null : { stream, expectedLast: -1, drafts: [draft] }));
    }
    this.#alone.clear();
  }

  async appendIf(
    event: AgentEventDraft,
    { stream, expectedLast }: { readonly stream: string; readonly expectedLast: number },
  ): Promise<number | null> {
    let fits = false;
    await this.#log.commit(stream, () => {
      // asked again when somebody was faster; then it does not fit any more
      fits = (this.#last.get(stream) ?? -1) === expectedLast;
      return fits ? { stream, expectedLast, drafts: [event] } : null;
    });
    return fits ? (this.#last.get(stream) ?? null) : null;
  }

  /** Nothing is told before it is. */
  durable(): void {}

  #apply({ stream, events }: Applied): void {
    events.forEach((told, index) => {
      const seq = told.seq * EVENTS_PER_MESSAGE + index;
      this.#last.set(stream, seq);
      this.#heard({ ...told, seq } as unknown as Event);
    });
  }
}

/** As it was written, without what the journal gave it. */
function draftOf(event: AgentEvent): AgentEventDraft {
  const { contract: _c, time: _t, tick_us: _k, journal: _j, seq: _s, index: _i, prev: _p, ...draft } = event;
  return draft as AgentEventDraft;
}
