import { boundedMemo } from '#client/bounded-memo';

const KNOWN_MAX = 1_000;

/** A name of the IANA data base, as this Node knows it. */
export const isTimeZone: (name: string) => boolean = boundedMemo(KNOWN_MAX, tried);

function tried(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false; // a RangeError: the name is unknown, and whoever asks refuses
  }
}
