/** A runbook: one statement or request with typed parameters, as it stands in its file. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Compile } from 'typebox/compile';
import type { Static } from 'typebox';
import { parse } from 'yaml';
import { InterlockError } from '#schemas/errors';
import { holesOf, sqlHoles } from './holes.ts';

const Text = { type: 'string', minLength: 1 } as const;
const Name = { type: 'string', pattern: '^[a-z][a-z0-9_]{0,62}$' } as const;

export const PARAMETER_TYPES = ['text', 'integer', 'number', 'boolean', 'date', 'uuid'] as const;

export const Parameter = {
  type: 'object',
  additionalProperties: false,
  required: ['type'],
  properties: {
    type: { enum: PARAMETER_TYPES },
    description: Text,
    /** Of numbers: the least and the greatest. Of texts: characters. */
    min: { type: 'number' },
    max: { type: 'number' },
    one_of: { type: 'array', minItems: 1, items: { anyOf: [{ type: 'string' }, { type: 'number' }] } },
    /** Where nothing is given; without it one must be. */
    default: { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }] },
  },
} as const;
export type Parameter = Static<typeof Parameter>;

const RunbookFile = {
  type: 'object',
  additionalProperties: false,
  required: ['description', 'target'],
  properties: {
    description: Text,
    target: Text,
    database: Text,
    parameters: { type: 'object', additionalProperties: Parameter, propertyNames: Name },
    /** SQL; `{{name}}` is a parameter, bound and never pasted. */
    statement: Text,
    /** `{{name}}` stands for a whole segment of the path, a whole value of the query, or a whole value of the body. */
    http: {
      type: 'object',
      additionalProperties: false,
      required: ['path'],
      properties: {
        method: { enum: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] },
        path: { type: 'string', pattern: '^/' },
        headers: { type: 'object', additionalProperties: { type: 'string' } },
        body: {},
      },
    },
  },
} as const;
type RunbookFile = Static<typeof RunbookFile>;

export interface Runbook extends RunbookFile {
  readonly name: string;
  readonly file: string;
}

const FILE_BYTES_MAX = 64 * 1024;
const FILES_MAX = 1_000;
const check = Compile(RunbookFile);

/** Sorted by name. @throws InterlockError RUNBOOK_INVALID that names the file and what is wrong in it */
export async function readRunbooks(dir: string): Promise<readonly Runbook[]> {
  const names = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw wrong(dir, `cannot be read (${error.code ?? 'unknown'})`);
  });
  const files = names.filter((name) => /\.ya?ml$/.test(name)).toSorted();
  if (files.length > FILES_MAX) throw wrong(dir, `holds ${files.length} files; allowed: ${FILES_MAX}`);
  return await Promise.all(files.map((name) => readRunbook(join(dir, name))));
}

export async function readRunbook(file: string): Promise<Runbook> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw wrong(file, `cannot be read (${error.code ?? 'unknown'})`);
  });
  if (Buffer.byteLength(text) > FILE_BYTES_MAX) throw wrong(file, `is longer than ${FILE_BYTES_MAX} bytes`);
  const value = parsed(file, text);
  if (!check.Check(value)) throw wrong(file, problemOf(value));
  const runbook: Runbook = { ...value, name: basename(file).replace(/\.ya?ml$/, ''), file };
  const problem = inconsistent(runbook);
  if (problem !== null) throw wrong(file, problem);
  return runbook;
}

function parsed(file: string, text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw wrong(file, (error as Error).message.split('\n')[0] ?? 'no YAML');
  }
}

function problemOf(value: unknown): string {
  const first = [...check.Errors(value)][0];
  if (first === undefined) return 'is no runbook';
  const at = first.instancePath === '' ? 'it' : `\`${first.instancePath.slice(1).replaceAll('/', '.')}\``;
  const extra = first.keyword === 'additionalProperties' ? `: ${first.params.additionalProperties.join(', ')}` : '';
  return `${at} ${first.message}${extra}`;
}

/** What no schema says: each hole has its parameter, each parameter its hole, and stands where it can be bound. */
function inconsistent({ statement, http, parameters = {}, database }: Runbook): string | null {
  if ((statement === undefined) === (http === undefined)) return 'needs one of `statement` and `http`';
  if (http !== undefined && database !== undefined) return '`database` is of a `statement` alone';
  const found = statement !== undefined ? sqlHoles(statement) : holesOf(http ?? { path: '/' });
  if (typeof found === 'string') return found;
  const used = new Set(found);
  const unknown = [...used].find((name) => !Object.hasOwn(parameters, name));
  if (unknown !== undefined) return `{{${unknown}}} has no parameter; there are: ${Object.keys(parameters).join(', ') || 'none'}`;
  const idle = Object.keys(parameters).find((name) => !used.has(name));
  return idle === undefined ? null : `parameter \`${idle}\` is not used`;
}

function wrong(file: string, what: string): InterlockError {
  return new InterlockError('RUNBOOK_INVALID', `${file}: ${what}`);
}
