import { hash } from 'node:crypto';

/** JSON with sorted keys: two values are equal when these texts are (RFC 8785 where it matters: members, strings, booleans, numbers as JavaScript writes them). */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).filter(([, item]) => item !== undefined);
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}

export function digestOf(value: unknown): string {
  return hash('sha256', canonical(value), 'base64');
}
