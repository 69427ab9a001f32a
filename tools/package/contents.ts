/** Everything that the published package holds, by path. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureConsole } from '../console.ts';
import { opaWasi } from '../opa-wasi.ts';
import { dependencies } from './dependencies.ts';
import { filesBelow, packed } from './files.ts';
import { type Checkout, codeManifest, command, healthCommand, manifest, shipped } from './manifest.ts';
import { notice } from './notice.ts';
import { root } from './root.ts';
import type { PackedFile } from './tar.ts';

type Files = Map<string, PackedFile>;

const CODE = ['engine', 'enforcers', 'schemas'];
const DOCUMENTS = ['SURFACE.md', 'ERRORS.md', 'engine/journal/FORMAT.md'];
/** Types, source maps, tests and the like: nothing of a package that runs. */
const NEVER_RUN = /\.(d\.[cm]?ts|[cm]?ts|map|tsbuildinfo)$|^(tests?|benchmarks?|docs?|examples?|\.github)\//;

/** @throws Error with the compiler's output; InterlockError TOOL_MISSING without Go and without OPA's module in the cache */
export async function contents(say: (line: string) => void): Promise<ReadonlyMap<string, PackedFile>> {
  const checkout = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Checkout;
  const opa = await opaWasi();
  const used = dependencies(Object.keys(shipped(checkout)));
  const files: Files = new Map();
  text(files, 'package.json', `${JSON.stringify(manifest(checkout), null, 2)}\n`);
  text(files, 'NOTICE', await notice(used, opa));
  text(files, 'bin/interlock.js', command(checkout), true);
  text(files, 'bin/health.js', healthCommand(), true);
  text(files, 'dist/package.json', `${JSON.stringify(codeManifest(checkout), null, 2)}\n`);
  for (const name of ['LICENSE', 'README.md']) files.set(name, packed(join(root, name)));
  for (const path of DOCUMENTS) files.set(`doc/${path.split('/').at(-1)}`, packed(join(root, path)));
  compile(files);
  assets(files);
  folder(files, join(root, 'policies'), 'dist/policies');
  folder(files, await ensureConsole(say), 'dist/engine/console/dist', (path) => path !== '.sources');
  files.set('dist/tools/carried/opa.wasm.gz', packed(opa));
  const deploy = join(root, 'tools', 'deploy');
  folder(files, deploy, 'deploy', (path) => !path.endsWith('.tgz')); // the one that the Containerfile takes
  for (const path of used.running) folder(files, join(root, path), path, (file) => !file.startsWith('node_modules/') && !NEVER_RUN.test(file));
  return files;
}

/** `npm run check` has judged the types: here they are only taken away. */
function compile(files: Files): void {
  const scratch = mkdtempSync(join(root, 'node_modules', '.interlock-package-'));
  try {
    const out = join(scratch, 'out');
    const options = { noEmit: false, noCheck: true, rootDir: root, outDir: out, typeRoots: [join(root, 'node_modules', '@types')] };
    const project = {
      extends: join(root, 'tsconfig.base.json'),
      include: CODE.map((name) => join(root, name, '**', '*.ts')),
      exclude: [join(root, 'engine', 'console')],
      compilerOptions: options,
    };
    const file = join(scratch, 'tsconfig.json');
    writeFileSync(file, JSON.stringify(project));
    execFileSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', file], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    folder(files, out, 'dist', (path) => path.endsWith('.js'));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What the code reads beside it: names of PostgreSQL's own objects, templates, JSON Schemas. */
function assets(files: Files): void {
  for (const area of CODE) folder(files, join(root, area), `dist/${area}`, (path) => !/\.(tsx?|md)$/.test(path) && !/^(console|adr)\//.test(path));
}

function folder(files: Files, from: string, to: string, wanted: (path: string) => boolean = () => true): void {
  for (const path of filesBelow(from)) if (wanted(path)) files.set(`${to}/${path}`, packed(join(from, path)));
}

function text(files: Files, path: string, content: string, executable = false): void {
  files.set(path, { bytes: Buffer.from(content), executable });
}
