/** `2026-11-23T10:00:00.000000Z` → microseconds since the epoch; remembers the last minute, so that most cost no Date. */
export class TimestampReader {
  #minute = '';
  #minuteUs = 0;

  microseconds(timestamp: string): number {
    const minute = timestamp.slice(0, 17);
    if (minute !== this.#minute) {
      this.#minuteUs = Date.parse(`${minute}00Z`) * 1000;
      this.#minute = minute;
    }
    const us = this.#minuteUs + Math.round(Number(timestamp.slice(17, -1)) * 1_000_000);
    if (timestamp.length !== 27 || !Number.isSafeInteger(us)) throw new Error(`not a timestamp: ${timestamp}`);
    return us;
  }
}
