import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { LineCounter, parseDocument, type Document } from 'yaml';
import type { Config } from '#schemas/config';
import { InterlockError } from '#schemas/errors';
import { schemaFor } from './apart.ts';
import { checkNode } from './check.ts';
import type { LoadedConfig } from './config.ts';
import { Findings } from './places.ts';
import { resolveConfig } from './resolve.ts';
import { checkRules } from './rules.ts';

const FILE_BYTES_MAX = 1024 * 1024;
const ALIASES_MAX = 100;
const MISTAKES_SHOWN = 20;

/**
 * Reads, checks and resolves `interlock.yaml`. Reads no secret and no other file: see checkFiles and readSecret.
 * @throws InterlockError CONFIG_INVALID, or CONFIG_SECRET_INLINE when a secret stands in the file: one message with every mistake,
 * each with file:line:column, key, what was found and what is allowed.
 */
export async function loadConfig(file: string): Promise<LoadedConfig> {
  return parseConfig(await readText(file), file);
}

/** The same for a text that is at hand. `file` is named in messages, and relative paths are relative to its folder. */
export function parseConfig(text: string, file: string): LoadedConfig {
  const lines = new LineCounter();
  const findings = new Findings(lines);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2', merge: false });
  // what follows the first one is mostly its echo
  for (const { pos, message } of [...document.errors, ...document.warnings].slice(0, 1)) findings.add(pos[0], '', syntax(message, text, pos[0]));
  if (document.contents === null) findings.add(0, '', 'is empty; `interlock init` writes a configuration to start from');
  refuse(file, findings);
  checkNode(document.contents, schemaFor(document), { document, findings, path: '', offset: 0 });
  refuse(file, findings);
  const raw = plain(document, file);
  const config = resolveConfig(raw, file, dirname(resolve(file)));
  const notices = checkRules(raw, config, findings);
  refuse(file, findings);
  return { ...config, notices, places: findings.places, raw };
}

async function readText(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const stat = await handle.stat();
    if (!stat.isFile()) throw new InterlockError('CONFIG_INVALID', `${file}: is not a file`);
    if (stat.size > FILE_BYTES_MAX) throw new InterlockError('CONFIG_INVALID', `${file}: is longer than 1 MiB`);
    return await handle.readFile('utf8');
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    const code = (error as NodeJS.ErrnoException).code;
    const why =
      code === 'ENOENT' ? 'there is no such file; name one with -c, or write one with `interlock init`' : `cannot be read (${code ?? 'unknown'})`;
    throw new InterlockError('CONFIG_INVALID', `${file}: ${why}`, { cause: error });
  }
}

/** The parser's words without the excerpt behind their colon: an excerpt could be a secret. */
function syntax(message: string, text: string, offset: number): string {
  const line = text.slice(text.lastIndexOf('\n', offset - 1) + 1).split('\n', 1)[0] ?? '';
  const hint = line.includes('${') ? '; variables are not expanded: a secret is a reference, such as `{ env: NAME }`' : '';
  return `not well-formed YAML: ${message.split(': ')[0] ?? ''}${hint}`;
}

function plain(document: Document, file: string): Config {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX }) as Config;
  } catch (error) {
    throw new InterlockError('CONFIG_INVALID', `${file}: too many aliases`, { cause: error });
  }
}

function refuse(file: string, findings: Findings): void {
  const { mistakes } = findings;
  if (mistakes.length === 0) return;
  const inline = mistakes.some((mistake) => mistake.inlineSecret);
  const lines = mistakes
    .slice(0, MISTAKES_SHOWN)
    .map(({ line, column, path, text }) => `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${text}`);
  if (mistakes.length > MISTAKES_SHOWN) lines.push(`and ${mistakes.length - MISTAKES_SHOWN} more`);
  throw new InterlockError(inline ? 'CONFIG_SECRET_INLINE' : 'CONFIG_INVALID', lines.join('\n'));
}
