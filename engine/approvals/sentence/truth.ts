/** Conditions that are always or never true, whatever the row holds: `true`, `1 = 1`, `status = 'new' OR true`. */
import { LEXED } from '../text/lexer.ts';
import { parted } from './cursor.ts';
import type { Word } from './words.ts';

const DEPTH_MAX = 32;

/** null: it depends, or this reading cannot tell. */
export function truthOf(condition: readonly Word[], depth = 0): boolean | null {
  if (depth > DEPTH_MAX || condition.some(hasPartsOfItsOwn)) return null;
  const either = parted(condition, 'or');
  if (either.length > 1) return anyOf(either.map((part) => truthOf(part, depth + 1)));
  const both = parted(condition, 'and');
  if (both.length > 1) {
    const opposite = anyOf(both.map((part) => negated(truthOf(part, depth + 1))));
    return negated(opposite);
  }
  if (condition[0]?.text === 'not' && condition[0].kind === LEXED.word) return negated(truthOf(condition.slice(1), depth + 1));
  const within = unwrapped(condition);
  return within === null ? simple(condition) : truthOf(within, depth + 1);
}

/** AND and OR may stand inside it. */
function hasPartsOfItsOwn({ kind, text }: Word): boolean {
  return kind === LEXED.word && (text === 'case' || text === 'between' || text === 'select');
}

function anyOf(parts: readonly (boolean | null)[]): boolean | null {
  if (parts.includes(true)) return true;
  return parts.every((part) => part === false) ? false : null;
}

function negated(truth: boolean | null): boolean | null {
  return truth === null ? null : !truth;
}

/** The words between parentheses that enclose all. */
function unwrapped(words: readonly Word[]): readonly Word[] | null {
  if (words[0]?.text !== '(' || words[0].kind !== LEXED.mark) return null;
  let depth = 0;
  for (const [index, { kind, text }] of words.entries()) {
    if (kind === LEXED.mark) depth += text === '(' ? 1 : text === ')' ? -1 : 0;
    if (depth === 0) return index === words.length - 1 ? words.slice(1, -1) : null;
  }
  return null;
}

function simple(words: readonly Word[]): boolean | null {
  const [left, operator, right] = words;
  if (words.length === 1 && left?.kind === LEXED.word) return left.text === 'true' ? true : left.text === 'false' ? false : null;
  if (words.length !== 3 || left === undefined || operator === undefined || right === undefined || operator.kind !== LEXED.operator) return null;
  if (left.kind === LEXED.number && right.kind === LEXED.number && isExact(left) && isExact(right))
    return COMPARED[operator.text]?.(Number(left.text), Number(right.text)) ?? null;
  const literals = left.kind === LEXED.string && right.kind === LEXED.string;
  if (!literals || !left.text.startsWith("'") || !right.text.startsWith("'")) return null;
  if (operator.text === '=') return left.text === right.text;
  return operator.text === '<>' || operator.text === '!=' ? left.text !== right.text : null;
}

/** As a JavaScript number. */
function isExact({ text }: Word): boolean {
  return text.length <= 15;
}

const COMPARED: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '<>': (a, b) => a !== b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};
