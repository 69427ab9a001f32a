/** A small Debian as a folder, made here from the distribution's own packages: the ground that images and services are tried on without an engine. */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, realpath, rename, rm, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SUITE = 'bookworm';
const PACKAGES = ['libstdc++6', 'systemd', 'systemd-sysv'];
const MAKE_MS_MAX = 600_000;

/** As root, on Debian or a relative of it. @param into an empty folder @throws Error with what mmdebstrap said */
export async function debianRoot(into: string, say: (line: string) => void): Promise<void> {
  await run('tar', ['-xpf', await archive(say), '-C', into, '--numeric-owner']);
}

/** Node as pinned in package-lock.json, and this machine's npm: what an official image of Node has. */
export async function addNode(root: string): Promise<void> {
  await mkdir(join(root, 'usr/local/bin'), { recursive: true });
  await copyFile(await realpath(process.execPath), join(root, 'usr/local/bin/node'));
  const command = await realpath((await run('sh', ['-c', 'command -v npm'])).stdout.trim()); // npm/bin/npm-cli.js
  await cp(dirname(dirname(command)), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true, verbatimSymlinks: true });
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
}

/** Kept by what it is made of: a minute the first time. */
async function archive(say: (line: string) => void): Promise<string> {
  const name = createHash('sha256')
    .update([SUITE, ...PACKAGES].join(' '))
    .digest('hex')
    .slice(0, 12);
  const file = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'interlock', 'roots', `${SUITE}-${name}.tar`);
  if (existsSync(file)) return file;
  say(`making a root file system of Debian ${SUITE} (about a minute, once) …`);
  const part = `${file}.${randomUUID()}.tar`;
  await mkdir(dirname(file), { recursive: true });
  try {
    const options = ['--variant=minbase', `--include=${PACKAGES.join(',')}`, '--aptopt=APT::Install-Recommends "false"'];
    await run('mmdebstrap', [...options, SUITE, part], { timeout: MAKE_MS_MAX, maxBuffer: 1 << 24 });
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
  return file;
}
