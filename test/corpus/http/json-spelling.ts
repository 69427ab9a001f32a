/** The same JSON in another spelling: blanks, escapes, and the order of members. */
import type { Random } from '#test/support/random';

export function respelled(text: string, random: Random): string | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null; // not JSON: nothing to spell anew
  }
  if (/\d{16}/.test(text) || hasTwice(text)) return null; // it would not be the same afterwards
  return spell(value, random);
}

/** A member that stands there twice is what such a case is about. */
function hasTwice(text: string): boolean {
  const names = [...text.matchAll(/"((?:[^"\\]|\\.)*)"\s*:/g)].map(([, name]) => name);
  return new Set(names).size !== names.length;
}

function spell(value: unknown, random: Random): string {
  const blank = (): string => random.pick(['', '', ' ', '\n', '\t', '\r\n  ']);
  if (typeof value === 'string') return escaped(value, random);
  if (Array.isArray(value)) return `[${blank()}${value.map((one) => spell(one, random)).join(`${blank()},${blank()}`)}${blank()}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).toSorted(() => random.next() - 0.5);
  const spelled = members.map(([name, inner]) => `${escaped(name, random)}${blank()}:${blank()}${spell(inner, random)}`);
  return `{${blank()}${spelled.join(`${blank()},${blank()}`)}${blank()}}`;
}

function escaped(text: string, random: Random): string {
  const units = Array.from(text).map((character) => {
    if (character.length > 1 || !random.chance(0.2)) return JSON.stringify(character).slice(1, -1);
    const hex = character.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${random.chance(0.5) ? hex : hex.toUpperCase()}`;
  });
  return `"${units.join('')}"`;
}
