import { escapeText } from './escape.ts';

export interface Column {
  readonly title: string;
  /** Shortened first when the terminal is narrow. */
  readonly shrinks?: boolean;
}

const NARROWEST = 8;
const GAP = '  ';

/** Rows under titles. `width` is the terminal's, or null when there is none: then nothing is shortened. Cells are escaped here. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width: number | null): readonly string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => row.map(escapeText))];
  const widths = fitted(
    columns.map((_, index) => Math.max(...cells.map((row) => displayWidth(row[index] ?? '')))),
    columns,
    width,
  );
  return cells.map((row) =>
    row
      .map((cell, index) => (index === row.length - 1 ? cut(cell, widths[index] ?? 0) : padded(cell, widths[index] ?? 0)))
      .join(GAP)
      .trimEnd(),
  );
}

/** Takes what is too much from the widest column that may shrink, then from any. */
function fitted(natural: readonly number[], columns: readonly Column[], width: number | null): readonly number[] {
  const widths = [...natural];
  if (width === null) return widths;
  const total = (): number => widths.reduce((sum, one) => sum + one, GAP.length * (widths.length - 1));
  for (const anyColumn of [false, true])
    while (total() > width) {
      const candidates = widths.map((one, index) => (one > NARROWEST && (anyColumn || columns[index]?.shrinks === true) ? one : 0));
      const widest = Math.max(...candidates);
      if (widest === 0) break;
      const index = candidates.indexOf(widest);
      widths[index] = Math.max(NARROWEST, widest - (total() - width));
    }
  return widths;
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
function displayWidth(text: string): number {
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
