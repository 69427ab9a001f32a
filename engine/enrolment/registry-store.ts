/** The registry and the one way to change it: compare-and-append on the enforcer's own stream, durable, and only then the new state. */
import { type Clock, timestamp } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import type { EnforcerEventDraft, RegistryJournal } from './parts.ts';
import { type EnforcerRecord, isRegistryEvent, Registry, type RegistryEvent, streamOf } from './registry.ts';

export class RegistryStore {
  readonly registry: Registry = new Registry();
  readonly #journal: RegistryJournal;
  readonly #clock: Clock;
  readonly #onChange: (after: EnforcerRecord, event: RegistryEvent) => void;
  #running: Promise<unknown> = Promise.resolve();

  constructor(journal: RegistryJournal, clock: Clock, onChange: (after: EnforcerRecord, event: RegistryEvent) => void) {
    this.#journal = journal;
    this.#clock = clock;
    this.#onChange = onChange;
  }

  async restore(): Promise<void> {
    for await (const event of this.#journal.events()) if (isRegistryEvent(event)) this.registry.apply(event);
  }

  /** What another engine wrote; what is known already changes nothing. */
  follow(event: Event): void {
    if (isRegistryEvent(event) && this.registry.apply(event)) this.#told(event);
  }

  /** One change at a time: what `work` finds does not change under it. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#running.then(work);
    this.#running = result.catch(() => undefined); // whoever asked is told; the next one starts
    return result;
  }

  /**
   * Inside `alone`. Durable, and in force, when it resolves.
   * @throws InterlockError JOIN_BUSY when another engine was faster, JOURNAL_UNAVAILABLE
   */
  async append(draft: EnforcerEventDraft): Promise<EnforcerRecord> {
    const expectedLast = this.registry.get(draft.enforcer)?.last ?? -1;
    const position = await this.#journal.appendIf(draft, { stream: streamOf(draft.enforcer), expectedLast });
    if (position === null) throw new InterlockError('JOIN_BUSY', `${draft.enforcer} is being changed by another engine`);
    await this.#journal.durable(position);
    const event = { ...draft, seq: position, time: timestamp(this.#clock.wallUs()) } as RegistryEvent;
    if (this.registry.apply(event)) this.#told(event);
    return this.registry.get(draft.enforcer) as EnforcerRecord;
  }

  #told(event: RegistryEvent): void {
    this.#onChange(this.registry.get(event.enforcer) as EnforcerRecord, event);
  }
}
