/**
 * JSON (RFC 8259) as every decoder reads it, or not at all (SECURITY H5): no member twice, no BOM, nothing behind the value, no lone surrogate.
 * A number that a decoder may round stands as the text it was written as: policy that compares it as a number does not let it pass.
 */
import { folded, isReserved } from './fields.ts';
import { HTTP_FACTS_LIMITS } from './limits.ts';
import { Trouble } from './trouble.ts';

export interface JsonDocument {
  readonly value: unknown;
  /** Every member's name at every depth, folded, once each. */
  readonly keys: ReadonlySet<string>;
}

/** `keys`: where several documents are one body, the same set for all of them. */
export function readJson(text: string, keys: Set<string> = new Set()): JsonDocument | Trouble {
  try {
    return { value: new JsonReader(text, keys).document(), keys };
  } catch (error) {
    if (error instanceof Stop) return error.trouble;
    throw error;
  }
}

class Stop extends Error {
  readonly trouble: Trouble;
  constructor(trouble: Trouble) {
    super(trouble.detail);
    this.trouble = trouble;
  }
}

const QUOTE = 34;
const BACKSLASH = 92;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
/** Decimal digits that every binary64 number keeps. */
const DIGITS_KEPT = 15;

class JsonReader {
  readonly #text: string;
  readonly #keys: Set<string>;
  #at = 0;
  #values = 0;

  constructor(text: string, keys: Set<string>) {
    this.#text = text;
    this.#keys = keys;
  }

  document(): unknown {
    this.#blanks();
    const value = this.#value(0);
    this.#blanks();
    if (this.#at < this.#text.length) throw this.#wrong('something stands behind the document');
    return value;
  }

  #value(depth: number): unknown {
    if (depth > HTTP_FACTS_LIMITS.jsonDepth) throw new Stop(new Trouble('budget', `JSON nested deeper than ${HTTP_FACTS_LIMITS.jsonDepth}`));
    if (++this.#values > HTTP_FACTS_LIMITS.jsonValues)
      throw new Stop(new Trouble('budget', `JSON of more than ${HTTP_FACTS_LIMITS.jsonValues} values`));
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth);
      case '[':
        return this.#array(depth);
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case 'n':
        return this.#word('null', null);
      default:
        return this.#number();
    }
  }

  #object(depth: number): Record<string, unknown> {
    const members: Record<string, unknown> = {};
    this.#at++;
    this.#blanks();
    if (this.#take('}')) return members;
    for (;;) {
      if (this.#text[this.#at] !== '"') throw this.#wrong('a member’s name is missing');
      const name = this.#string();
      if (Object.hasOwn(members, name)) throw this.#wrong(`the member ${JSON.stringify(name.slice(0, 64))} stands there twice`);
      if (isReserved(name)) throw new Stop(new Trouble('unsupported', `JSON holds the member ${name}`));
      this.#keys.add(folded(name));
      this.#blanks();
      if (!this.#take(':')) throw this.#wrong('a colon is missing');
      this.#blanks();
      members[name] = this.#value(depth + 1);
      this.#blanks();
      if (this.#take('}')) return members;
      if (!this.#take(',')) throw this.#wrong('a comma or brace is missing');
      this.#blanks();
    }
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.#at++;
    this.#blanks();
    if (this.#take(']')) return items;
    for (;;) {
      items.push(this.#value(depth + 1));
      this.#blanks();
      if (this.#take(']')) return items;
      if (!this.#take(',')) throw this.#wrong('a comma or bracket is missing');
      this.#blanks();
    }
  }

  #string(): string {
    const text = this.#text;
    let start = ++this.#at;
    let built = '';
    for (;;) {
      const code = text.charCodeAt(this.#at);
      if (code === QUOTE) break;
      // NaN behind the end
      if (!(code >= 32)) throw this.#wrong('a string does not end, or holds a control character');
      if (code !== BACKSLASH) this.#at++;
      else {
        built += text.slice(start, this.#at) + this.#escape();
        start = this.#at;
      }
    }
    const whole = built + text.slice(start, this.#at++);
    // whoever keeps texts as C does ends them there
    if (whole.includes('\0')) throw new Stop(new Trouble('encoding', 'JSON holds NUL'));
    if (!whole.isWellFormed()) throw new Stop(new Trouble('encoding', 'JSON holds half of a surrogate pair'));
    return whole;
  }

  /** Behind a backslash; leaves `#at` behind the escape. */
  #escape(): string {
    const letter = this.#text[this.#at + 1] ?? '';
    if (letter === 'u') {
      const digits = this.#text.slice(this.#at + 2, this.#at + 6);
      if (!/^[0-9A-Fa-f]{4}$/.test(digits)) throw this.#wrong('an escape is not one of JSON');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    if (!Object.hasOwn(ESCAPES, letter)) throw this.#wrong('an escape is not one of JSON');
    this.#at += 2;
    return ESCAPES[letter] as string;
  }

  #number(): number | string {
    NUMBER.lastIndex = this.#at;
    const literal = NUMBER.exec(this.#text)?.[0];
    if (literal === undefined) throw this.#wrong('a value is missing, or is none of JSON');
    this.#at += literal.length;
    return exact(literal);
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#wrong('a value is missing, or is none of JSON');
    this.#at += word.length;
    return value;
  }

  #blanks(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 32 && code !== 10 && code !== 13 && code !== 9) return;
      this.#at++;
    }
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #wrong(why: string): Stop {
    return new Stop(new Trouble('syntax', `JSON: ${why} (character ${this.#at})`));
  }
}

/** What every decoder makes the same number of; otherwise its text. */
function exact(literal: string): number | string {
  const value = Number(literal);
  if (!Number.isFinite(value)) return literal;
  // what a number is written as, it is read as
  if (String(value) === literal && !(Number.isInteger(value) && !Number.isSafeInteger(value))) return value;
  if (Number.isInteger(value)) return Number.isSafeInteger(value) && (literal.length <= DIGITS_KEPT || isWhole(literal, value)) ? value : literal;
  const digits = literal
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '');
  return digits.length <= DIGITS_KEPT ? value : literal;
}

function isWhole(literal: string, value: number): boolean {
  return /^-?[0-9]+$/.test(literal) && BigInt(literal) === BigInt(value);
}
