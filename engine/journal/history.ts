/**
 * What parts fold when they start — requests, delegations, enforcers, agents, messages — is a small part of a journal. It is gathered while the journal
 * is recovered, which reads all of it anyway, so that a start reads its journal once.
 */
import type { Event } from '#schemas/event';
import type { Position } from '#client/journal';
import { JournalReader, type ReadFrom } from './reader.ts';

/** Gathered at most, some 100 MB; of a journal that holds more, all is read again by whoever asks. */
const EVENTS_MAX = 50_000;

export class GatheredHistory {
  readonly #eventsMax: number;
  /** null: too many, or not needed any more. */
  #events: Event[] | null = [];
  /** Statements that used an approval: how they ended is a part of its history. */
  readonly #using = new Set<string>();
  /** The one with the latest time; whoever folds goes by it. */
  #latest: Event | null = null;
  #reader: JournalReader | null = null;
  #turn: Promise<void> = Promise.resolve();

  constructor(eventsMax: number = EVENTS_MAX) {
    this.#eventsMax = eventsMax;
  }

  /** Everything from the first event on, in order. */
  see(event: Event): void {
    if (this.#events === null) return;
    if (this.#latest === null || event.time > this.#latest.time) this.#latest = event;
    if (!this.#matters(event)) return;
    if (this.#events.length < this.#eventsMax) this.#events.push(event);
    else this.forget();
  }

  /** What was seen ended there: what comes behind it is read from there on. */
  goesOn(dir: string, from: ReadFrom | null): void {
    this.#reader = new JournalReader(dir, from === null ? {} : { from });
  }

  /** Up to and with the record at `position`, oldest first: all that matters, and the event with the latest time; null: not gathered. */
  async upTo(position: Position): Promise<readonly Event[] | null> {
    this.#turn = this.#turn.then(() => this.#readOn(position));
    await this.#turn;
    const events = this.#events;
    const latest = this.#latest;
    if (events === null || latest === null || events.includes(latest)) return events;
    return [...events.filter(({ seq }) => seq <= latest.seq), latest, ...events.filter(({ seq }) => seq > latest.seq)];
  }

  /** Everything has started. */
  forget(): void {
    this.#events = null;
    this.#latest = null;
    this.#using.clear();
    this.#turn = this.#turn.then(() => this.#reader?.[Symbol.asyncDispose]()).then(() => void (this.#reader = null));
    this.#turn.catch(() => {}); // a file that could not be closed harms nobody
  }

  async #readOn(position: Position): Promise<void> {
    if (this.#reader === null || this.#events === null) return;
    for await (const event of this.#reader.read(position)) this.see(event);
  }

  #matters(event: Event): boolean {
    const { type } = event;
    if (type === 'approval.consumed' && event.statement_id !== undefined) this.#using.add(event.statement_id);
    if (type.startsWith('statement.')) return event.statement_id !== undefined && this.#using.has(event.statement_id);
    return !type.startsWith('session.') && type !== 'checkpoint.signed';
  }
}
