/** The console's files, built when its sources changed: in a checkout nobody has to remember a build. `node tools/console.ts` builds by hand. */
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const home = join(root, 'engine', 'console');
const dist = join(home, 'dist');
const STAMP = '.sources';
/** What the built files are made of; the lock file stands for the packages. */
const SOURCES = ['engine/console/source', 'engine/console/public', 'engine/console/index.html', 'engine/console/vite.config.ts', 'package-lock.json'];

/**
 * The folder with the built console (`index.html`, `assets/`), fresh. Safe beside others that do the same: each builds into a folder of its
 * own and puts it in place whole.
 * @param say gets the one line of progress, only where something is built
 * @throws Error with the builder's output
 */
export async function ensureConsole(say: (line: string) => void = () => {}): Promise<string> {
  const wanted = digest();
  if (isFresh(wanted)) return dist;
  const started = performance.now();
  const built = join(root, 'node_modules', `.interlock-console-${randomUUID()}`);
  try {
    await build(built);
    writeFileSync(join(built, STAMP), wanted);
    putInPlace(built, wanted);
  } finally {
    rmSync(built, { recursive: true, force: true });
  }
  say(`console: built in ${((performance.now() - started) / 1000).toFixed(1)} s`);
  return dist;
}

function isFresh(wanted: string): boolean {
  const stamp = join(dist, STAMP);
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted;
}

function digest(): string {
  const hash = createHash('sha256');
  for (const file of [...SOURCES, ...schemas()].flatMap((path) => files(path)))
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

/** Of the schemas it takes types and a few lists. */
function schemas(): readonly string[] {
  return readdirSync(join(root, 'schemas'))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `schemas/${name}`);
}

function files(path: string): readonly string[] {
  const full = join(root, path);
  if (!existsSync(full)) return [];
  if (!statSync(full).isDirectory()) return [path];
  return readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}

async function build(outDir: string): Promise<void> {
  const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
  const child = spawn(process.execPath, [vite, 'build', '--outDir', outDir, '--emptyOutDir', '--logLevel', 'warn'], {
    cwd: home,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  const said: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => said.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the console could not be built:\n${Buffer.concat(said).toString()}`);
}

/** Two renames: whoever reads meanwhile sees the old folder, the new one, or for a moment none. */
function putInPlace(built: string, wanted: string): void {
  const old = `${built}-old`;
  try {
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(built, dist);
  } catch (error) {
    if (!isFresh(wanted)) throw error; // somebody else was first, with the same
  } finally {
    rmSync(old, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await ensureConsole(console.log));
