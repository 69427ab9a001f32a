/** The words of one statement: its tokens without blanks and comments, and how a run of them is written in a sentence. */
import { grouped } from '#client/shown';
import { KEYWORDS } from '../text/keywords.ts';
import { foreign, ticked } from './names.ts';
import { lex, LEXED, type LexedKind } from '../text/lexer.ts';

export interface Word {
  readonly kind: LexedKind;
  /** As written; words that are not quoted in lower case, as PostgreSQL reads them. */
  readonly text: string;
}

export interface Writing {
  /** `$1` → `'new'`; absent: not known. */
  readonly params: ReadonlyMap<string, string>;
  /** false: where payloads are not kept in clear, no literal stands in a record. */
  readonly literals: boolean;
}

const CODE_CHARS_MAX = 500;
const STRING_CHARS_MAX = 160;

export function wordsOf(text: Uint8Array): readonly Word[] {
  const { kinds, ends, count } = lex(text);
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  const words: Word[] = [];
  for (let index = 0, at = 0; index < count; index += 1) {
    const kind = kinds[index] as LexedKind;
    const end = ends[index] as number;
    if (kind !== LEXED.space && kind !== LEXED.comment) {
      const written = bytes.toString('utf8', at, end);
      words.push({ kind, text: kind === LEXED.word ? lower(written) : written });
    }
    at = end;
  }
  return words;
}

/** One line, escaped, bounded: what is cut says so. */
export function code(words: readonly Word[], writing: Writing): string {
  let said = '';
  let cut = 0;
  for (const [index, word] of words.entries()) {
    const written = `${index > 0 && apart(words, index) ? ' ' : ''}${wordSaid(word, writing)}`;
    if (cut > 0 || said.length + written.length > CODE_CHARS_MAX) cut += written.length;
    else said += written;
  }
  if (cut === 0) return said;
  return `${said} … (${grouped(cut)} more characters)`;
}

/** A sentence for eyes outside: what was said of a text's strings and parameters is left out, names and numbers stay. */
export function withoutLiterals(sentence: string): string {
  return sentence.replace(QUOTED, (quoted) => (quoted.startsWith("'") ? "'…'" : quoted));
}

/** Names, which may hold an apostrophe, and strings; a string that was cut has no end. */
const QUOTED = /`[^`]*`|"(?:[^"]|"")*"|'(?:[^']|'')*(?:'|$)/g;

/** Only ASCII letters: what others become depends on the server's locale. */
export function lower(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** In words: `42`, `'new'`, `null`. */
export function literal(text: string): string {
  if (text.length <= STRING_CHARS_MAX) return `'${ticked(text.replaceAll("'", "''"))}'`;
  return `'${ticked(text.slice(0, 40).replaceAll("'", "''"))}…' (${grouped(text.length)} characters)`;
}

function wordSaid({ kind, text }: Word, { params, literals }: Writing): string {
  switch (kind) {
    case LEXED.string:
      return literals ? stringSaid(text) : "'?'";
    case LEXED.number:
      return literals ? text : '?';
    case LEXED.parameter: {
      const value = literals ? params.get(text) : undefined;
      return value === undefined ? text : `${text} (${value})`;
    }
    default:
      return `${ticked(text)}${foreign(text)}`;
  }
}

/** A dollar-quoted body is told as the string that it is: it cannot pass for a part of the sentence. */
function stringSaid(text: string): string {
  const [tag] = /^\$[^$]*\$/.exec(text) ?? [];
  if (tag !== undefined) return literal(text.slice(tag.length, -tag.length));
  if (text.startsWith("'")) return literal(text.slice(1, -1).replaceAll("''", "'"));
  // E'it\'s', too: the quotes of a sentence are always doubled (`withoutLiterals`)
  const doubled = text.replace(/\\[^]/g, (escape) => (escape === "\\'" ? "''" : escape));
  return text.length <= STRING_CHARS_MAX ? ticked(doubled) : literal(text);
}

/** Whether a blank stands before word `index`. */
function apart(words: readonly Word[], index: number): boolean {
  const { text: before, kind } = words[index - 1] as Word;
  const { text } = words[index] as Word;
  if (TIGHT_BEFORE.has(text) || TIGHT_AFTER.has(before)) return false;
  if (text === '(' || text === '[')
    return kind !== LEXED.quoted && (kind !== LEXED.word || (text === '(' && KEYWORDS.has(before) && !CALLED.has(before)));
  if ((before === '-' || before === '+') && kind === LEXED.operator) return !isSign(words, index - 1);
  return true;
}

const TIGHT_BEFORE = new Set([',', ')', ']', ';', '.', ':']);
const TIGHT_AFTER = new Set(['(', '[', '.', ':']);
/** Keywords that are called. */
const CALLED = new Set([
  'any',
  'all',
  'some',
  'coalesce',
  'greatest',
  'least',
  'nullif',
  'extract',
  'substring',
  'position',
  'trim',
  'overlay',
  'row',
  'cast',
  'treat',
  'left',
  'right',
]);

function isSign(words: readonly Word[], index: number): boolean {
  const before = words[index - 1];
  if (before === undefined || before.kind === LEXED.operator || before.text === '(' || before.text === ',') return true;
  return before.kind === LEXED.word && KEYWORDS.has(before.text);
}
