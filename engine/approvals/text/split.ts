/** Where the statements of a text begin, for a reader who has no facts of it: at semicolons, as psql sees them. */
import { LEXED, type Lexed } from './lexer.ts';

export interface Slice {
  /** Bytes. All slices together are the whole text: what stands between two statements belongs to the later one. */
  readonly start: number;
  readonly end: number;
  /** `DELETE`, `CREATE TABLE`, `WITH … DELETE` */
  readonly kind: string;
}

/**
 * A semicolon inside parentheses (rules) or between BEGIN ATOMIC and its END (bodies of functions) ends no statement. `spans`: where the parser
 * found statements; then they count, and this reading only names their kinds.
 */
export function slices(
  text: Uint8Array,
  lexed: Lexed,
  spans: readonly { readonly start: number; readonly kind?: string }[] | null,
): readonly Slice[] {
  const reader = new Reader(text, lexed);
  const found = reader.read(spans === null ? null : spans.map(({ start }) => start));
  return found.map((slice, index) => ({ ...slice, kind: spans?.[index]?.kind ?? slice.kind }));
}

const WORDS_LOOKED_AT = 400;

class Reader {
  readonly #text: Buffer;
  readonly #lexed: Lexed;
  #depth = 0;
  /** Between BEGIN ATOMIC and its END. */
  #inBody = false;
  /** Open CASE in it. */
  #cases = 0;
  #before = '';
  #words: string[] = [];

  constructor(text: Uint8Array, lexed: Lexed) {
    this.#text = Buffer.from(text.buffer, text.byteOffset, text.length);
    this.#lexed = lexed;
  }

  read(starts: readonly number[] | null): readonly Slice[] {
    const { kinds, ends, count } = this.#lexed;
    const found: Slice[] = [];
    let start = 0;
    let sees = false;
    const cut = (end: number): void => {
      found.push({ start, end, kind: kindOf(this.#words) });
      start = end;
      sees = false;
      this.#begin();
    };
    let next = 1;
    for (let index = 0, at = 0; index < count; index += 1) {
      const end = ends[index] as number;
      const kind = kinds[index] as number;
      if (starts !== null && next < starts.length && at >= (starts[next] as number)) {
        cut(at);
        next += 1;
      }
      if (kind !== LEXED.space && kind !== LEXED.comment) {
        const isEnd = this.#see(kind, at, end);
        if (starts === null && isEnd && sees) cut(end);
        else if (!isEnd) sees = true;
      }
      at = end;
    }
    // blanks, comments and semicolons behind the last one belong to it
    if (sees || found.length === 0) cut(this.#text.length);
    else found[found.length - 1] = { ...(found.at(-1) as Slice), end: this.#text.length };
    return found;
  }

  #begin(): void {
    this.#depth = 0;
    this.#inBody = false;
    this.#cases = 0;
    this.#before = '';
    this.#words = [];
  }

  /** Whether it ends the statement. */
  #see(kind: number, at: number, end: number): boolean {
    if (kind === LEXED.mark) {
      const mark = this.#text[at];
      if (mark === 40) this.#depth += 1;
      else if (mark === 41) this.#depth = Math.max(0, this.#depth - 1);
      if (this.#depth <= 1 && this.#words.length < WORDS_LOOKED_AT) this.#words.push(String.fromCharCode(mark ?? 0));
      if (mark !== 59 || this.#depth > 0) return false;
      this.#cases = 0; // one that is still open was a name: `select 1 case;`
      return !this.#inBody;
    }
    if (kind !== LEXED.word) {
      this.#before = '';
      return false;
    }
    const word = end - at > 24 ? '' : this.#text.toString('latin1', at, end).toLowerCase();
    if (this.#depth === 0 && this.#words.length < WORDS_LOOKED_AT) this.#words.push(word);
    if (this.#depth === 0) this.#body(word);
    this.#before = word;
    return false;
  }

  /** Only functions have one: elsewhere `begin atomic` is a column and its label. */
  #body(word: string): void {
    if (word === 'atomic' && this.#before === 'begin')
      this.#inBody ||= /^create (?:or replace )?(?:function|procedure) /.test(this.#words.slice(0, 5).join(' '));
    else if (this.#inBody && word === 'case') this.#cases += 1;
    else if (this.#inBody && word === 'end' && this.#cases > 0) this.#cases -= 1;
    else if (word === 'end') this.#inBody = false;
  }
}

const TWO_WORDS = new Set(['create', 'alter', 'drop', 'comment', 'security', 'refresh', 'import', 'lock', 'start', 'prepare', 'rollback', 'commit']);
const FILLERS = new Set(['or', 'replace', 'temp', 'temporary', 'unlogged', 'global', 'local', 'unique', 'recursive', 'trusted', 'procedural', 'on']);
const VERBS = new Set(['select', 'insert', 'update', 'delete', 'merge', 'values', 'table']);

function kindOf(words: readonly string[]): string {
  const plain = words.filter((word) => /^[a-z]/.test(word));
  const [first = ''] = plain;
  if (first === '') return words.includes('(') ? 'SELECT' : 'EMPTY';
  if (first === 'with') {
    const verb = plain.find((word, index) => index > 0 && VERBS.has(word));
    return verb === undefined ? 'WITH' : `WITH … ${verb.toUpperCase()}`;
  }
  if (!TWO_WORDS.has(first)) return first.toUpperCase();
  const second = plain.slice(1).find((word) => !FILLERS.has(word));
  const rest = second === 'materialized' || second === 'foreign' || second === 'event' ? plain[plain.indexOf(second) + 1] : undefined;
  return [first, second, rest]
    .filter((word) => word !== undefined && word !== '')
    .join(' ')
    .toUpperCase();
}
