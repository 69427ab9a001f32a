/** The same statement, spelled otherwise: blanks, comments, case, quotes, escapes, parameters. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Step } from './case.ts';
import { tokens, type Token } from './lexer.ts';
import type { Mutation } from './mutation.ts';
import type { Random } from '#test/support/random';

export const SPELLINGS: Readonly<Record<string, Mutation>> = {
  gaps: respelled((found, random) => found.map((token, index) => ({ ...token, gap: gap(token, found[index - 1], random) }))),
  case: respelled((found, random) => found.map((token) => (token.kind === 'word' ? { ...token, text: otherCase(token.text, random) } : token))),
  quotes: respelled((found, random) =>
    found.map((token, index) => (isName(found, index) && random.chance(0.7) ? { ...token, text: quoted(token.text, random) } : token)),
  ),
  escapes: respelled((found, random) =>
    found.map((token, index) => (isPlainString(found, index) && random.chance(0.7) ? { ...token, text: escaped(token.text, random) } : token)),
  ),
  parameters,
};

function respelled(change: (found: readonly Token[], random: Random) => readonly Token[]): Mutation {
  return (step, random) => {
    if (step.sql === undefined) return null;
    const read = tokens(step.sql);
    if (!read) return null;
    const sql =
      change(read.tokens, random)
        .map(({ gap: before, text }) => before + text)
        .join('') + read.tail;
    return sql === step.sql ? null : { ...step, sql };
  };
}

const GAPS = [
  ' ',
  '\t',
  '\n',
  '\f',
  '\r',
  '  \n ',
  '/**/',
  '/* x */',
  '/* a /* b */ c */',
  ' -- c\n',
  "/* ' */",
  '/* $$ */',
  '/* " */',
  ' --\r',
  '/*;*/',
];

/** A blank stays a blank; none may become one where two tokens would not grow together differently. */
function gap(token: Token, before: Token | undefined, random: Random): string {
  if (before === undefined) return random.chance(0.3) ? random.pick(GAPS) : token.gap;
  const strings = (one: Token): boolean => one.kind === 'string' || one.kind === 'special_string';
  // 'a' newline 'b' is one string
  if (strings(token) && strings(before)) return token.gap;
  const operators = token.kind === 'operator' || before.kind === 'operator' || before.text.endsWith(':') || token.text.startsWith(':');
  if (token.gap === '' && (operators || before.kind === 'number' || token.kind === 'number'))
    return random.chance(0.3) && !operators ? ` ${random.pick(GAPS)}` : '';
  if (!random.chance(0.4)) return token.gap;
  const filler = random.pick(GAPS);
  return operators ? ` ${filler} ` : filler;
}

function otherCase(word: string, random: Random): string {
  return Array.from(word)
    .map((letter) => (letter >= '\x80' ? letter : random.chance(0.5) ? letter.toUpperCase() : letter.toLowerCase()))
    .join('');
}

/** Names that the schema makes: these may stand in quotes wherever they stand. */
const NAMES = new Set(
  [
    ...readFileSync(fileURLToPath(new URL('./public/schema.sql', import.meta.url)), 'utf8').matchAll(
      /CREATE (?:TABLE|FUNCTION|PROCEDURE|VIEW|MATERIALIZED VIEW) (\w+)/g,
    ),
  ]
    .map((match) => match[1] as string)
    .concat(
      'ssn',
      'card_number',
      'email',
      'notes',
      'customer_id',
      'amount',
      'item',
      'qty',
      'note',
      'public',
      'pg_catalog',
      'pg_read_file',
      'query_to_xml',
    ),
);

function isName(found: readonly Token[], index: number): boolean {
  const token = found[index] as Token;
  return token.kind === 'word' && NAMES.has(token.text) && token.text !== 'name';
}

function quoted(word: string, random: Random): string {
  if (random.chance(0.5)) return `"${word}"`;
  const at = random.below(word.length);
  const code = (word.codePointAt(at) as number).toString(16);
  const escape = random.chance(0.5) ? `\\${code.padStart(4, '0')}` : `\\+${code.padStart(6, '0')}`;
  return `U&"${word.slice(0, at)}${escape}${word.slice(at + 1)}"`;
}

/** A constant that no grammar rule wants in this very form: not beside another string, a type name or UESCAPE. */
function isPlainString(found: readonly Token[], index: number): boolean {
  const token = found[index] as Token;
  const beside = [found[index - 1], found[index + 1]];
  return (
    token.kind === 'string' &&
    !token.text.includes('\\') &&
    beside.every((other) => other?.kind !== 'string' && other?.kind !== 'special_string' && other?.text.toUpperCase() !== 'UESCAPE')
  );
}

function escaped(text: string, random: Random): string {
  const value = text.slice(1, -1).replaceAll("''", "'");
  const letters = Array.from(value);
  const kind = random.below(3);
  if (kind === 0) {
    const tag = random.pick(['', 'q', 'a1', '_']);
    return value.includes('$') ? text : `$${tag}$${value}$${tag}$`;
  }
  if (kind === 1) {
    return `E'${letters.map((letter) => (letter === "'" ? "''" : /[ -~]/.test(letter) && random.chance(0.4) ? byte(letter, random) : letter)).join('')}'`;
  }
  return `U&'${letters.map((letter) => (letter === "'" ? "''" : random.chance(0.4) ? `\\+${(letter.codePointAt(0) as number).toString(16).padStart(6, '0')}` : letter)).join('')}'`;
}

function byte(letter: string, random: Random): string {
  const code = letter.charCodeAt(0);
  return random.pick([
    `\\x${code.toString(16).padStart(2, '0')}`,
    `\\${code.toString(8).padStart(3, '0')}`,
    `\\u${code.toString(16).padStart(4, '0')}`,
  ]);
}

const PARAMS_MAX = 500;
/** Only in statements that are planned may a parameter stand. */
const PLANNED = /^(select|insert|update|delete|with|values|merge|table)$/i;

/** Literals become parameters of the extended protocol. */
function parameters(step: Step, random: Random): Step | null {
  if (step.sql === undefined || step.mode !== 'extended' || step.params !== undefined) return null;
  const read = tokens(step.sql);
  const first = read?.tokens.find(({ text }) => text !== '(');
  if (!read || !first || !PLANNED.test(first.text) || read.tokens.some(({ text }) => text === ';')) return null;
  const params: string[] = [];
  const changed = read.tokens.map((token, index) => {
    const before = read.tokens[index - 1]?.text.toLowerCase() ?? '';
    const literal = isPlainString(read.tokens, index) || (token.kind === 'number' && /^\d+$/.test(token.text));
    // positions (ORDER BY 1), precisions (bit(4)), fetch counts and typed literals are not expressions
    const bare = /^(by|first|next|interval|date|timestamp|using|bit|varchar|char|absolute|relative|language|tablesample|\[|as)$/.test(before);
    const typed = before === '(' && /^(bit|varchar|char|numeric|system|bernoulli)$/.test(read.tokens[index - 2]?.text.toLowerCase() ?? '');
    if (
      !literal ||
      bare ||
      typed ||
      params.length >= PARAMS_MAX ||
      /^(first|next|by)$/i.test(read.tokens[index - 1]?.text ?? '') ||
      !random.chance(0.7)
    )
      return token;
    params.push(token.kind === 'string' ? token.text.slice(1, -1).replaceAll("''", "'") : token.text);
    return { ...token, text: `$${params.length}` };
  });
  if (params.length === 0) return null;
  return { ...step, sql: changed.map(({ gap: between, text }) => between + text).join('') + read.tail, params };
}
