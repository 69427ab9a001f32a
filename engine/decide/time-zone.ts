const KNOWN_MAX = 1_000;
const known = new Map<string, boolean>();

/** A name of the IANA data base, as this Node knows it. */
export function isTimeZone(name: string): boolean {
  const before = known.get(name);
  if (before !== undefined) return before;
  if (known.size >= KNOWN_MAX) known.clear();
  const valid = tried(name);
  known.set(name, valid);
  return valid;
}

function tried(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false; // a RangeError: the name is unknown, and whoever asks refuses
  }
}
