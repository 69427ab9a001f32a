/** Pinned definitions of tools: what was looked at and approved, by digest (SECURITY §1.9: a tool whose definition changes is disabled). */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseStrictJson } from '#client/strict-json';
import { InterlockError } from '#schemas/errors';
import { MCP_LIMITS } from './limits.ts';
import { isObject } from './protocol.ts';

/** A tool as the server describes it: the whole object, for those who are shown it. */
export type ToolDefinition = Readonly<Record<string, unknown>> & { readonly name: string };

/** One entry of tools.lock.json. */
export interface PinnedTool {
  readonly name: string;
  /** sha256 over name, description, input and output schema, and annotations. */
  readonly digest: string;
  readonly definition: ToolDefinition;
}

export interface Pins {
  readonly contract: 1;
  readonly pinned_at: string;
  readonly tools: readonly PinnedTool[];
}

export function isTool(value: unknown): value is ToolDefinition {
  return isObject(value) && typeof value['name'] === 'string' && value['name'] !== '' && isObject(value['inputSchema']);
}

/** All that a model is told of a tool, and all that its arguments are checked against; icons and `_meta` are neither. */
export function digestOf(tool: ToolDefinition): string {
  const { name, title, description, inputSchema, outputSchema, annotations, execution } = tool;
  const text = canonical([name, title ?? null, description ?? null, inputSchema, outputSchema ?? null, annotations ?? null, execution ?? null]);
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  const keys = Object.keys(value).toSorted();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

export function pinsOf(tools: readonly ToolDefinition[], pinnedAt: string): Pins {
  const pinned = tools.map((tool) => ({ name: tool.name, digest: digestOf(tool), definition: tool }));
  return { contract: 1, pinned_at: pinnedAt, tools: pinned.toSorted((left, right) => (left.name < right.name ? -1 : 1)) };
}

export function writePins(file: string, pins: Pins): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(pins, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** Equal when the file is the same. */
export function versionOf(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}

/** null: there is no such file, so nothing is pinned. @throws InterlockError CONFIG_INVALID: it is not what `mcp pin` writes, or was edited by hand */
export function readPins(file: string): Pins | null {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new InterlockError('CONFIG_INVALID', `${file} cannot be read`, { cause: error });
  }
  const json = bytes.length > MCP_LIMITS.pinsFileBytes ? null : parseStrictJson(bytes);
  const value = json?.ok === true ? json.value : null;
  if (!isObject(value) || value['contract'] !== 1 || !Array.isArray(value['tools']))
    throw new InterlockError('CONFIG_INVALID', `${file} is no tools.lock.json`);
  for (const tool of value['tools'] as unknown[]) {
    const sound =
      isObject(tool) && isTool(tool['definition']) && tool['name'] === tool['definition'].name && tool['digest'] === digestOf(tool['definition']);
    if (!sound)
      throw new InterlockError(
        'CONFIG_INVALID',
        `${file}: the digest of ${JSON.stringify(isObject(tool) ? tool['name'] : null)} is not that of its definition`,
      );
  }
  return value as unknown as Pins;
}
