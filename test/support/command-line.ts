/** Options of the commands for development (`npm run chaos`, `npm run bench` …): declared once, for reading them and for `--help`. */
import { parseArgs } from 'node:util';
import { nearest } from '#engine/config/nearest';
import { EXIT } from '#schemas/errors';

export interface Option {
  /** `N`, `FILE`, `a|b`; null: a switch. */
  readonly takes: string | null;
  /** A phrase; what is taken without it stands behind it in brackets. */
  readonly says: string;
  readonly many?: true;
}

export interface Command<Options extends Readonly<Record<string, Option>> = Readonly<Record<string, Option>>> {
  /** Of `npm run`. */
  readonly name: string;
  /** A sentence or two. */
  readonly what: string;
  /** Words beside the options, `[SHAPE…]`; null: none. */
  readonly words: string | null;
  readonly options: Options;
  /** Below the options. */
  readonly more?: string;
}

type Value<One extends Option> = One extends { readonly takes: null }
  ? boolean
  : One extends { readonly many: true }
    ? readonly string[]
    : string | undefined;

export type Given<Options extends Readonly<Record<string, Option>>> = { readonly [Name in keyof Options]: Value<Options[Name]> };

export type Understood<T> = { readonly options: T } | { readonly exit: 0 | 2; readonly text: string };

/**
 * What was asked for; else the process ends: 0 with its help, 2 with what is wrong, in a line, and where the help is.
 * @param read throws an Error whose message is for people
 */
export function optionsOf<Options extends Readonly<Record<string, Option>>, T>(
  command: Command<Options>,
  argv: readonly string[],
  read: (given: Given<Options>, words: readonly string[]) => T,
): T {
  const understood = understand(command, argv, read);
  if ('options' in understood) return understood.options;
  (understood.exit === EXIT.ok ? process.stdout : process.stderr).write(understood.text);
  process.exit(understood.exit);
}

export function understand<Options extends Readonly<Record<string, Option>>, T>(
  command: Command<Options>,
  argv: readonly string[],
  read: (given: Given<Options>, words: readonly string[]) => T,
): Understood<T> {
  if (argv.includes('--help') || argv.includes('-h')) return { exit: EXIT.ok, text: help(command) };
  try {
    const { given, words } = taken(command, argv);
    return { options: read(given as Given<Options>, words) };
  } catch (error) {
    const { message } = error as Error;
    return { exit: EXIT.usage, text: `${command.name}: ${message}\n  npm run ${command.name} -- --help says what there is\n` };
  }
}

/** A whole number, or what is taken without one. @throws Error */
export function whole(name: string, text: string | undefined, otherwise: number, least: number = 0): number {
  const value = text === undefined ? otherwise : text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} ${text}: a whole number from ${least} on`);
  return value;
}

/** @throws Error */
export function regex(name: string, text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new Error(`--${name} ${text}: ${(error as Error).message}`, { cause: error });
  }
}

/** One of a few words. @throws Error */
export function oneOf<Word extends string>(name: string, text: string, words: readonly Word[]): Word {
  const word = words.find((each) => each === text);
  if (word === undefined) throw new Error(`--${name} ${text}: ${words.join(', ')}`);
  return word;
}

function taken({ options, words: takesWords }: Command, argv: readonly string[]): { given: object; words: readonly string[] } {
  const types = Object.entries(options).map(([name, { takes }]) => [name, { type: takes === null ? 'boolean' : 'string' }] as const);
  const { tokens } = parseArgs({ args: [...argv], options: Object.fromEntries(types), strict: false, tokens: true });
  const given: Record<string, unknown> = {};
  for (const [name, { takes, many }] of Object.entries(options)) given[name] = takes === null ? false : many ? [] : undefined;
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'option') take(token, options, given);
    else if (token.kind === 'positional') words.push(token.value);
  }
  if (takesWords === null && words.length > 0) throw new Error(`it takes options only, and no “${words[0]}”`);
  return { given, words };
}

interface Token {
  readonly name: string;
  readonly rawName: string;
  readonly value?: string | undefined;
  readonly inlineValue?: boolean | undefined;
}

function take({ name, rawName, value, inlineValue }: Token, options: Command['options'], given: Record<string, unknown>): void {
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    const near = nearest(name, Object.keys(options));
    throw new Error(`unknown option ${rawName}${near === null ? '' : `; is --${near} meant?`}`);
  }
  const { takes, many } = option;
  if (takes === null && value !== undefined) throw new Error(`--${name} takes no value`);
  if (takes !== null && (value === undefined || (inlineValue !== true && value.startsWith('--')))) throw new Error(`--${name} needs ${takes}`);
  if (takes === null) given[name] = true;
  else given[name] = many ? [...(given[name] as readonly string[]), value] : value;
}

function help({ name, what, words, options, more }: Command): string {
  const lines = Object.entries(options).map(([option, { takes, says, many }]) => {
    return [`  --${option}${takes === null ? '' : ` ${takes}`}`, `${says}${many ? '; more than once' : ''}`] as const;
  });
  lines.push(['  --help', 'this']);
  const width = Math.min(MARGIN_MAX, Math.max(...lines.map(([left]) => left.length)));
  const listed = lines.map(([left, says]) => (left.length > width ? `${left}\n${' '.repeat(width)}  ${says}` : `${left.padEnd(width)}  ${says}`));
  const usage = `npm run ${name} -- ${words === null ? '' : `${words} `}[options]`;
  return `${[usage, what, listed.join('\n'), ...(more === undefined ? [] : [more])].join('\n\n')}\n`;
}

/** Options longer than this have their words on a line of their own. */
const MARGIN_MAX = 26;
