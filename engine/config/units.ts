const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** `5m` → 300000. The caller has checked the form. */
export function durationMs(text: string): number {
  return quantity(text, MS);
}

/** `64MiB` → 67108864. The caller has checked the form. */
export function sizeBytes(text: string): number {
  return quantity(text, BYTES);
}

function quantity(text: string, units: Readonly<Record<string, number>>): number {
  const [, digits, unit] = /^([0-9]{1,9})([A-Za-z]+)$/.exec(text) ?? [];
  const factor = unit === undefined ? undefined : units[unit];
  if (digits === undefined || factor === undefined) throw new RangeError(`not a quantity: ${text}`);
  return Number(digits) * factor;
}
