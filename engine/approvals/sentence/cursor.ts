/** Reading the words of a statement one after the other. What is not followed is never guessed: the sentence then quotes the text. */
import { LEXED } from '../text/lexer.ts';
import { code, type Word, type Writing } from './words.ts';

/** This reading does not follow the statement. */
export class NotFollowed extends Error {}

export class Cursor {
  readonly #words: readonly Word[];
  readonly #writing: Writing;
  readonly #end: number;
  #at: number;

  constructor(words: readonly Word[], writing: Writing, from = 0, end: number = words.length) {
    this.#words = words;
    this.#writing = writing;
    this.#at = from;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  get writing(): Writing {
    return this.#writing;
  }

  get rest(): readonly Word[] {
    return this.#words.slice(this.#at, this.#end);
  }

  /** Whether these keywords come next. */
  sees(...keywords: readonly string[]): boolean {
    return keywords.every((keyword, index) => this.#is(this.#at + index, keyword));
  }

  /** Takes them if they come next. */
  takes(...keywords: readonly string[]): boolean {
    if (!this.sees(...keywords)) return false;
    this.#at += keywords.length;
    return true;
  }

  /** The one of them that comes next, taken. */
  takesOne(...keywords: readonly string[]): string | null {
    return keywords.find((keyword) => this.takes(keyword)) ?? null;
  }

  needs(...keywords: readonly string[]): void {
    if (!this.takes(...keywords)) throw new NotFollowed(`${keywords.join(' ')} expected`);
  }

  /** Any one word. */
  next(): Word {
    const word = this.done ? undefined : this.#words[this.#at];
    if (word === undefined) throw new NotFollowed('more expected');
    this.#at += 1;
    return word;
  }

  /** `a`, `"A b"`: as PostgreSQL reads it. */
  name(): string {
    const { kind, text } = this.next();
    if (kind === LEXED.word) return text;
    if (kind === LEXED.quoted && text.startsWith('"')) return text.slice(1, -1).replaceAll('""', '"');
    throw new NotFollowed('a name expected');
  }

  /** `db.schema.name` */
  path(): readonly string[] {
    const parts = [this.name()];
    while (this.takes('.')) parts.push(this.name());
    if (parts.length > 3) throw new NotFollowed('a name of at most three parts expected');
    return parts;
  }

  /** Up to one of these keywords outside parentheses, or to the end. */
  until(...keywords: readonly (string | readonly string[])[]): readonly Word[] {
    const from = this.#at;
    const phrases = keywords.map((keyword) => (typeof keyword === 'string' ? [keyword] : keyword));
    let depth = 0;
    let cases = 0;
    for (; this.#at < this.#end; this.#at += 1) {
      const { kind, text } = this.#words[this.#at] as Word;
      if (depth === 0 && cases === 0 && phrases.some((phrase) => this.sees(...phrase)) && !this.#isOperand(this.#at)) break;
      if (kind === LEXED.mark) depth += text === '(' || text === '[' ? 1 : text === ')' || text === ']' ? -1 : 0;
      else if (kind === LEXED.word && depth === 0) cases = Math.max(0, cases + (text === 'case' ? 1 : text === 'end' ? -1 : 0));
      if (depth < 0) throw new NotFollowed('parentheses that do not match');
    }
    if (depth !== 0) throw new NotFollowed('parentheses that do not match');
    return this.#words.slice(from, this.#at);
  }

  /** What stands in the parentheses that come next. */
  inside(): readonly Word[] {
    this.needs('(');
    const from = this.#at;
    for (let depth = 1; this.#at < this.#end; this.#at += 1) {
      const { kind, text } = this.#words[this.#at] as Word;
      if (kind === LEXED.mark) depth += text === '(' ? 1 : text === ')' ? -1 : 0;
      if (depth === 0) {
        this.#at += 1;
        return this.#words.slice(from, this.#at - 1);
      }
    }
    throw new NotFollowed('parentheses that do not match');
  }

  of(words: readonly Word[]): Cursor {
    return new Cursor(words, this.#writing);
  }

  say(words: readonly Word[]): string {
    return code(words, this.#writing);
  }

  /** `IS DISTINCT FROM`, `a.limit`: no clause begins here. */
  #isOperand(at: number): boolean {
    const before = this.#words[at - 1];
    return before?.text === '.' || (this.#is(at, 'from') && this.#is(at - 1, 'distinct') && (this.#is(at - 2, 'is') || this.#is(at - 2, 'not')));
  }

  #is(at: number, keyword: string): boolean {
    const word = at < this.#end && at >= 0 ? this.#words[at] : undefined;
    return word !== undefined && word.text === keyword && word.kind !== LEXED.quoted && word.kind !== LEXED.string;
  }
}

/** At commas outside parentheses. */
export function parted(words: readonly Word[], mark = ','): readonly (readonly Word[])[] {
  const parts: Word[][] = [[]];
  let depth = 0;
  for (const word of words) {
    if (word.kind === LEXED.mark) depth += word.text === '(' || word.text === '[' ? 1 : word.text === ')' || word.text === ']' ? -1 : 0;
    if (depth === 0 && word.text === mark && (word.kind === LEXED.mark || word.kind === LEXED.word)) parts.push([]);
    else parts.at(-1)?.push(word);
  }
  return parts;
}
