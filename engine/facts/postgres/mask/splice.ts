import { isNameByte } from '#client/sql-borders';
import { isMark, isWord, TOKEN, tokenAt, type Tokens } from './lexer.ts';
import { quoteIdentifier } from './expression.ts';
import { REFUSALS } from './refusal.ts';
import type { RangeVar } from './tree.ts';

/** Bytes `start…end` of the original give way to `text`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: Uint8Array;
  /** Where the template stands inside `text`. */
  readonly template: number;
}

/** Replaces a reference in FROM, with everything that belongs to its name: ONLY and its brackets, `*`, UESCAPE, the TABLE of `TABLE t`. @throws Refusal */
export function editFor(text: Uint8Array, tokens: Tokens, range: RangeVar, isTable: boolean, template: string): Edit {
  const extent = extentOf(text, tokens, range, isTable);
  const blank = extent.start > 0 && isNameByte(text[extent.start - 1] as number) ? ' ' : '';
  const before = `${blank}${isTable ? 'SELECT * FROM ' : ''}(`;
  const alias = range.alias === undefined ? ` AS ${quoteIdentifier(range.relname)}` : '';
  return { ...extent, text: Buffer.from(`${before}${template})${alias} `), template: before.length };
}

/** Edits in order of their places, none over another. */
export function splice(text: Uint8Array, edits: readonly Edit[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const edit of edits) {
    if (edit.start < at) throw REFUSALS.mismatch('two places that overlap');
    parts.push(text.subarray(at, edit.start), edit.text);
    at = edit.end;
  }
  parts.push(text.subarray(at));
  return Buffer.concat(parts);
}

/** Places in the original and in the rewritten text, both ways. */
export class Places {
  readonly #edits: readonly Edit[];
  constructor(edits: readonly Edit[]) {
    this.#edits = edits;
  }

  /** Where a byte of the original stands now; null inside what was replaced. */
  toRewritten(offset: number): number | null {
    let shift = 0;
    for (const edit of this.#edits) {
      if (offset < edit.start) break;
      if (offset < edit.end) return null;
      shift += edit.text.length - (edit.end - edit.start);
    }
    return offset + shift;
  }

  /** Where a byte of the rewritten text stood; null inside an insertion. */
  toOriginal(offset: number): number | null {
    let shift = 0;
    for (const edit of this.#edits) {
      const start = edit.start + shift;
      if (offset < start) break;
      if (offset < start + edit.text.length) return null;
      shift += edit.text.length - (edit.end - edit.start);
    }
    return offset - shift;
  }

  /** Where the template of the edit over this place begins in the rewritten text. */
  templateAt(offset: number): number | null {
    let shift = 0;
    for (const edit of this.#edits) {
      if (offset >= edit.start && offset < edit.end) return edit.start + shift + edit.template;
      shift += edit.text.length - (edit.end - edit.start);
    }
    return null;
  }
}

function extentOf(text: Uint8Array, tokens: Tokens, range: RangeVar, isTable: boolean): { start: number; end: number } {
  let first = tokenAt(tokens, range.location ?? 0);
  if (first < 0) throw REFUSALS.mismatch('a name that does not begin where the parser says');
  let last = lastOfName(text, tokens, first, range);
  if (range.inh === true) {
    if (isMark(text, tokens, last + 1, '*')) last += 1;
  } else {
    if (isMark(text, tokens, first - 1, '(') && isMark(text, tokens, last + 1, ')') && isWord(text, tokens, first - 2, 'only')) {
      first -= 1;
      last += 1;
    }
    first -= 1;
    if (!isWord(text, tokens, first, 'only')) throw REFUSALS.mismatch('ONLY is not where it should be');
  }
  if (isTable) {
    first -= 1;
    if (!isWord(text, tokens, first, 'table')) throw REFUSALS.mismatch('TABLE is not where it should be');
  }
  return { start: tokens.starts[first] as number, end: tokens.ends[last] as number };
}

/** `a`, `a.b` or `a.b.c`, each perhaps with its UESCAPE. */
function lastOfName(text: Uint8Array, tokens: Tokens, first: number, range: RangeVar): number {
  const parts = 1 + (range.schemaname === undefined ? 0 : 1) + (range.catalogname === undefined ? 0 : 1);
  let at = first;
  for (let part = 1; ; part += 1) {
    const kind = tokens.kinds[at];
    if (kind !== TOKEN.word && kind !== TOKEN.quoted && kind !== TOKEN.unicodeQuoted) throw REFUSALS.mismatch('a name that is no name');
    if (kind === TOKEN.unicodeQuoted && isWord(text, tokens, at + 1, 'uescape')) at += 2;
    if (part === parts) return at;
    if (!isMark(text, tokens, at + 1, '.')) throw REFUSALS.mismatch('a name with too few parts');
    at += 2;
  }
}
