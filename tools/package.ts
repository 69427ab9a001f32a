/** `npm run package`: the npm tarball of this checkout, the same bytes for the same tree. `[-- --out FILE]` puts it elsewhere than in dist/. */
import { createHash, randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { contents } from './package/contents.ts';
import { filesBelow } from './package/files.ts';
import { PACKAGE_NAME } from './package/manifest.ts';
import { root } from './package/root.ts';
import { tarball } from './package/tar.ts';

/** What the package is made of; the lock file stands for the packages. */
const SOURCES = ['engine', 'enforcers', 'schemas', 'policies', 'tools'];
const KEPT_MAX = 8;
const FILES = ['package.json', 'package-lock.json', 'tsconfig.base.json', 'LICENSE', 'README.md', 'SURFACE.md', 'ERRORS.md'];

/**
 * The tarball; kept by what it is made of, so that only a changed tree is packed again (about 10 s, with OPA's module in the cache).
 * @throws Error with the compiler's output; InterlockError TOOL_MISSING without Go
 */
export async function packageTarball(say: (line: string) => void = () => {}): Promise<string> {
  const cache = join(root, 'node_modules', '.cache', 'interlock-package');
  mkdirSync(cache, { recursive: true });
  for (;;) {
    const made = digest();
    const file = join(cache, `${made}.tgz`);
    if (existsSync(file)) return file;
    const files = await contents(say);
    if (digest() !== made) continue; // somebody saved a file meanwhile: what was read is neither tree
    const part = `${file}.${randomUUID()}.part`;
    writeFileSync(part, tarball(new Map([...files].map(([path, entry]) => [`package/${path}`, entry]))));
    renameSync(part, file);
    prune(cache);
    return file;
  }
}

/** The newest few stay: another process may be installing one. */
function prune(cache: string): void {
  const made = readdirSync(cache).map((name) => join(cache, name));
  const oldest = made.map((file) => ({ file, at: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 })).sort((a, b) => b.at - a.at);
  for (const { file } of oldest.slice(KEPT_MAX)) rmSync(file, { force: true });
}

function digest(): string {
  const hash = createHash('sha256');
  const below = SOURCES.flatMap((folder) => filesBelow(join(root, folder)).map((path) => join(folder, path)));
  for (const path of [...FILES, ...below.filter((name) => !name.startsWith('engine/console/dist/') && !name.endsWith('.tgz'))])
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0');
  return hash.digest('hex').slice(0, 32);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const { values } = parseArgs({ options: { out: { type: 'string', default: join(root, 'dist', `${PACKAGE_NAME}-${version}.tgz`) } } });
  const made = await packageTarball(console.log);
  mkdirSync(dirname(values.out), { recursive: true });
  copyFileSync(made, values.out);
  const bytes = readFileSync(made);
  console.log(`${values.out}: ${(bytes.length / 1e6).toFixed(1)} MB, sha256 ${createHash('sha256').update(bytes).digest('hex')}`);
}
