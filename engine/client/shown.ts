/**
 * Words of others, made safe to show to a human (SECURITY M8, A7). What cannot be seen, or moves what can, becomes visible as
 * ‹U+202E RIGHT-TO-LEFT OVERRIDE›; the two brackets themselves are written that way too, so nothing in a text can imitate a mark.
 */

/** On one line, whatever it held. What was made safe already stays as it is. */
export function shown(text: string): string {
  if (PLAIN.test(text)) return text;
  return text
    .split(MARK)
    .map((part, index) => (index % 2 === 1 ? part : marked(part)))
    .join('');
}

/** Of a sentence that was made safe before it was recorded: the brackets of its marks stay. */
export function shownAgain(text: string): string {
  return text
    .split(/([‹›])/)
    .map((part, index) => (index % 2 === 1 ? part : shown(part)))
    .join('');
}

/** `hidden`: `text` is the name of what stands there, `count` how often. A piece that is not hidden can be shown as it is, on one line. */
export interface Piece {
  readonly hidden: boolean;
  readonly text: string;
  /** How many characters of the source it stands for. */
  readonly count: number;
}

/** In order, whole: what is hidden told by name, the same one in a row once, with its count. Linear. */
export function pieces(text: string): readonly Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(HIDDEN)) {
    if (match.index > at) found.push(plain(text.slice(at, match.index)));
    found.push(...marks(match[0]));
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push(plain(text.slice(at)));
  return found;
}

/** `U+202E RIGHT-TO-LEFT OVERRIDE`, or the code point alone where it has no name here. */
export function characterName(char: string): string {
  const point = char.codePointAt(0) ?? 0;
  const name = NAMES[point] ?? rangeName(point);
  return `U+${point.toString(16).toUpperCase().padStart(4, '0')}${name === '' ? '' : ` ${name}`}`;
}

/** Letters of several scripts in one word may look alike: `pаyments`. */
export function mixesScripts(word: string): boolean {
  let first = '';
  for (const char of word) {
    const script = scriptOf(char);
    if (script === '') continue;
    if (first !== '' && script !== first) return true;
    first = script;
  }
  return false;
}

/** `20,000` */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',');
}

const PLAIN = /^[ -~]*$/;
/** Of ours, or like ours: there is nothing in it that hides. Where the difference counts, in a text under review, `pieces` tells it. */
const MARK = /(‹U\+[0-9A-F]{4,6}[ ,+A-Za-z0-9-]{0,200}›)/;

function marked(text: string): string {
  return pieces(text)
    .map((piece) => (piece.hidden ? `‹${piece.text}›` : piece.text))
    .join('');
}

/**
 * Control, format (bidi, zero width, tags), surrogate, private and unassigned characters, line separators, odd spaces, blank letters,
 * variation selectors (they are default-ignorable), with the marks that would sit on them; and marks that pile up on a letter, which climb
 * over its neighbours.
 */
const HIDDEN =
  /(?:[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800‹›]|(?! )\p{Zs})+\p{M}*|(?<=\p{M}\p{M})\p{M}+|(?<![\p{L}\p{M}\p{N}])\p{M}+/gu;

function plain(text: string): Piece {
  return { hidden: false, text, count: text.length };
}

/** One for each run of the same character. */
function marks(run: string): Piece[] {
  const found: Piece[] = [];
  let before = '';
  let count = 0;
  const tell = (): void => {
    if (count > 0) found.push({ hidden: true, text: `${characterName(before)}${count === 1 ? '' : `, ${grouped(count)} times`}`, count });
  };
  for (const char of run) {
    if (char !== before) {
      tell();
      before = char;
      count = 0;
    }
    count += 1;
  }
  tell();
  return found;
}

const SCRIPTS = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Armenian',
  'Georgian',
  'Cherokee',
  'Coptic',
  'Lisu',
  'Hebrew',
  'Arabic',
  'Devanagari',
  'Thai',
  'Han',
  'Hangul',
  'Hiragana',
  'Katakana',
].map((script) => [script, new RegExp(`\\p{Script=${script}}`, 'u')] as const);
/** By letter: at most as many as Unicode has. */
const scripts = new Map<string, string>();

/** Empty: no letter, or of a script that is not told apart here. */
function scriptOf(char: string): string {
  if (char < '\x80') return /[A-Za-z]/.test(char) ? 'Latin' : '';
  let script = scripts.get(char);
  if (script === undefined) {
    script = SCRIPTS.find(([, pattern]) => pattern.test(char))?.[0] ?? '';
    scripts.set(char, script);
  }
  return script;
}

function rangeName(point: number): string {
  if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return 'CONTROL';
  // only what a mark may hold: another sign would make the mark one that is marked again
  if (point >= 0xe0020 && point <= 0xe007e) return `TAG ${String.fromCharCode(point - 0xe0000).replace(/[^A-Za-z0-9]/, '')}`.trimEnd();
  if (point >= 0xe0000 && point <= 0xe007f) return 'TAG';
  if ((point >= 0xfe00 && point <= 0xfe0f) || (point >= 0xe0100 && point <= 0xe01ef)) return 'VARIATION SELECTOR';
  if (point >= 0xd800 && point <= 0xdfff) return 'LONE SURROGATE';
  if ((point >= 0xe000 && point <= 0xf8ff) || point >= 0xf0000) return 'PRIVATE USE';
  if ((point >= 0x300 && point <= 0x36f) || (point >= 0x1ab0 && point <= 0x1aff) || (point >= 0x20d0 && point <= 0x20ff)) return 'COMBINING MARK';
  return '';
}

/** Unicode's names of what is met. */
const NAMES: Readonly<Record<number, string>> = {
  0x00: 'NULL',
  0x07: 'BELL',
  0x08: 'BACKSPACE',
  0x09: 'TAB',
  0x0a: 'LINE FEED',
  0x0b: 'VERTICAL TAB',
  0x0c: 'FORM FEED',
  0x0d: 'CARRIAGE RETURN',
  0x1b: 'ESCAPE',
  0x7f: 'DELETE',
  0x85: 'NEXT LINE',
  0x90: 'DEVICE CONTROL STRING',
  0x9b: 'CONTROL SEQUENCE INTRODUCER',
  0x9d: 'OPERATING SYSTEM COMMAND',
  0xa0: 'NO-BREAK SPACE',
  0xad: 'SOFT HYPHEN',
  0x34f: 'COMBINING GRAPHEME JOINER',
  0x61c: 'ARABIC LETTER MARK',
  0x115f: 'HANGUL CHOSEONG FILLER',
  0x1160: 'HANGUL JUNGSEONG FILLER',
  0x1680: 'OGHAM SPACE MARK',
  0x180e: 'MONGOLIAN VOWEL SEPARATOR',
  0x2000: 'EN QUAD',
  0x2001: 'EM QUAD',
  0x2002: 'EN SPACE',
  0x2003: 'EM SPACE',
  0x2004: 'THREE-PER-EM SPACE',
  0x2005: 'FOUR-PER-EM SPACE',
  0x2006: 'SIX-PER-EM SPACE',
  0x2007: 'FIGURE SPACE',
  0x2008: 'PUNCTUATION SPACE',
  0x2009: 'THIN SPACE',
  0x200a: 'HAIR SPACE',
  0x200b: 'ZERO WIDTH SPACE',
  0x200c: 'ZERO WIDTH NON-JOINER',
  0x200d: 'ZERO WIDTH JOINER',
  0x200e: 'LEFT-TO-RIGHT MARK',
  0x200f: 'RIGHT-TO-LEFT MARK',
  0x2028: 'LINE SEPARATOR',
  0x2029: 'PARAGRAPH SEPARATOR',
  0x202a: 'LEFT-TO-RIGHT EMBEDDING',
  0x202b: 'RIGHT-TO-LEFT EMBEDDING',
  0x202c: 'POP DIRECTIONAL FORMATTING',
  0x202d: 'LEFT-TO-RIGHT OVERRIDE',
  0x202e: 'RIGHT-TO-LEFT OVERRIDE',
  0x202f: 'NARROW NO-BREAK SPACE',
  0x2039: 'SINGLE LEFT-POINTING ANGLE QUOTATION MARK',
  0x203a: 'SINGLE RIGHT-POINTING ANGLE QUOTATION MARK',
  0x205f: 'MEDIUM MATHEMATICAL SPACE',
  0x2060: 'WORD JOINER',
  0x2061: 'FUNCTION APPLICATION',
  0x2062: 'INVISIBLE TIMES',
  0x2063: 'INVISIBLE SEPARATOR',
  0x2064: 'INVISIBLE PLUS',
  0x2066: 'LEFT-TO-RIGHT ISOLATE',
  0x2067: 'RIGHT-TO-LEFT ISOLATE',
  0x2068: 'FIRST STRONG ISOLATE',
  0x2069: 'POP DIRECTIONAL ISOLATE',
  0x2800: 'BRAILLE PATTERN BLANK',
  0x3000: 'IDEOGRAPHIC SPACE',
  0x3164: 'HANGUL FILLER',
  0xfeff: 'ZERO WIDTH NO-BREAK SPACE',
  0xffa0: 'HALFWIDTH HANGUL FILLER',
  0xfff9: 'INTERLINEAR ANNOTATION ANCHOR',
  0xe0001: 'LANGUAGE TAG',
};
