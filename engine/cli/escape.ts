/**
 * Everything that comes from users or targets passes here before a terminal shows it (SECURITY M8).
 * What cannot be seen, or moves what can, becomes visible as ‹U+202E›; the two brackets themselves are written that way too, so nothing
 * in a text can imitate a mark.
 */

/** Control, format (bidi, zero width, tags), surrogate, private and unassigned characters, line separators, odd spaces, blank letters. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800‹›]|(?! )\p{Zs}/gu;
/** More than two marks on one letter climb over its neighbours. */
const PILED = /(?<=\p{M}\p{M})\p{M}+/gu;

/** On one line. */
export function escapeText(text: string): string {
  return text.replace(UNSEEN, mark).replace(PILED, (run) => Array.from(run, mark).join(''));
}

/** The same for a text that the gateway has made safe already: the brackets of its marks stay. */
export function escapeShown(text: string): string {
  return text
    .split(/([‹›])/)
    .map((part, index) => (index % 2 === 1 ? part : escapeText(part)))
    .join('');
}

/** Line ends and tabs stay; the caller indents the lines, so that none of them can pass for one of ours. */
export function escapeLines(text: string): readonly string[] {
  return text.split(/\r?\n/).map((line) => line.split('\t').map(escapeText).join('    '));
}

/** A name, with the code points of its letters outside ASCII: `pаyments` may not be what it seems. */
export function escapeName(name: string): string {
  const foreign = [...new Set(Array.from(name).filter((char) => /[^\x20-\x7e]/u.test(char) && /[\p{L}\p{M}\p{N}\p{S}]/u.test(char)))];
  const suffix = foreign.length === 0 ? '' : ` ‹${foreign.slice(0, 8).map(codePoint).join(' ')}${mixesScripts(name) ? ', mixed scripts' : ''}›`;
  return escapeText(name) + suffix;
}

const WARNINGS_MAX = 10;

/** One line for each word of a statement that has letters outside ASCII. */
export function warnings(text: string): readonly string[] {
  const words = new Set(text.match(/[\p{L}\p{M}\p{N}_$]+/gu)?.filter((word) => /[^ -~]/.test(word)));
  const lines = [...words].slice(0, WARNINGS_MAX).map((word) => {
    const points = [...new Set(Array.from(word).filter((char) => /[^ -~]/.test(char)))].slice(0, 8).map(codePoint).join(' ');
    return `\`${escapeText(word)}\` has ${points}${mixesScripts(word) ? ': letters of several scripts that may look alike' : ''}`;
  });
  if (words.size > WARNINGS_MAX) lines.push(`and ${words.size - WARNINGS_MAX} more words with letters outside ASCII`);
  const unseen = new Set((text.match(UNSEEN) ?? []).filter((char) => !/[\t\n\r‹›]/.test(char)));
  if (unseen.size > 0) lines.push(`invisible or control characters: ${[...unseen].slice(0, 8).map(codePoint).join(' ')}`);
  return lines;
}

const SCRIPTS = [
  'Latin',
  'Cyrillic',
  'Greek',
  'Armenian',
  'Georgian',
  'Cherokee',
  'Hebrew',
  'Arabic',
  'Devanagari',
  'Thai',
  'Han',
  'Hangul',
  'Hiragana',
  'Katakana',
].map((script) => new RegExp(`\\p{Script=${script}}`, 'u'));

function mixesScripts(word: string): boolean {
  return SCRIPTS.filter((script) => script.test(word)).length > 1;
}

function mark(char: string): string {
  return `‹${codePoint(char)}›`;
}

function codePoint(char: string): string {
  return `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
}
