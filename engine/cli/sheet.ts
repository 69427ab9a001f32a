/**
 * One thing on a page: labels in a column, and beside them texts that others wrote. They are wrapped here, because a line that
 * the terminal wraps begins where our own lines begin, and could pass for one of them (SECURITY A7).
 */
import { escapeText } from './escape.ts';
import { displayWidth } from './table.ts';

const LABEL_CELLS = 11;
const NARROWEST_CELLS = 24;

/** `shown`: escaped already. `width`: the terminal's, or what is usual where there is none. */
export function field(label: string, shown: string, width: number): readonly string[] {
  const [first = '', ...more] = wrap(shown, width - LABEL_CELLS);
  return [`${label.padEnd(LABEL_CELLS)}${first}`, ...more.map((line) => `${' '.repeat(LABEL_CELLS)}${line}`)];
}

const BAR = '  | ';
/** Stands where the text has no line end. */
const BAR_GOES_ON = '  : ';
const EMPTY_LINES_SHOWN = 2;

/** A statement between bars. What could push a part of it out of sight, blanks and empty lines, is told as a count. */
export function statementLines(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let empty = 0;
  for (const line of [...text.split(/\r?\n/), null]) {
    if (line === '') {
      empty++;
      continue;
    }
    if (empty > EMPTY_LINES_SHOWN) lines.push(`${BAR}‹${empty} empty lines›`);
    else for (let one = 0; one < empty; one++) lines.push(BAR.trimEnd());
    empty = 0;
    if (line !== null) lines.push(...barred(line, width));
  }
  return lines;
}

function barred(line: string, width: number): readonly string[] {
  // every other part is a run of blanks: a long one, or the one at the end
  const parts = line.replaceAll('\t', '    ').split(/( {25,}| +$)/);
  const shown = parts.map((part, index) => (index % 2 === 1 ? blanks(part.length) : escapeText(part))).join('');
  return wrap(shown, width - BAR.length).map((piece, index) => (index === 0 ? BAR : BAR_GOES_ON) + piece);
}

function blanks(count: number): string {
  return count === 1 ? '‹1 blank›' : `‹${count} blanks›`;
}

function wrap(text: string, width: number): readonly string[] {
  const cells = Math.max(NARROWEST_CELLS, width);
  if (displayWidth(text) <= cells) return [text];
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const char of text) {
    const wide = displayWidth(char);
    if (used + wide > cells) {
      lines.push(line);
      line = '';
      used = 0;
    }
    line += char;
    used += wide;
  }
  return [...lines, line];
}
