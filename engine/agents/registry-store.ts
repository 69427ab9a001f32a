/** The registry and the one way to change it: compare-and-append on the agent's own stream, durable, and only then the new state. */
import { type Clock, timestamp } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import type { AgentEvent, AgentEventDraft, AgentJournal } from './parts.ts';
import { isAgentEvent, Registry, streamOf } from './registry.ts';

/** Somebody else was faster: looked at again so often. */
const ATTEMPTS_MAX = 5;

export class RegistryStore {
  readonly registry: Registry = new Registry();
  readonly #journal: AgentJournal;
  readonly #clock: Clock;
  readonly #onChange: (event: AgentEvent) => void;
  #running: Promise<unknown> = Promise.resolve();

  constructor(journal: AgentJournal, clock: Clock, onChange: (event: AgentEvent) => void) {
    this.#journal = journal;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  async restore(): Promise<void> {
    for await (const event of this.#journal.events()) if (isAgentEvent(event)) this.registry.apply(event);
  }

  /** Everything that was asked for until now has happened, or failed. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** What another engine wrote; what is known already changes nothing. */
  follow(event: Event): void {
    if (isAgentEvent(event) && this.registry.apply(event)) this.#onChange(event);
  }

  /**
   * One change at a time. `plan` looks at the registry and says what to write (null: nothing), and is asked again when somebody was faster; what it
   * throws is thrown. Durable, and in force, when it resolves.
   * @throws InterlockError JOURNAL_UNAVAILABLE, APPROVAL_UNAVAILABLE: of the log that several engines share
   */
  change(plan: () => AgentEventDraft | null): Promise<void> {
    const result = this.#running.then(() => this.#change(plan));
    this.#running = result.catch(() => undefined); // whoever asked is told; the next one starts
    return result;
  }

  async #change(plan: () => AgentEventDraft | null): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const draft = plan();
      if (draft === null || (await this.#append(draft))) return;
    }
    throw new InterlockError('JOIN_BUSY', 'this agent is being changed by another engine');
  }

  async #append(draft: AgentEventDraft): Promise<boolean> {
    const position = await this.#journal.appendIf(draft, { stream: streamOf(draft), expectedLast: this.registry.lastOf(draft) });
    if (position === null) return false;
    await this.#journal.durable(position);
    const event = { ...draft, seq: position, time: timestamp(this.#clock.wallUs()) } as AgentEvent;
    if (this.registry.apply(event)) this.#onChange(event);
    return true;
  }
}
