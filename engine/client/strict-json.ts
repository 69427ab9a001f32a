/**
 * JSON without its ambiguities (H5, SECURITY §1.9): one value, well-formed UTF-8, no byte order mark, no key twice, a bounded depth; for whatever is
 * judged also no key twice but for its case, and no number that this process would write differently. Total: it never throws. (Bodies of HTTP, whose
 * bytes go on as they are, have a reader of their own: there such numbers are texts to policy. engine/facts/http/json.ts)
 */
export interface JsonBounds {
  readonly depthMax: number;
  readonly valuesMax: number;
  /** `same`: keys that differ in case alone are two keys, and none is refused by its name; what only we read. Default: `folded`. */
  readonly keys?: 'folded' | 'same';
  /** `exact`: none whose digits are lost. `whole`: none that is another whole number. Default: `exact`. */
  readonly numbers?: 'exact' | 'whole' | 'any';
  /** `refused`: half of a surrogate pair, which others replace, drop or stop at. Default: `kept`. */
  readonly halves?: 'kept' | 'refused';
}

export type StrictJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly code: 'encoding' | 'syntax' | 'budget'; readonly detail: string };

export const JSON_BOUNDS: JsonBounds = { depthMax: 64, valuesMax: 100_000 };

export function parseStrictJson(bytes: Uint8Array, bounds: JsonBounds = JSON_BOUNDS): StrictJson {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return no('encoding', 'not well-formed UTF-8');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return no('syntax', 'not JSON');
  }
  return ambiguity(text, bounds) ?? { ok: true, value };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function no(code: 'encoding' | 'syntax' | 'budget', detail: string): StrictJson & { ok: false } {
  return { ok: false, code, detail };
}

const C = { quote: 34, backslash: 92, comma: 44, minus: 45, zero: 48, nine: 57, colon: 58, open: 91, close: 93, brace: 123, end: 125 } as const;

/** The text is known to be JSON: strings, numbers and brackets are all that has to be told apart. */
function ambiguity(
  text: string,
  { depthMax, valuesMax, keys: told = 'folded', numbers = 'exact', halves = 'kept' }: JsonBounds,
): (StrictJson & { ok: false }) | null {
  /** Of each open object its keys as they stand and in lower case; null: an array. */
  const open: (Set<string> | null)[] = [];
  let values = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === C.quote) {
      const end = endOfString(text, at);
      const keys = open.at(-1);
      if (halves === 'refused' && isHalf(text.slice(at, end))) return no('encoding', 'half of a surrogate pair');
      if (keys && isKey(text, end)) {
        const wrong = remember(keys, text.slice(at, end), told === 'folded');
        if (wrong !== null) return no('syntax', wrong);
      }
      values++;
      at = end;
    } else if (code === C.brace || code === C.open) {
      open.push(code === C.brace ? new Set() : null);
      if (open.length > depthMax) return no('budget', `nested deeper than ${depthMax}`);
      values++;
      at++;
    } else if (code === C.end || code === C.close) {
      open.pop();
      at++;
    } else if (code === C.minus || (code >= C.zero && code <= C.nine)) {
      const end = endOfNumber(text, at);
      const token = text.slice(at, end);
      if (!KEPT[numbers](token)) return no('syntax', 'a number that JavaScript cannot hold exactly');
      values++;
      at = end;
    } else at++;
    if (values > valuesMax) return no('budget', `more than ${valuesMax} values`);
  }
  return null;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text.charCodeAt(at) !== C.quote) at += text.charCodeAt(at) === C.backslash ? 2 : 1;
  return at + 1;
}

/** Well-formed UTF-8 has none but as an escape. */
function isHalf(quoted: string): boolean {
  return /\\ud[89a-f]/i.test(quoted) && !(JSON.parse(quoted) as string).isWellFormed();
}

function isKey(text: string, from: number): boolean {
  let at = from;
  while (at < text.length && text.charCodeAt(at) <= 32) at++;
  return text.charCodeAt(at) === C.colon;
}

function remember(keys: Set<string>, quoted: string, isFolded: boolean): string | null {
  const key = quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
  if (keys.has(key)) return 'a key twice in one object';
  if (!isFolded) {
    keys.add(key);
    return null;
  }
  if (key === '__proto__') return 'the key __proto__';
  const folded = `\0${key.toLowerCase()}`;
  // some servers match keys without regard to case, and then the last one counts
  if (keys.has(folded)) return 'two keys in one object that differ in case alone';
  keys.add(key).add(folded);
  return null;
}

function endOfNumber(text: string, start: number): number {
  NUMBER.lastIndex = start;
  NUMBER.exec(text);
  return NUMBER.lastIndex;
}

const NUMBER = /-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const DIGITS_MAX = 15;

/** Whether what is written again means the same to whoever reads decimals exactly. */
function survives(token: string): boolean {
  const digits = token
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '');
  const value = Number(token);
  if (!Number.isFinite(value)) return false;
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return false;
  if (value === 0) return digits === '';
  return digits.length <= DIGITS_MAX || (Number.isInteger(value) && /^-?[0-9]+$/.test(token)) || String(value) === token;
}

/** A fraction may lose digits that nobody counts on; a whole number that becomes its neighbour is another one. */
function isItself(token: string): boolean {
  const value = Number(token);
  return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
}

const KEPT = { exact: survives, whole: isItself, any: () => true } as const;
