/** OPA as a module for WASI (tools/opa-wasi/main.go), which the published package carries; kept beside the other tools by what it is made of. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { constants as zlib, gzip } from 'node:zlib';
import { InterlockError } from '#schemas/errors';
import { standardPlace, type ToolPlace, which } from './tools.ts';

const run = promisify(execFile);
const here = dirname(fileURLToPath(import.meta.url));
const SOURCES = ['opa-wasi/main.go', 'go.mod', 'go.sum'];
const BUILD_MS_MAX = 900_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const HASH_LENGTH = 16;

/**
 * The path of the gzipped module, built with Go where it is not there yet (about 50 s).
 * @throws InterlockError TOOL_MISSING without Go
 */
export async function opaWasi(place: ToolPlace = standardPlace()): Promise<string> {
  const path = join(place.cacheDir, `opa-wasi-${await digest()}.wasm.gz`);
  if ((await readable(path)) && (await readable(licencesOf(path)))) return path;
  const go = await which('go', place.path);
  if (go === null)
    throw new InterlockError('TOOL_MISSING', 'Go is needed to compile OPA for the package: install it (https://go.dev/dl) and run this again');
  place.say('building OPA for WASI with Go (about 50 s, once) …');
  await build(go, path, place);
  place.say(`built OPA for WASI: ${path}`);
  return path;
}

/** The text that stands beside the module: licences and notices of every Go module in it, and of Go itself. */
export function licencesOf(module: string): string {
  return module.replace(/\.wasm\.gz$/, '.licences.txt');
}

function readable(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

async function digest(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of SOURCES) hash.update(`${file}\0`).update(await readFile(join(here, file)));
  return hash.digest('hex').slice(0, HASH_LENGTH);
}

async function build(go: string, path: string, place: ToolPlace): Promise<void> {
  const part = `${path}.${process.pid}.part`;
  const options = {
    cwd: here,
    env: { ...process.env, PATH: place.path, GOOS: 'wasip1', GOARCH: 'wasm', GOFLAGS: '' },
    timeout: BUILD_MS_MAX,
    maxBuffer: OUTPUT_BYTES_MAX,
  };
  try {
    await mkdir(place.cacheDir, { recursive: true });
    await run(go, ['build', '-trimpath', '-buildvcs=false', '-mod=readonly', '-ldflags=-s -w', '-o', part, './opa-wasi'], options);
    await writeFile(licencesOf(path), await licences(go, options));
    const packed = await promisify(gzip)(await readFile(part), { level: zlib.Z_BEST_COMPRESSION });
    await writeFile(part, packed, { mode: 0o644 });
    await rename(part, path);
  } finally {
    await rm(part, { force: true });
  }
}

async function licences(go: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<string> {
  const format = '{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}';
  const { stdout } = await run(go, ['list', '-mod=readonly', '-deps', '-f', format, './opa-wasi'], { ...options, maxBuffer: OUTPUT_BYTES_MAX });
  const [goRoot = '', goVersion = ''] = (await run(go, ['env', 'GOROOT', 'GOVERSION'], options)).stdout.trim().split('\n');
  const modules = [...new Set(stdout.split('\n'))].filter((line) => line !== '').sort();
  const parts = [`Go standard library\t${goVersion}\t${goRoot}`, ...modules].map(async (line) => {
    const [name = '', version = '', dir = ''] = line.split('\t');
    return `${'='.repeat(80)}\n${name} ${version}\n\n${await licenceTexts(dir)}`;
  });
  return (await Promise.all(parts)).join('\n');
}

/** Every licence and notice in a package's own folder. @throws Error when there is none: nothing is shipped whose terms are unknown */
export async function licenceTexts(dir: string): Promise<string> {
  const names = (await readdir(dir)).filter((name) => /^(licen[cs]e|copying|notice)([.-].*)?$/i.test(name) && !name.endsWith('.js')).sort();
  if (names.length === 0) throw new Error(`${dir}: no licence`);
  const texts = await Promise.all(names.map(async (name) => (await readFile(join(dir, name), 'utf8')).trim()));
  return `${texts.join('\n\n')}\n`;
}
