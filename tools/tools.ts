/** One place decides where OPA, Regal and nats-server come from: the package, cache, Go build, PATH, official release. It says on stderr what it did. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { EXIT, InterlockError } from '#schemas/errors';
import { type Release, type Tool, type ToolName, TOOLS } from './tool-table.ts';

export type { ToolName } from './tool-table.ts';

const run = promisify(execFile);
const RELEASE_BYTES_MAX = 256 * 1024 * 1024;
const DOWNLOAD_MS_MAX = 300_000;
const BUILD_MS_MAX = 900_000;

/** What finding a tool depends on; tests give their own. */
export interface ToolPlace {
  /** What a published package brings along, as `NAME.wasm.gz`; in a checkout there is no such folder. */
  readonly carried?: string;
  /** Outside the repository; survives `npm ci`. */
  readonly cacheDir: string;
  readonly path: string;
  /** The folder of the Go modules; null: do not build. */
  readonly goModulesDir: string | null;
  readonly platform: string;
  readonly say: (line: string) => void;
}

const found = new Map<ToolName, Promise<string>>();

/**
 * The path of a program of exactly the pinned version.
 * @throws InterlockError TOOL_MISSING, whose message says in one line what to install.
 */
export function tool(name: ToolName): Promise<string> {
  let path = found.get(name);
  if (!path) found.set(name, (path = locate(TOOLS[name], standardPlace())));
  return path;
}

/** The same for a script's first lines: without the program it ends with one readable line and exit code 3. */
export async function toolOrExit(name: ToolName): Promise<string> {
  try {
    return await tool(name);
  } catch (error) {
    process.stderr.write(`interlock: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(EXIT.config);
  }
}

/** This machine, and the folder of this file: in a checkout it has Go modules, in a published package OPA itself. */
export function standardPlace(): ToolPlace {
  const here = dirname(fileURLToPath(import.meta.url));
  return {
    carried: join(here, 'carried'),
    cacheDir: join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'interlock', 'tools'),
    path: process.env['PATH'] ?? '',
    goModulesDir: existsSync(join(here, 'go.mod')) ? here : null,
    platform: `${process.platform}-${process.arch}`,
    say: (line) => process.stderr.write(`interlock: ${line}\n`),
  };
}

/** Carried by the package → cached → built with Go, pinned by go.sum → PATH, if its version is the pinned one → official release by its sum. */
export async function locate(wanted: Tool, place: ToolPlace): Promise<string> {
  const carried = place.carried === undefined ? null : join(place.carried, `${wanted.name}.wasm.gz`);
  if (carried !== null && existsSync(carried)) return carried;
  const cached = join(place.cacheDir, `${wanted.name}-v${wanted.version}`);
  if (await executable(cached)) return cached;
  const notes: string[] = [];
  const path = (await build(wanted, cached, place, notes)) ?? (await onPath(wanted, place, notes)) ?? (await download(wanted, cached, place, notes));
  if (path) return path;
  throw new InterlockError('TOOL_MISSING', `${wanted.name} ${wanted.version} is needed (${notes.join('; ')}): ${wanted.install}`);
}

async function build(wanted: Tool, cached: string, place: ToolPlace, notes: string[]): Promise<string | null> {
  const go = place.goModulesDir === null ? null : await which('go', place.path);
  if (go === null || place.goModulesDir === null) {
    notes.push('no Go in PATH');
    return null;
  }
  place.say(`building ${wanted.name} ${wanted.version} with Go (about ${wanted.goBuildSeconds} s, once) …`);
  const started = performance.now();
  const part = `${cached}.${process.pid}.part`;
  try {
    await mkdir(place.cacheDir, { recursive: true });
    await run(go, ['build', '-trimpath', '-buildvcs=false', '-mod=readonly', '-ldflags=-s -w', '-o', part, wanted.goPackage], {
      cwd: join(place.goModulesDir, wanted.goModule),
      env: { ...process.env, PATH: place.path, GOFLAGS: '' },
      timeout: BUILD_MS_MAX,
    });
    await rename(part, cached);
  } catch (error) {
    await rm(part, { force: true });
    notes.push(`the Go build failed: ${firstLine(error)}`);
    return null;
  }
  place.say(`built ${wanted.name} ${wanted.version} in ${Math.round((performance.now() - started) / 1000)} s: ${cached}`);
  return cached;
}

async function onPath(wanted: Tool, place: ToolPlace, notes: string[]): Promise<string | null> {
  const path = await which(wanted.name, place.path);
  if (path === null) {
    notes.push(`no ${wanted.name} in PATH`);
    return null;
  }
  const version = await versionOf(wanted, path);
  if (version === wanted.version) {
    place.say(`using ${wanted.name} ${version} from PATH: ${path}`);
    return path;
  }
  notes.push(`${path} is version ${version ?? 'unknown'}`);
  return null;
}

async function versionOf(wanted: Tool, path: string): Promise<string | null> {
  try {
    const { stdout } = await run(path, [...wanted.versionArguments], { timeout: 20_000 });
    return wanted.versionPattern.exec(stdout)?.[1] ?? null;
  } catch {
    return null; // a program that cannot say its version is not the pinned one
  }
}

async function download(wanted: Tool, cached: string, place: ToolPlace, notes: string[]): Promise<string | null> {
  const release = wanted.releases[place.platform];
  if (!release) {
    notes.push(`no public SHA-256 sum is known for ${wanted.name} ${wanted.version} on ${place.platform}`);
    return null;
  }
  try {
    place.say(`downloading ${wanted.name} ${wanted.version} from ${release.url} …`);
    const bytes = await fetchPinned(release);
    const part = `${cached}.${process.pid}.part`;
    await mkdir(place.cacheDir, { recursive: true });
    await writeFile(part, bytes);
    await chmod(part, 0o755);
    await rename(part, cached);
    place.say(`downloaded ${wanted.name} ${wanted.version}, SHA-256 as published (${release.source}): ${cached}`);
    return cached;
  } catch (error) {
    notes.push(`the download failed: ${firstLine(error)}`);
    return null;
  }
}

async function fetchPinned(release: Release): Promise<Buffer> {
  const response = await fetch(release.url, { signal: AbortSignal.timeout(DOWNLOAD_MS_MAX) });
  if (!response.ok || !response.body) throw new Error(`${release.url} answered ${response.status}`);
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    if (length > RELEASE_BYTES_MAX) throw new Error(`${release.url} is longer than ${RELEASE_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const sum = createHash('sha256').update(bytes).digest('hex');
  if (sum !== release.sha256) throw new Error(`${release.url} has SHA-256 ${sum}, expected ${release.sha256}`);
  return bytes;
}

export async function which(name: string, path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    const candidate = join(folder, name);
    if (folder !== '' && (await executable(candidate))) return candidate;
  }
  return null;
}

function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

function firstLine(error: unknown): string {
  const stderr = (error as { stderr?: unknown }).stderr;
  const text = typeof stderr === 'string' && stderr.trim() !== '' ? stderr : error instanceof Error ? error.message : String(error);
  return text.trim().split('\n').slice(-1)[0] ?? '';
}
