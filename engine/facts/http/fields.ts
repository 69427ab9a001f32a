/** `name=value&name=value`, as queries and forms have it: https://url.spec.whatwg.org/#application/x-www-form-urlencoded */
import { HTTP_FACTS_LIMITS } from './limits.ts';
import { Trouble } from './trouble.ts';

/** Name → values, in order. */
export type Fields = Record<string, string[]>;

/** Names by which frameworks take the method from elsewhere (H3). */
const OVERRIDES: ReadonlySet<string> = new Set(['_method', '$method', '$httpmethod', 'x-http-method-override', 'x-http-method', 'x-method-override']);
/** Names that change objects instead of standing in them. */
const RESERVED: ReadonlySet<string> = new Set(['__proto__']);

export function readFields(text: string, where: string): Fields | Trouble {
  const fields: Fields = {};
  if (text === '') return fields;
  // some servers split here too: what would be read is not one thing
  if (text.includes(';')) return new Trouble('syntax', `${where} holds a bare semicolon, which some servers take for a separator`);
  const pairs = text.split('&');
  if (pairs.length > HTTP_FACTS_LIMITS.parameters) return new Trouble('budget', `${where} has ${pairs.length} parameters`);
  for (const pair of pairs) {
    if (pair === '') continue;
    const at = pair.indexOf('=');
    const name = decoded(at < 0 ? pair : pair.slice(0, at));
    const value = at < 0 ? '' : decoded(pair.slice(at + 1));
    if (name === null || value === null) return new Trouble('encoding', `${where} is not UTF-8, percent-encoded once, or holds NUL`);
    const trouble = nameTrouble(name, where);
    if (trouble !== null) return trouble;
    if (Object.hasOwn(fields, name)) fields[name]?.push(value);
    else fields[name] = [value];
  }
  return fields;
}

/**
 * null: a name that means nothing but itself. What frameworks make of a name counts, too: `user[x]` and `user.x` as steps, and PHP's `.method`,
 * ` _method` and `[method` as `_method`.
 */
export function nameTrouble(name: string, where: string): Trouble | null {
  if (/^\s|\p{Cc}/u.test(name)) return new Trouble('syntax', `${where} holds a name that begins with a blank, or with a control character in it`);
  const [first = '', ...steps] = name.split(/[[\].]+/);
  const asked = [name, first, first === '' ? `_${steps[0] ?? ''}` : name.replace(/[ .[]/g, '_')].find((one) => OVERRIDES.has(one.toLowerCase()));
  if (asked !== undefined) return new Trouble('unsupported', `${where} asks for another method (${name})`);
  return [first, ...steps].some(isReserved) ? new Trouble('unsupported', `${where} holds the name ${name}`) : null;
}

export function isReserved(name: string): boolean {
  return RESERVED.has(name);
}

/** As servers compare that do not regard case: `\u017f` is an s to them, and the Kelvin sign a k. */
export function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}

function decoded(text: string): string | null {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    const value = decodeURIComponent(spaced);
    return value.includes('\0') ? null : value;
  } catch {
    return null;
  }
}
