/**
 * The review text (SECURITY A7, M8): the whole statement, numbered, highlighted, and with nothing in it that cannot be seen. What would push a
 * part out of sight is told as a count, what is hidden by its name, and what a reader could miss is a warning. Linear in the text.
 */
import { isUtf8 } from 'node:buffer';
import { grouped, shown } from '#client/shown';
import type { Digest } from '#schemas/common';
import type { ReviewText, ReviewToken } from '#schemas/review';
import { Emitter } from './emitter.ts';
import { KEYWORDS } from './keywords.ts';
import { lex, LEXED, type Lexed, type LexedKind } from './lexer.ts';
import { lexMessage } from './message-lexer.ts';
import { slices, type Slice } from './split.ts';
import { Notes } from './notes.ts';

/** Longer texts cannot be approved: nobody reads them. The book refuses them by the same number. */
export const REVIEW_BYTES_MAX = 1024 * 1024;
/** Parameters in words: binary ones are longer than they were sent. */
const PARAM_BYTES_MAX = 2 * REVIEW_BYTES_MAX;
/** What follows is shown as one. */
const NUMBERED_MAX = 10_000;
/** Of a text that is not shown whole, this much is shown. */
const PART_BYTES = 64 * 1024;
/** More pieces are not told apart: the rest has fewer colours, and is all there. */
const COLOURED_MAX = 20_000;

export interface ReviewInput {
  /** null: it is not kept in clear. */
  readonly text: Uint8Array | null;
  readonly digest: Digest;
  /** A request of HTTP or MCP; absent: SQL. */
  readonly message?: boolean;
  /** As the client sent them: `ApprovalView.params` and `.param_types`. */
  readonly params?: readonly (string | null)[];
  readonly paramTypes?: readonly string[];
  /** As the parser found them, outermost only; absent: this reading splits at semicolons. */
  readonly statements?: readonly { readonly start: number; readonly kind?: string }[];
}

export function reviewText(input: ReviewInput): ReviewText {
  const { text, digest, params = [] } = input;
  const reason = whyNotReviewable(text, params);
  const whole = reason === null && text !== null;
  const part = text === null ? new Uint8Array() : whole ? text : text.subarray(0, PART_BYTES);
  const lexed = input.message === true ? lexMessage(part) : lex(part);
  const found = text === null ? [] : slicesOf(input, part, lexed, whole);
  const notes = new Notes();
  const statements = rendered(part, lexed, numbered(found), notes);
  return {
    complete: whole,
    bytes: text?.length ?? 0,
    lines: linesOf(text ?? part),
    digest_prefix: digestPrefix(digest),
    digest,
    statements,
    ...(whole && params.length > 0 && { params: paramsShown(params, input.paramTypes ?? [], notes) }),
    warnings: [...(reason === null ? [] : [reason]), ...manySaid(found.length), ...notes.said()],
  };
}

/** A message is one piece. */
function slicesOf({ message, statements }: ReviewInput, part: Uint8Array, lexed: Lexed, whole: boolean): readonly Slice[] {
  if (message === true) return [{ start: 0, end: part.length, kind: 'REQUEST' }];
  return slices(part, lexed, whole ? (statements ?? null) : null);
}

/** Why nobody may approve a text: it cannot be shown whole. null: it can. Lengths are bytes. */
export function whyNotReviewable(text: Uint8Array | null, params: readonly (string | null)[] = []): string | null {
  if (text === null) return 'the text is not kept in clear: it cannot be approved';
  if (text.length > REVIEW_BYTES_MAX) {
    return `only the first ${grouped(PART_BYTES)} of ${grouped(text.length)} bytes are shown: it cannot be approved`;
  }
  const bytes = params.reduce((sum, param) => sum + (param === null ? 0 : Buffer.byteLength(param)), 0);
  return bytes > PARAM_BYTES_MAX ? `its parameters have ${grouped(bytes)} bytes, too many to be shown: it cannot be approved` : null;
}

function manySaid(count: number): readonly string[] {
  if (count < 2) return [];
  return [`${grouped(count)} statements${count > NUMBERED_MAX ? `; from the ${grouped(NUMBERED_MAX)}th on they are shown as one` : ''}`];
}

function numbered(found: readonly Slice[]): readonly Slice[] {
  if (found.length <= NUMBERED_MAX) return found;
  const last = found[NUMBERED_MAX - 1] as Slice;
  return [...found.slice(0, NUMBERED_MAX - 1), { ...last, end: found.at(-1)?.end ?? last.end, kind: 'SEVERAL' }];
}

/** What the requester and the reviewer compare. */
export function digestPrefix(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

function paramsShown(params: readonly (string | null)[], types: readonly string[], notes: Notes): NonNullable<ReviewText['params']> {
  return params.map((value, index) => {
    const number = index + 1;
    const type = shown(types[index] ?? 'unknown');
    if (value === null) return { number, type, tokens: [{ kind: 'keyword', text: 'NULL' }] };
    const bytes = Buffer.from(`'${value.replaceAll("'", "''")}'`);
    const emitter = new Emitter(bytes, true, notes);
    emitter.put('string', 0, bytes.length);
    return { number, type, tokens: emitter.end() };
  });
}

function linesOf(text: Uint8Array): number {
  if (text.length === 0) return 0;
  let lines = 1;
  for (let at = 0; at < text.length; at += 1) if (text[at] === 10 || (text[at] === 13 && text[at + 1] !== 10)) lines += 1;
  return lines;
}

function rendered(text: Uint8Array, lexed: Lexed, parts: readonly Slice[], notes: Notes): ReviewText['statements'] {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.length);
  const emitter = new Emitter(bytes, isUtf8(text), notes);
  const statements: { number: number; kind: string; tokens: ReviewToken[] }[] = [];
  let index = 0;
  let at = 0;
  const colours = coloursOf(lexed);
  for (const [number, part] of parts.entries()) {
    emitter.begin();
    while (index < lexed.count && at < part.end) {
      let end = lexed.ends[index] as number;
      const kind = colours(lexed.kinds[index] as LexedKind, () => bytes.toString('latin1', at, end).toLowerCase());
      index += 1;
      while (index < lexed.count && (lexed.ends[index] as number) <= part.end && joins(kind, colours(lexed.kinds[index] as LexedKind, NO_WORD))) {
        end = lexed.ends[index] as number;
        index += 1;
      }
      emitter.put(kind, at, end);
      at = end;
    }
    statements.push({ number: number + 1, kind: part.kind, tokens: emitter.end() });
  }
  return statements;
}

const NO_WORD = (): string => '';

function joins(kind: ReviewToken['kind'], next: ReviewToken['kind']): boolean {
  return kind === next && (kind === 'other' || kind === 'operator');
}

/** All colours; or, of a text with very many pieces, only what could be mistaken: strings and comments. */
function coloursOf(lexed: Lexed): (kind: LexedKind, word: () => string) => ReviewToken['kind'] {
  const few = lexed.count > COLOURED_MAX;
  return (kind, word) => {
    if (few && kind !== LEXED.string && kind !== LEXED.comment) return 'other';
    return kind === LEXED.word ? (KEYWORDS.has(word()) ? 'keyword' : 'name') : COLOURS[kind];
  };
}

const COLOURS: Readonly<Record<LexedKind, ReviewToken['kind']>> = {
  [LEXED.word]: 'name',
  [LEXED.quoted]: 'name',
  [LEXED.string]: 'string',
  [LEXED.number]: 'number',
  [LEXED.operator]: 'operator',
  [LEXED.mark]: 'operator',
  [LEXED.comment]: 'comment',
  [LEXED.parameter]: 'parameter',
  [LEXED.space]: 'space',
  [LEXED.other]: 'other',
};
