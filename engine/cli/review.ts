/**
 * A review text on a terminal: the statements numbered, each line behind a bar. A line that begins inside a string or a comment has a bar of its
 * own, and so has what the terminal's width broke: no line can pass for another statement, or for one of ours (SECURITY A7).
 */
import type { ReviewText, ReviewToken } from '#schemas/review';
import { escapeText } from './escape.ts';
import { displayWidth } from './table.ts';

const NARROWEST_CELLS = 24;
const BARS = { line: '|', wrapped: ':', string: "'", comment: '#' } as const;

/** Everything in it is escaped; `width` is the terminal's. */
export function reviewLines(text: ReviewText, width: number): readonly string[] {
  const digits = String(text.statements.length).length;
  const cells = Math.max(NARROWEST_CELLS, width - digits - 5);
  return [
    `statement  ${counted(text.bytes, 'byte')}, ${counted(text.lines, 'line')}, ${counted(text.statements.length, 'statement')}, digest ${escapeText(text.digest_prefix)}`,
    ...(text.complete ? [] : ['  ! this text is not shown whole: it cannot be approved']),
    ...text.warnings.map((warning) => `  ! ${marked(warning)}`),
    ...text.statements.flatMap(({ number, tokens }) => numbered(String(number), digits, broken(tokens, cells))),
    ...(text.params ?? []).flatMap(({ number, type, tokens }) =>
      numbered(`$${number}`, digits + 1, broken([...tokens, { kind: 'other', text: `   (${type})` }], cells - 1)),
    ),
  ];
}

type Line = readonly [bar: string, shown: string];

function numbered(number: string, digits: number, lines: readonly Line[]): readonly string[] {
  return lines.map(([bar, shown], index) => `  ${(index === 0 ? number : '').padStart(digits)} ${bar} ${shown}`.trimEnd());
}

function broken(tokens: readonly ReviewToken[], cells: number): readonly Line[] {
  const lines: Line[] = [];
  let bar: string = BARS.line;
  let line = '';
  const end = (next: string): void => {
    lines.push(...wrapped(bar, line, cells));
    bar = next;
    line = '';
  };
  for (const { kind, text } of tokens) {
    const [first = '', ...more] = kind === 'hidden' ? [`‹${marked(text)}›`] : text.split('\n').map(marked);
    line += first;
    for (const next of more) {
      end(kind === 'string' ? BARS.string : kind === 'comment' ? BARS.comment : BARS.line);
      line = next;
    }
  }
  end(BARS.line);
  return trimmed(lines);
}

/** Empty lines at its ends show nothing; inside they stay. */
function trimmed(lines: readonly Line[]): readonly Line[] {
  const full = ([bar, shown]: Line): boolean => bar !== BARS.line || shown.trim() !== '';
  const first = lines.findIndex(full);
  return first < 0 ? lines.slice(0, 1) : lines.slice(first, lines.findLastIndex(full) + 1);
}

function wrapped(bar: string, text: string, cells: number): readonly Line[] {
  if (displayWidth(text) <= cells) return [[bar, text]];
  const lines: Line[] = [];
  let line = '';
  let used = 0;
  for (const char of text) {
    const wide = displayWidth(char);
    if (used + wide > cells) {
      lines.push([lines.length === 0 ? bar : BARS.wrapped, line]);
      line = '';
      used = 0;
    }
    line += char;
    used += wide;
  }
  return [...lines, [lines.length === 0 ? bar : BARS.wrapped, line]];
}

/** Safe already; but what came over a socket is escaped where it is printed. The brackets are the marks of hidden characters. */
function marked(text: string): string {
  return text
    .split(/([‹›])/)
    .map((part, index) => (index % 2 === 1 ? part : escapeText(part)))
    .join('');
}

function counted(count: number, thing: string): string {
  return `${count.toLocaleString('en')} ${thing}${count === 1 ? '' : 's'}`;
}
