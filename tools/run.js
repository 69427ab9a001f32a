// Bootstrap, plain JavaScript for Node >= 18, no dependency: installs what package-lock.json pins (the right Node among it) when that
// changed, then runs a command on it. `node tools/run.js CMD ARGS…`
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
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
  const digest = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (installed(digest)) return;
  // `npm ci` empties the folder that a link points to: another checkout's
  const modules = join(root, 'node_modules');
  if (lstatSync(modules, { throwIfNoEntry: false })?.isSymbolicLink()) {
    process.stderr.write('interlock: node_modules is a link to packages of another package-lock.json. Remove the link, then run this again.\n');
    process.exit(70);
  }
  // one at a time: `npm ci` deletes what another one is writing
  const release = onlyOne();
  try {
    if (installed(digest)) return;
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
      release();
      process.exit(70);
    }
    linkPostgres();
    writeFileSync(stamp, digest);
    process.stderr.write(`done in ${Math.round((Date.now() - started) / 1000)} s\n`);
  } finally {
    release();
  }
}

function installed(digest) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
}

/** Waits for another command that installs; a file left by a process that is gone does not count. Answers how to let go. */
function onlyOne() {
  const file = join(root, '.interlock-installing');
  for (;;) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!alive(file)) rmSync(file, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
}

function alive(file) {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
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
  process.stderr.write(
    `interlock: needs Node >= 24.12; this is ${process.versions.node}. No pinned Node exists for ${process.platform}-${process.arch}: install Node 24 LTS.\n`,
  );
  process.exit(70);
}
