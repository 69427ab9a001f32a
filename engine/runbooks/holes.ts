/** `{{name}}` in a runbook: where it stands, and that it stands where a value can be bound. */
import {
  afterComment,
  afterDollarString,
  afterLine,
  afterQuoted,
  afterString,
  DASH,
  DOLLAR,
  DOUBLE,
  isDigit,
  isNameByte,
  QUOTE,
  SLASH,
  STAR,
} from '#client/sql-borders';

const HOLE = /\{\{\s*([a-z][a-z0-9_]{0,62})\s*\}\}/;
const OPEN = 123;

export interface SqlPiece {
  /** Text as it is, or the name of a parameter. */
  readonly text: string;
  readonly hole: boolean;
}

/** Names in their order; a text: what is wrong. */
export function sqlHoles(statement: string): readonly string[] | string {
  const pieces = sqlPieces(statement);
  return typeof pieces === 'string' ? pieces : pieces.flatMap(({ text, hole }) => (hole ? [text] : []));
}

/** A hole in a string, a quoted name or a comment is a mistake: nothing can be bound there, and pasting is never done. */
export function sqlPieces(statement: string): readonly SqlPiece[] | string {
  const bytes = Buffer.from(statement, 'utf8');
  const pieces: SqlPiece[] = [];
  let from = 0;
  let at = 0;
  while (at < bytes.length) {
    const end = afterQuotation(bytes, at);
    if (end > at) {
      const quoted = bytes.toString('utf8', at, end);
      if (HOLE.test(quoted)) return `${HOLE.exec(quoted)?.[0] ?? ''} stands in a string, a quoted name or a comment: values are bound, not pasted`;
      at = end;
    } else if (bytes[at] === OPEN && bytes[at + 1] === OPEN) {
      const hole = /^\{\{\s*([a-z][a-z0-9_]{0,62})\s*\}\}/.exec(bytes.toString('latin1', at, at + 128));
      if (hole === null) return `\`{{\` at ${at} begins no name of a parameter`;
      const after = at + hole[0].length;
      // `x$1` is a name, `$10` another parameter, `$$` begins a string
      if (touches(bytes, at, after) || (at === from && at > 0)) return `${hole[0]} touches what stands beside it: a blank belongs between them`;
      pieces.push({ text: bytes.toString('utf8', from, at), hole: false }, { text: hole[1] ?? '', hole: true });
      from = at = after;
    } else if (bytes[at] === DOLLAR && isDigit(bytes[at + 1]) && !isNameByte(bytes[at - 1] ?? 0)) {
      return 'a parameter of the protocol ($1) stands in it: give it a name, {{name}}';
    } else at += 1;
  }
  return [...pieces, { text: bytes.toString('utf8', from), hole: false }];
}

/** Behind what begins here, where that is a string, a quoted name or a comment; else `at`. */
function afterQuotation(bytes: Buffer, at: number): number {
  const [byte, next] = [bytes[at], bytes[at + 1]];
  if (byte === QUOTE) return afterString(bytes, at + 1, escapes(bytes, at));
  if (byte === DOUBLE) return afterQuoted(bytes, at + 1);
  if (byte === DASH && next === DASH) return afterLine(bytes, at);
  if (byte === SLASH && next === STAR) return afterComment(bytes, at);
  return byte === DOLLAR ? (afterDollarString(bytes, at) ?? at) : at;
}

function touches(bytes: Buffer, start: number, end: number): boolean {
  return isNameByte(bytes[start - 1] ?? 0) || isNameByte(bytes[end] ?? 0);
}

/** `E'…'` */
function escapes(bytes: Buffer, at: number): boolean {
  return ((bytes[at - 1] ?? 0) | 32) === 101 && !/[A-Za-z0-9_$]/.test(String.fromCharCode(bytes[at - 2] ?? 32));
}

/** Of a request: each stands for a whole segment or value of the path, or for a whole leaf of the rest. */
export function holesOf({
  path,
  ...rest
}: {
  readonly path: string;
  readonly headers?: unknown;
  readonly body?: unknown;
}): readonly string[] | string {
  const found: string[] = [];
  for (const part of [...path.split(/[/?&=]/), ...textsOf(rest)]) {
    const hole = HOLE.exec(part);
    if (hole === null) {
      if (part.includes('{{')) return `\`${part}\`: \`{{\` begins no name of a parameter`;
      continue;
    }
    if (hole[0] !== part) return `\`${part}\`: ${hole[0]} must stand for the whole of it`;
    found.push(hole[1] ?? '');
  }
  return found;
}

export function holeIn(text: string): string | null {
  const hole = HOLE.exec(text);
  return hole !== null && hole[0] === text ? (hole[1] ?? null) : null;
}

function* textsOf(value: unknown): Generator<string> {
  if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) for (const child of Object.values(value)) yield* textsOf(child);
}
