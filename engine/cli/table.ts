import { escapeShown, escapeText } from './escape.ts';

export interface Column {
  readonly title: string;
  /** Shortened when the terminal is narrow; the others, such as ids, are needed whole. */
  readonly shrinks?: boolean;
  /** Its texts were made safe to show by the gateway: the marks in them stay marks. */
  readonly marked?: boolean;
}

const NARROWEST = 6;
const GAP = '  ';

/** Rows under titles. `width` is the terminal's, or null when there is none: then nothing is shortened. Cells are escaped here. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number | null): readonly string[] {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => row.map((cell, index) => (columns[index]?.marked === true ? escapeShown(cell) : escapeText(cell)))),
  ];
  const widths = fitted(
    columns.map((_, index) => cells.reduce((widest, row) => Math.max(widest, displayWidth(row[index] ?? '')), 0)),
    columns,
    width,
  );
  if (widths === null) return stacked(columns, cells.slice(1), width ?? 0);
  return cells.map((row) =>
    row
      .map((cell, index) => padded(cell, widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}

/** Takes what is too much from the widest column that may shrink, bit by bit; null when that is not enough. */
function fitted(natural: readonly number[], columns: readonly Column[], width: number | null): readonly number[] | null {
  if (width === null) return natural;
  const widths = natural.map((one, index) => (columns[index]?.shrinks === true ? Math.min(one, width) : one));
  for (let excess = widths.reduce((sum, one) => sum + one, GAP.length * (widths.length - 1)) - width; excess > 0; excess--) {
    const candidates = widths.map((one, index) => (one > NARROWEST && columns[index]?.shrinks === true ? one : 0));
    const widest = candidates.indexOf(Math.max(...candidates));
    if (candidates[widest] === 0) return null;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** A line for each cell, the first column as the head. */
function stacked(columns: readonly Column[], rows: readonly (readonly string[])[], width: number): readonly string[] {
  const longest = Math.max(...columns.map(({ title }) => title.length));
  return rows.flatMap((row) => [
    row[0] ?? '',
    ...columns.slice(1).map(({ title }, index) => cut(`  ${title.padEnd(longest)}  ${row[index + 1] ?? ''}`, width)),
  ]);
}

function padded(cell: string, width: number): string {
  const shown = cut(cell, width);
  return shown + ' '.repeat(Math.max(0, width - displayWidth(shown)));
}

function cut(cell: string, width: number): string {
  if (displayWidth(cell) <= width) return cell;
  let shown = '';
  for (const char of cell) {
    if (displayWidth(shown + char) > width - 1) break;
    shown += char;
  }
  return `${shown}…`;
}

/** Two cells for East Asian wide characters, none for marks. */
export function displayWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length;
  let width = 0;
  for (const char of text)
    width += /\p{M}/u.test(char)
      ? 0
      : /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uFF01-\uFF60]/u.test(char)
        ? 2
        : 1;
  return width;
}
