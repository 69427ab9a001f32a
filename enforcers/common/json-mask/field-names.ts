/**
 * The names of masked fields in texts: a text may say what its own field is not masked for (`{'ssn': …}`, `ssn=…`, `<ssn>…`, a table with such a
 * head), or only mention the name. What says more than the name is told from that by what stands behind it, so other ways to put it remain.
 */
import { foldName } from './mask-path.ts';

export class FieldNames {
  readonly #names: ReadonlySet<string>;
  /** In bytes, read as one character each. */
  readonly #hit: RegExp;
  readonly #mention: RegExp;
  readonly #said: RegExp;
  readonly #whole: RegExp;

  /** `names`: folded, at least one. */
  constructor(names: readonly string[]) {
    this.#names = new Set(names);
    const any = names
      .toSorted((a, b) => b.length - a.length)
      .map((name) => name.replaceAll(/[$()*+./?[\\\]^{|}]/g, '\\$&'))
      .join('|');
    this.#hit = new RegExp(any, 'gi');
    this.#mention = new RegExp(any, 'u');
    const name = `(?<![\\p{L}\\p{N}_])(?:${any})(?![\\p{L}\\p{N}_])`;
    this.#said = new RegExp(`<(?:[\\w.-]{1,64}:)?(?:${any})[\\s/>]|${name}(?:${ASSIGNED}|${DIGITS})`, 'u');
    this.#whole = new RegExp(`(?:^|[/.$'"[\\]])(?:${any})['"\\]]{0,2}$`, 'u');
  }

  /** Behind the name that stands next, whatever is around it; Infinity: none does. */
  next(bytes: string, from: number): number {
    this.#hit.lastIndex = from;
    return this.#hit.test(bytes) ? this.#hit.lastIndex : Number.POSITIVE_INFINITY;
  }

  /** The text is a name and nothing more, or a path that ends with one. */
  isOne(text: string): boolean {
    return text.length <= NAME_MAX && this.#whole.test(foldName(text));
  }

  /** The text says what the value of such a field is. */
  saidIn(text: string): boolean {
    const folded = foldName(text);
    if (this.#says(folded)) return true;
    if (!CODES.test(folded)) return false;
    const plain = folded.replaceAll(CODED, decoded);
    return plain !== folded && this.#says(plain);
  }

  #says(text: string): boolean {
    return this.#mention.test(text) && (this.#said.test(text) || this.#heads(text));
  }

  /** A line of names with lines of as many values below. */
  #heads(text: string): boolean {
    const lines = text.split(/\r\n|\n|\r/, LINES_READ).filter((line) => line.trim() !== '');
    return lines.some((line, at) => {
      const below = lines.slice(at + 1).filter((one) => !/^[\s|:+-]+$/.test(one));
      return below.length > 0 && DELIMITERS.some((delimiter) => this.#isHead(line, delimiter, below));
    });
  }

  #isHead(line: string, delimiter: string, below: readonly string[]): boolean {
    const cells = line.split(delimiter);
    if (!cells.some((cell) => this.#names.has(cell.replaceAll(/["']/g, '').trim()))) return false;
    return cells.length === 1 || below.some((one) => one.split(delimiter).length === cells.length);
  }
}

/** `"ssn": …`, `(ssn)=(…`, `ssn => …`: behind quotes and brackets a sign, and something behind that. */
const ASSIGNED = '["\'`\\])}]{0,4}\\s{0,4}(?:=>|[:=>])\\s*\\S';
/** `ssn 123-45-6789`, `ssn is 123…`: four digits or more. */
const DIGITS = '[^\\p{L}\\p{N}]{0,8}(?:(?:is|was|no|nr|number)[^\\p{L}\\p{N}]{1,4})?(?:\\p{N}[^\\p{L}\\p{N}]{0,2}){4}';
const DELIMITERS = [',', ';', '\t', '|'];
const LINES_READ = 64;
const NAME_MAX = 256;

/** What other notations make of quotes, signs and letters. */
const CODED = /\\u[0-9a-f]{4}|\\x[0-9a-f]{2}|\\"|%[0-9a-f]{2}|&(?:quot|apos|lt|gt|equals|colon|#\d{1,3}|#x[0-9a-f]{1,2});/g;
/** What each of them starts with: most texts have none. */
const CODES = /[\\%&]/;
const ENTITIES: Readonly<Record<string, string>> = { quot: '"', apos: "'", lt: '<', gt: '>', equals: '=', colon: ':' };

function decoded(coded: string): string {
  if (coded === '\\"') return '"';
  if (coded.startsWith('&#x')) return character(coded.slice(3, -1), 16);
  if (coded.startsWith('&#')) return character(coded.slice(2, -1), 10);
  if (coded.startsWith('&')) return ENTITIES[coded.slice(1, -1)] ?? coded;
  return character(coded.slice(coded.startsWith('%') ? 1 : 2), 16);
}

const character = (digits: string, base: number): string => String.fromCharCode(Number.parseInt(digits, base)).toLowerCase();
