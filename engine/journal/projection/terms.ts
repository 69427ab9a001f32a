/**
 * What a row is found by. Each property of a row is a term, and so is each word of its text; one inverted index (FTS5) holds them all, so that any
 * combination is an intersection of lists in the order of the rows. A property's term starts with `:`, which no word has; its value is
 * hashed, so that upper and lower case and every character count.
 */
import { hash } from 'node:crypto';
import { boundedMemo } from '#client/bounded-memo';

/** One letter each. */
export type TermKind =
  | 'subject'
  | 'behalf'
  | 'login'
  | 'target'
  | 'state'
  | 'session'
  | 'effect'
  | 'code'
  | 'outcome'
  | 'verb'
  | 'qualified'
  | 'name'
  | 'verb qualified'
  | 'verb name'
  | 'asked group'
  | 'asked user';

const LETTERS: Readonly<Record<TermKind, string>> = {
  subject: 's',
  behalf: 'b',
  login: 'l',
  target: 't',
  state: 'a',
  session: 'i',
  effect: 'e',
  code: 'c',
  outcome: 'o',
  verb: 'v',
  qualified: 'x',
  name: 'n',
  'verb qualified': 'y',
  'verb name': 'z',
  'asked group': 'g',
  'asked user': 'u',
};

/** Of the characters of its own that a tokenizer must leave in a term: those of identifiers, and the mark of a property. */
export const TOKENIZER = `ascii tokenchars '_.$:'`;

const KNOWN_MAX = 20_000;
/** Of a letter with the value behind it. */
const termOf = boundedMemo(KNOWN_MAX, (lettered) => `:${lettered.slice(0, 1)}${hash('sha256', lettered.slice(1), 'hex').slice(0, 16)}`);

export function term(kind: TermKind, value: string): string {
  return termOf(LETTERS[kind] + value);
}

/** An object as it was touched; a reader writes it in any case. */
export function touchTerms(touch: { readonly verb: string; readonly qualified: string; readonly name: string }): readonly string[] {
  const [qualified, name] = [touch.qualified.toLowerCase(), touch.name.toLowerCase()];
  const { verb } = touch;
  return [
    term('verb', verb),
    term('qualified', qualified),
    term('name', name),
    term('verb qualified', `${verb} ${qualified}`),
    term('verb name', `${verb} ${name}`),
  ];
}

const WORD = /[\p{L}\p{M}\p{N}_$]+(?:\.[\p{L}\p{M}\p{N}_$]+)*/gu;
const WORD_CHARS_MAX = 64;

/** Words and identifiers (`public.payment_items`), their names (`payment_items`) and the parts of those (`payment`); in lower case. */
export function wordsOf(text: string): ReadonlySet<string> {
  const words = new Set<string>();
  for (const [found] of text.toLowerCase().matchAll(WORD)) {
    add(words, found);
    if (!found.includes('.') && !found.includes('_')) continue;
    for (const name of found.split('.')) {
      add(words, name);
      if (name.includes('_')) for (const part of name.split('_')) add(words, part);
    }
  }
  return words;
}

function add(words: Set<string>, word: string): void {
  if (word !== '') words.add(word.slice(0, WORD_CHARS_MAX));
}

/** What is asked for: each word whole, or by its beginning where a `*` stands behind it. */
export function wordsAsked(query: string): readonly { readonly word: string; readonly begins: boolean }[] {
  return [...query.toLowerCase().matchAll(ASKED)].map(([, word = '', star = '']) => ({ word: word.slice(0, WORD_CHARS_MAX), begins: star !== '' }));
}
const ASKED = new RegExp(`(${WORD.source})(\\*?)`, 'gu');

/** An expression of FTS5: all of these. */
export function allOf(parts: readonly string[]): string {
  return parts.join(' AND ');
}

/** One of these; of none, what no row has. */
export function oneOf(terms: readonly string[]): string {
  if (terms.length === 0) return quoted(':none');
  const [first = '', ...rest] = terms.map(quoted);
  return rest.length === 0 ? first : `(${[first, ...rest].join(' OR ')})`;
}

export function wordTerm({ word, begins }: { readonly word: string; readonly begins: boolean }): string {
  return begins ? `${quoted(word)} *` : quoted(word);
}

/** Terms hold no quote. */
function quoted(one: string): string {
  return `"${one}"`;
}
