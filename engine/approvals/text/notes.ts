/** What a reader of a text could miss, gathered while it is rendered; each kind is bounded and says how much more there is. */
import { grouped, shown } from '#client/shown';

const EACH_MAX = 8;
const WORD_CHARS_MAX = 64;
/** A comment is searched this far: it is shown whole anyhow. */
const COMMENT_CHARS_MAX = 4_096;
const MISLEADING = /\b(where|limit|rollback|returning|and|or)\b(?=\s*[^\s.,;!?])/gi;

export class Notes {
  readonly #hidden = new Map<string, number>();
  readonly #words = new Map<string, string>();
  readonly #quoted = new Set<string>();
  readonly #blanks: string[] = [];
  readonly #clauses = new Set<string>();
  #hiddenCount = 0;
  #blankRuns = 0;
  #brokenBytes = 0;
  #moreWords = 0;
  #moreQuoted = 0;

  hidden(name: string, count: number): void {
    this.#hiddenCount += count;
    const alone = name.replace(/, [\d,]+ times$/, '');
    if (this.#hidden.size < EACH_MAX || this.#hidden.has(alone)) this.#hidden.set(alone, (this.#hidden.get(alone) ?? 0) + count);
  }

  broken(bytes: number): void {
    this.#brokenBytes += bytes;
  }

  blanks(said: string): void {
    this.#blankRuns += 1;
    if (this.#blanks.length < EACH_MAX && !this.#blanks.includes(said)) this.#blanks.push(said);
  }

  comment(text: string): void {
    for (const [, word = ''] of text.slice(0, COMMENT_CHARS_MAX).matchAll(MISLEADING)) {
      if (word === word.toUpperCase() || /^(?:where|limit|rollback|returning)$/i.test(word)) this.#clauses.add(word.toUpperCase());
    }
  }

  /** A quoted name may look like a part of the statement. */
  quoted(text: string): void {
    if (!/[\s'();=<>]|--|\/\*/.test(text.slice(1, -1))) return;
    if (this.#quoted.size < EACH_MAX) this.#quoted.add(text.slice(0, WORD_CHARS_MAX));
    else if (!this.#quoted.has(text.slice(0, WORD_CHARS_MAX))) this.#moreQuoted += 1;
  }

  word(word: string, points: readonly string[], mixed: boolean): void {
    const key = word.slice(0, WORD_CHARS_MAX);
    if (this.#words.has(key)) return;
    if (this.#words.size >= EACH_MAX) {
      this.#moreWords += 1;
      return;
    }
    const seen = points.slice(0, EACH_MAX).join(' ');
    this.#words.set(key, `${seen}${mixed ? ': letters of several scripts that may look alike' : ''}`);
  }

  said(): readonly string[] {
    return [...this.#hiddenSaid(), ...this.#blanksSaid(), ...this.#commentsSaid(), ...this.#namesSaid()];
  }

  #hiddenSaid(): readonly string[] {
    const broken = this.#brokenBytes === 0 ? [] : [`${counted(this.#brokenBytes, 'byte')} not UTF-8`];
    if (this.#hiddenCount === 0) return broken;
    const names = [...this.#hidden].map(([name, count]) => (count === 1 ? name : `${name} (${grouped(count)} times)`));
    return [`${counted(this.#hiddenCount, 'hidden character')}: ${names.join(', ')}`, ...broken];
  }

  #blanksSaid(): readonly string[] {
    if (this.#blanks.length === 0) return [];
    const more = this.#blankRuns - this.#blanks.length;
    return [`long runs of blanks: ${this.#blanks.join('; ')}${more > 0 ? ` and ${grouped(more)} more` : ''}`];
  }

  #commentsSaid(): readonly string[] {
    if (this.#clauses.size === 0) return [];
    const words = [...this.#clauses].toSorted((a, b) => (a < b ? -1 : 1)).join(', ');
    return [`a comment holds ${words}: what stands in a comment has no effect`];
  }

  #namesSaid(): readonly string[] {
    return [
      ...[...this.#words].map(([word, points]) => `\`${shown(word)}\` has ${points}`),
      ...(this.#moreWords === 0 ? [] : [`and ${grouped(this.#moreWords)} more words with letters outside ASCII`]),
      ...[...this.#quoted].map((name) => `${shown(name)} is a name`),
      ...(this.#moreQuoted === 0 ? [] : [`and ${grouped(this.#moreQuoted)} more quoted names with blanks or marks in them`]),
    ];
  }
}

function counted(count: number, thing: string): string {
  return `${grouped(count)} ${thing}${count === 1 ? '' : 's'}`;
}
