/** One journal of those that become rows: read on from its place, one record at hand so that several can be taken in the order of their times. */
import { JournalReader, type ReadRecord } from '../reader.ts';
import { Payloads } from './payloads.ts';
import type { Source } from './rows.ts';

export class SourceReader implements Source, AsyncDisposable {
  readonly name: string;
  readonly payloads: Payloads;
  readonly #reader: JournalReader;
  /** Position of the last record that stands in the rows; -1: none. */
  position: number;
  #head: ReadRecord | null = null;

  constructor(name: string, dir: string, position: number) {
    this.name = name;
    this.position = position;
    this.payloads = new Payloads((digest) => this.#reader.payloadHere(digest));
    const kept = (frame: Parameters<Payloads['frame']>[0]): void => this.payloads.frame(frame);
    this.#reader = new JournalReader(dir, { after: position, onPayload: kept, onErased: kept });
  }

  /** The record that comes, without taking it; null: there is none (yet). */
  async peek(upTo?: number): Promise<ReadRecord | null> {
    return (this.#head ??= await this.#reader.next(upTo));
  }

  taken(): void {
    this.#head = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader[Symbol.asyncDispose]();
  }
}

/** The one whose next record is the oldest by its writer's clock; null: none has any. */
export async function oldest(sources: readonly SourceReader[], upTo: number): Promise<{ source: SourceReader; record: ReadRecord } | null> {
  let found: { source: SourceReader; record: ReadRecord; time: string } | null = null;
  for (const source of sources) {
    const record = await source.peek(source.name === '' ? upTo : undefined);
    if (record === null) continue;
    const time = record.events[0]?.time ?? '';
    if (found === null || time < found.time) found = { source, record, time };
  }
  return found;
}
