/** Settings that decide whether our parser reads what the server reads: the gateway sets them, and they stay (P15, P16). */
import type { SessionEffect } from '#schemas/sql-facts';

export const PINS = {
  client_encoding: 'UTF8',
  standard_conforming_strings: 'on',
  backslash_quote: 'safe_encoding',
  transform_null_equals: 'off',
} as const;
export type Pin = keyof typeof PINS;

/** Settings that change what names, literals and statements mean: judged, bound to approvals (A2), read again whenever a statement may have changed one. */
export const TRACKED = [
  'search_path',
  'role',
  'session_authorization',
  'row_security',
  'session_replication_role',
  'default_transaction_read_only',
  'datestyle',
  'intervalstyle',
  'timezone',
] as const;

/** Other spellings of the pinned values that the server reads as the same. */
const SAME: Readonly<Record<Pin, ReadonlySet<string>>> = {
  client_encoding: new Set(['utf8', 'unicode']),
  standard_conforming_strings: new Set(['on', 'true', 'yes', '1', 'tru', 'tr', 't', 'ye', 'y']),
  backslash_quote: new Set(['safe_encoding']),
  transform_null_equals: new Set(['off', 'false', 'no', '0', 'fals', 'fal', 'fa', 'f', 'n', 'of']),
};

export function isPinned(name: string): name is Pin {
  return Object.hasOwn(PINS, name.toLowerCase());
}

/** Whether the server reads `value` as the pinned one. */
export function isPinnedValue(name: Pin, value: string): boolean {
  const pin = name.toLowerCase() as Pin;
  const plain = value.toLowerCase();
  return SAME[pin].has(pin === 'client_encoding' ? plain.replace(/[^a-z0-9]/g, '') : plain);
}

/** What a statement would do to a pin, as the refusal says it; null: nothing. */
export function pinTrouble(effects: readonly SessionEffect[]): string | null {
  for (const effect of effects) {
    if (effect.op !== 'set' || !isPinned(effect.name)) continue;
    if (effect.value === null || !isPinnedValue(effect.name, effect.value)) {
      return `${effect.name} is pinned to ${PINS[effect.name.toLowerCase() as Pin]} by the gateway`;
    }
  }
  return null;
}
