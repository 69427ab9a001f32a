/** The text of a statement as rows of a fixed width: every character has its place, however long the text or a line of it is. */
import type { ReviewText, ReviewToken } from '#schemas/review';

export interface Piece {
  readonly kind: ReviewToken['kind'];
  readonly text: string;
}

export type Row =
  | { readonly type: 'statement'; readonly number: number; readonly kind: string }
  /** `line` counts from 1 within its statement; null: it goes on from the row above. */
  | { readonly type: 'line'; readonly line: number | null; readonly pieces: readonly Piece[] };

/** @param columns of ordinary characters that fit; wider ones count twice */
export function textRows(text: ReviewText, columns: number): readonly Row[] {
  const rows: Row[] = [];
  for (const statement of text.statements) {
    rows.push({ type: 'statement', number: statement.number, kind: statement.kind });
    for (const row of lines(statement.tokens, Math.max(columns, 8))) rows.push(row);
  }
  return rows;
}

function lines(tokens: readonly ReviewToken[], columns: number): readonly Row[] {
  const rows: Row[] = [];
  let pieces: Piece[] = [];
  let line = 1;
  let isNew = true;
  let left = columns;
  const end = (next: 'line' | 'row'): void => {
    rows.push({ type: 'line', line: isNew ? line : null, pieces });
    pieces = [];
    left = columns;
    isNew = next === 'line';
    if (isNew) line += 1;
  };
  for (const token of tokens) {
    // a line break of the text itself; the name of a hidden one stands in a mark and has none
    for (const [index, part] of token.text.split('\n').entries()) {
      if (index > 0) end('line');
      let rest = part;
      while (rest !== '') {
        const fits = fitting(rest, left);
        // where nothing fits any more, or a mark would be broken, a row begins
        if (left < columns && (fits === 0 || (token.kind === 'hidden' && fits < rest.length))) {
          end('row');
          continue;
        }
        pieces.push({ kind: token.kind, text: rest.slice(0, fits) });
        left -= width(rest.slice(0, fits));
        rest = rest.slice(fits);
      }
    }
  }
  if (pieces.length > 0 || isNew) end('line');
  return rows;
}

/** How many UTF-16 units of it fit, never half of a pair. */
function fitting(text: string, columns: number): number {
  if (text.length <= columns && ASCII.test(text)) return text.length;
  let used = 0;
  let at = 0;
  for (const char of text) {
    used += widthOf(char);
    if (used > columns) break;
    at += char.length;
  }
  return at;
}

function width(text: string): number {
  if (ASCII.test(text)) return text.length;
  let used = 0;
  for (const char of text) used += widthOf(char);
  return used;
}

function widthOf(char: string): number {
  return char < '\u0300' ? 1 : 2;
}

const ASCII = /^[ -~]*$/;
