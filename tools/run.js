// Bootstrap, plain JavaScript for Node >= 18, no dependency: installs what package-lock.json pins (the right Node among it) when that
// changed, then runs a command on it. `node tools/run.js CMD ARGS…`
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const bin = join(root, 'node_modules', '.bin');
const stamp = join(root, 'node_modules', '.interlock-lock');
const systemPath = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((entry) => entry !== bin)
  .join(delimiter);

install();
run(process.argv[2], process.argv.slice(3));

function install() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  const started = Date.now();
  process.stderr.write('interlock: installing dependencies from package-lock.json (about a minute, once) … ');
  // npm must not run on the Node that it is about to replace
  const done = spawnSync('npm', ['ci', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: systemPath },
  });
  if (done.status !== 0) {
    process.stderr.write(`\ninterlock: \`npm ci\` failed (${done.error?.message ?? `exit ${done.status}`}); see above.\n`);
    process.exit(70);
  }
  linkPostgres();
  writeFileSync(stamp, lock);
  process.stderr.write(`done in ${Math.round((Date.now() - started) / 1000)} s\n`);
}

/** What the packages' own install script would do; we run none (.npmrc). */
function linkPostgres() {
  for (const name of readdirSync(join(root, 'node_modules')).filter((entry) => entry.startsWith('pg-server-'))) {
    const base = join(root, 'node_modules', name);
    const list = join(base, 'native', 'pg-symlinks.json');
    if (!existsSync(list)) continue;
    for (const { source, target } of JSON.parse(readFileSync(list, 'utf8'))) {
      const at = join(base, target);
      if (lstatSync(at, { throwIfNoEntry: false })) continue;
      mkdirSync(dirname(at), { recursive: true });
      const from = '../'.repeat(target.split('/').length - 1) + source;
      symlinkSync(from, at);
    }
  }
}

function run(command, args) {
  const node = ownNode();
  const program = command === 'node' ? node : join(bin, command);
  const child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, PATH: bin + delimiter + systemPath } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`interlock: cannot run ${command}: ${error.message}\n`);
    process.exit(70);
  });
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}

/** The pinned one where it exists, and then its version is known; else the one that runs this, if it is new enough. */
function ownNode() {
  const pinned = join(bin, 'node');
  if (existsSync(pinned)) return pinned;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 24 || (major === 24 && minor >= 12)) return process.execPath;
  process.stderr.write(`interlock: needs Node >= 24.12; this is ${process.versions.node}. No pinned Node exists for ${process.platform}-${process.arch}: install Node 24 LTS.\n`);
  process.exit(70);
}
