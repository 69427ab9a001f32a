/** What is wrong with the archive, told once when it is seen and once when it is mended: an event in the journal, and `open` for the health. */
import type { Journal } from '#client/journal';
import type { Log } from '#client/log';
import type { ArchiveAlarm } from '#schemas/event';
import { LIMITS } from './limits.ts';

export type AlarmCode = ArchiveAlarm['code'];

export interface Alarm {
  readonly code: AlarmCode;
  /** The stream, or the journal, that it is about. */
  readonly of: string;
  readonly detail: string;
}

export class Alarms {
  readonly #journal: Pick<Journal, 'append' | 'fault'>;
  readonly #log: Log;
  readonly #open = new Map<string, Alarm>();

  constructor(journal: Pick<Journal, 'append' | 'fault'>, log: Log) {
    this.#journal = journal;
    this.#log = log;
  }

  get open(): readonly Alarm[] {
    return [...this.#open.values()];
  }

  raise(code: AlarmCode, of: string, detail: string): void {
    const key = `${code} ${of}`;
    if (this.#open.get(key)?.detail === detail || (!this.#open.has(key) && this.#open.size >= LIMITS.alarmsMax)) return;
    this.#open.set(key, { code, of, detail });
    this.#log.error({ code, of, detail }, 'the archive is not as it must be');
    this.#record(code, of, detail, true);
  }

  /** Nothing happens where it is not open. */
  clear(code: AlarmCode, of: string, detail: string): void {
    if (!this.#open.delete(`${code} ${of}`)) return;
    this.#log.warn({ code, of, detail }, 'the archive is as it must be again');
    this.#record(code, of, detail, false);
  }

  #record(code: AlarmCode, of: string, detail: string, open: boolean): void {
    if (this.#journal.fault === null) this.#journal.append({ type: 'archive.alarm', code, open, of, detail });
  }
}
