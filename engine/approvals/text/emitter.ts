/** Pieces of the text → tokens to show. Every byte given is in exactly one of them: as it is, by its name, or in a count. */
import { characterName, grouped, mixesScripts, pieces } from '#client/shown';
import type { ReviewToken } from '#schemas/review';
import { decoded } from './decoded.ts';
import type { Notes } from './notes.ts';

type Kind = ReviewToken['kind'];

/** More tokens are not made: what follows is joined, with its marks in brackets. */
const TOKENS_MAX = 20_000;
const SPACES_SHOWN = 40;
const TABS_SHOWN = 10;
const BREAKS_SHOWN = 3;
const TAB = '    ';

/** Begins at a line break, or is longer than what is shown: no position is looked at more than a few times. */
const LONG_BLANKS = /(\n[ \t\r]*\n[ \t\r]*\n[ \t\r]*\n[ \t\r\n]*|[ \t]{41}[ \t]*|\t{11}[ \t]*)/;
/** CR only before LF; no tab. */
const USUAL = /^[\n -~]*$/;

export class Emitter {
  readonly #bytes: Buffer;
  readonly #isUtf8: boolean;
  readonly #notes: Notes;
  #tokens: { kind: Kind; text: string }[] = [];
  #left = TOKENS_MAX;

  constructor(bytes: Buffer, isUtf8: boolean, notes: Notes) {
    this.#bytes = bytes;
    this.#isUtf8 = isUtf8;
    this.#notes = notes;
  }

  begin(): void {
    this.#tokens = [];
  }

  put(kind: Kind, start: number, end: number): void {
    const latin = this.#bytes.toString('latin1', start, end);
    if (PLAIN.test(latin)) {
      this.#push(kind, latin);
      if (kind === 'comment') this.#notes.comment(latin);
      else if (kind === 'name' && latin.includes('"')) this.#notes.quoted(latin);
      return;
    }
    const text = this.#isUtf8 ? this.#bytes.toString('utf8', start, end) : null;
    if (kind === 'comment') this.#notes.comment(text ?? latin);
    else if (kind === 'name' && latin.includes('"')) this.#notes.quoted(text ?? latin);
    for (const part of text === null ? decoded(this.#bytes.subarray(start, end)) : [{ valid: true, text }]) {
      if (part.valid) this.#runs(kind, part.text);
      else {
        this.#notes.broken(part.text.length / 2);
        this.#push('hidden', `bytes that are not UTF-8: ${part.text}`);
      }
    }
  }

  end(): ReviewToken[] {
    return this.#tokens;
  }

  /** What is usual passes whole; long runs of blanks are counts. */
  #runs(kind: Kind, text: string): void {
    for (const [index, part] of text.split(LONG_BLANKS).entries()) {
      if (part === '') continue;
      if (index % 2 === 1) this.#blanks(kind, part);
      else if (USUAL.test(part)) this.#push(kind, part);
      else this.#lines(kind, part);
    }
  }

  #lines(kind: Kind, text: string): void {
    for (const [index, part] of text.split(/((?:\r\n|[\n\t])+)/).entries()) {
      if (part === '') continue;
      if (index % 2 === 1) this.#push(kind, part.replaceAll('\r\n', '\n').replaceAll('\t', TAB));
      else this.#visible(kind, part);
    }
  }

  /** Lines, spaces, tabs: runs that are long together. */
  #blanks(kind: Kind, text: string): void {
    for (const [index, part] of text.split(/((?:[ \t]*\r?\n)+|[ \t]+)/).entries()) {
      if (part === '') continue;
      if (index % 2 === 0)
        this.#visible(kind, part); // a lone CR, a form feed
      else if (part.endsWith('\n')) this.#broke(kind, part.split('\n').length - 1);
      else this.#spaces(kind, part);
    }
  }

  #broke(kind: Kind, count: number): void {
    if (count > BREAKS_SHOWN) this.#count(`${grouped(count)} line breaks`);
    this.#push(kind, '\n'.repeat(Math.min(count, BREAKS_SHOWN)));
  }

  #spaces(kind: Kind, text: string): void {
    if (text.length <= SPACES_SHOWN && !text.includes('\t')) return this.#push(kind, text);
    const tabs = text.split('\t').length - 1;
    if (text.length <= TABS_SHOWN) return this.#push(kind, text.replaceAll('\t', TAB));
    const spaces = text.length - tabs;
    this.#count([...(spaces > 0 ? [`${grouped(spaces)} spaces`] : []), ...(tabs > 0 ? [`${grouped(tabs)} tabs`] : [])].join(' and '));
  }

  #count(text: string): void {
    this.#notes.blanks(text);
    this.#push('hidden', text);
  }

  #visible(kind: Kind, text: string): void {
    for (const piece of pieces(text)) {
      if (piece.hidden) {
        this.#notes.hidden(piece.text, piece.count);
        this.#push('hidden', piece.text);
        continue;
      }
      this.#push(kind, piece.text);
      if (FOREIGN.test(piece.text)) this.#foreign(kind, piece.text);
    }
  }

  /** Letters outside ASCII: a name may not be what it seems. */
  #foreign(kind: Kind, text: string): void {
    for (const [word] of text.matchAll(WORDS)) {
      const mixed = mixesScripts(word);
      if (kind === 'comment' || !(mixed || kind === 'name' || kind === 'other')) continue;
      const points = [...new Set(Array.from(word).filter((char) => FOREIGN.test(char)))].map(characterName);
      this.#notes.word(word, points, mixed);
      if (mixed && kind !== 'string') this.#push('hidden', points.slice(0, 4).join(' '));
    }
  }

  #push(kind: Kind, text: string): void {
    const last = this.#tokens.at(-1);
    if (last !== undefined && last.kind === kind && kind !== 'hidden') last.text += text;
    else if (this.#left > 0 || last === undefined) {
      this.#left -= 1;
      this.#tokens.push({ kind, text });
    } else {
      const shown = kind === 'hidden' ? `‹${text.replace(/^(U\+[0-9A-F]+) [^,]*/, '$1')}›` : text;
      if (last.kind === 'other') last.text += shown;
      else this.#tokens.push({ kind: 'other', text: shown });
    }
  }
}

const PLAIN = /^(?! )(?:[!-~]| (?! ))*$|^ {1,40}$/;
const FOREIGN = /[^\0-\x7f]/u;
const WORDS = /[\p{L}\p{M}\p{N}_$]*[^\0-\x7f][\p{L}\p{M}\p{N}_$]*/gu;
