/** Times of day in the time zones of the IANA data base, as this Node knows them. */
import ical from 'ical.js';

type Time = InstanceType<typeof ical.Time>;

/** A zone by its name, whatever a calendar says about it itself. */
export class NamedZone extends ical.Timezone {
  readonly #offsets: Intl.DateTimeFormat;

  /** @throws RangeError for a name that is none */
  constructor(name: string) {
    super({ tzid: name });
    this.#offsets = new Intl.DateTimeFormat('en', { timeZone: name, timeZoneName: 'longOffset' });
  }

  /**
   * Seconds east of UTC at this time of day. One that does not exist (the clock is put forward) counts as before the change, one that exists twice
   * as the first (RFC 5545 §3.3.5).
   */
  override utcOffset({ year, month, day, hour, minute, second }: Time): number {
    const localMs = Date.UTC(year, month - 1, day, hour, minute, second);
    const [before, after] = [this.#offsetAt(localMs - DAY_MS), this.#offsetAt(localMs + DAY_MS)];
    const fits = [before, after].filter((offset) => this.#offsetAt(localMs - offset * 1000) === offset);
    return fits.length === 0 ? before : Math.max(...fits);
  }

  #offsetAt(utcMs: number): number {
    const text = this.#offsets.format(utcMs);
    const [, sign, hours = '0', minutes = '0', seconds = '0'] = /GMT([+-])(\d{2}):(\d{2})(?::(\d{2}))?$/.exec(text) ?? [];
    return (sign === '-' ? -1 : 1) * (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
  }
}

const DAY_MS = 86_400_000;

export function namedZone(name: string): NamedZone | null {
  try {
    return new NamedZone(name);
  } catch {
    return null; // no such name: the calendar must bring the zone itself
  }
}
