/** The files of a policy folder, read once: everything after this works on the snapshot, never on files that somebody may be editing. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { canonical, digest } from './canonical.ts';
import { mergeData, readDocument } from './data-documents.ts';

const FILES_MAX = 2_000;
const BYTES_MAX = 16 * 1024 * 1024;
const DEPTH_MAX = 12;

export interface PolicySources {
  /** By path relative to the folder, with `/`. */
  readonly modules: ReadonlyMap<string, string>;
  readonly tests: ReadonlyMap<string, string>;
  readonly cases: ReadonlyMap<string, string>;
  /** All data documents as one: those of the folder, then each of `data` over it. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Which document brought `approval_chains.NAME`, `directory.people` …: `key` and `key.key` → file. */
  readonly origins: ReadonlyMap<string, string>;
  /** Of modules and data, and of nothing else. */
  readonly digest: string;
}

/** @throws InterlockError POLICY_BUILD that names the file */
export async function readSources(dir: string, data: readonly string[]): Promise<PolicySources> {
  const modules = new Map<string, string>();
  const tests = new Map<string, string>();
  const cases = new Map<string, string>();
  const origins = new Map<string, string>();
  let merged: Record<string, unknown> = {};
  const taken = (document: Readonly<Record<string, unknown>>, file: string, clash: 'refuse' | 'override'): void => {
    merged = mergeData(merged, document, file, clash);
    for (const key of keysOf(document)) origins.set(key, file);
  };
  let bytes = 0;
  for (const path of await policyFiles(dir)) {
    const text = await readFile(path, 'utf8');
    bytes += text.length;
    if (bytes > BYTES_MAX) throw new InterlockError('POLICY_BUILD', `${dir}: the policies are longer than ${BYTES_MAX} bytes`);
    const name = relative(dir, path).replaceAll('\\', '/');
    if (name.endsWith('_test.rego')) tests.set(name, text);
    else if (name.endsWith('.rego')) modules.set(name, text);
    else if (isCases(name)) cases.set(name, text);
    else taken(readDocument(name, text), name, 'refuse');
  }
  if (modules.size === 0) throw new InterlockError('POLICY_BUILD', `${dir}: there is no .rego file`);
  for (const path of data) taken(readDocument(path, await readText(path)), path, 'override');
  return { modules, tests, cases, data: merged, origins, digest: sourcesDigest(modules, merged) };
}

export function sourcesDigest(modules: PolicySources['modules'], data: PolicySources['data']): string {
  const parts = [...modules].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, text]) => [name, digest(text)]);
  return digest(canonical([parts, data]));
}

/** Changes whenever a file that the policies are made of changes; cheap. */
export async function sourcesStamp(dir: string, data: readonly string[]): Promise<string> {
  const paths = [...(await policyFiles(dir)), ...data];
  const stamps = await Promise.all(
    paths.map(async (path) => {
      const { size, mtimeMs, ino } = await stat(path);
      return `${path} ${size} ${mtimeMs} ${ino}`;
    }),
  );
  return stamps.join('\n');
}

async function policyFiles(dir: string): Promise<string[]> {
  const found: string[] = [];
  const visit = async (folder: string, depth: number): Promise<void> => {
    if (depth > DEPTH_MAX) throw new InterlockError('POLICY_BUILD', `${folder}: folders are nested deeper than ${DEPTH_MAX}`);
    for (const name of (await readdir(folder)).sort()) {
      if (name.startsWith('.')) continue;
      const path = join(folder, name);
      const entry = await stat(path);
      if (entry.isDirectory()) await visit(path, depth + 1);
      else if (isPolicyFile(name)) found.push(path);
      if (found.length > FILES_MAX) throw new InterlockError('POLICY_BUILD', `${dir}: there are more than ${FILES_MAX} files`);
    }
  };
  try {
    await visit(dir, 0);
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    throw new InterlockError('POLICY_BUILD', `${dir}: the policies cannot be read: ${(error as Error).message}`, { cause: error });
  }
  return found;
}

function isPolicyFile(name: string): boolean {
  return name.endsWith('.rego') || /^data\.(ya?ml|json)$/.test(name) || isCases(name);
}

function isCases(path: string): boolean {
  const name = basename(path);
  return name === 'cases.yaml' || name.endsWith('_cases.yaml');
}

/** Two levels deep: so far documents lie over one another in what is told of them. */
function keysOf(document: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(document).flatMap(([key, value]) => [
    key,
    ...(value !== null && typeof value === 'object' ? Object.keys(value).map((name) => `${key}.${name}`) : []),
  ]);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new InterlockError('POLICY_BUILD', `${path}: the data document cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
