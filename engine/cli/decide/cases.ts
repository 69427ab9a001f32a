/** `interlock decide --cases`: one JSON object a line. */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { InterlockError } from '#schemas/errors';

/** As it stands in the file; subject and resource are checked by what is made of them. */
export interface CaseLine {
  readonly id: string;
  readonly subject: unknown;
  readonly resource: unknown;
  /** One of these three. */
  readonly statement?: string;
  readonly http?: unknown;
  readonly mcp?: unknown;
  readonly params?: unknown;
  readonly transaction?: unknown;
  readonly settings?: unknown;
  readonly action?: unknown;
  readonly usage?: unknown;
  /** `file:line`, for messages. */
  readonly where: string;
}

const KEYS = ['id', 'subject', 'resource', 'statement', 'http', 'mcp', 'params', 'transaction', 'settings', 'action', 'usage'];

/** @throws InterlockError USAGE that names the line */
export async function* readCases(file: string): AsyncGenerator<CaseLine> {
  const input = file === '-' ? process.stdin : createReadStream(file, 'utf8');
  let number = 0;
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number += 1;
      if (line.trim() !== '') yield readCase(line, `${file}:${number}`);
    }
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    throw new InterlockError('USAGE', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  }
}

function readCase(line: string, where: string): CaseLine {
  const value = parse(line, where);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new InterlockError('USAGE', `${where}: not an object`);
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw new InterlockError('USAGE', `${where}: unknown key \`${unknown}\`; allowed: ${KEYS.join(', ')}`);
  const { id, subject, resource, ...rest } = value as Record<string, unknown>;
  if (typeof id !== 'string') throw new InterlockError('USAGE', `${where}: \`id\` must be a text`);
  const asked = ASKED.filter((key) => Object.hasOwn(rest, key));
  if (asked.length !== 1) throw new InterlockError('USAGE', `${where}: one of ${ASKED.join(', ')} is needed`);
  if (asked[0] === 'statement' && typeof rest['statement'] !== 'string') throw new InterlockError('USAGE', `${where}: \`statement\` must be a text`);
  return { id, subject, resource, ...rest, where };
}

const ASKED = ['statement', 'http', 'mcp'];

function parse(line: string, where: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new InterlockError('USAGE', `${where}: not JSON`, { cause: error });
  }
}
