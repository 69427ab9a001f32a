/**
 * `npm run container:check`: builds tools/deploy/Containerfile with buildah, without a daemon and without a registry, and runs the image as its
 * user on a root that cannot be written, against a real PostgreSQL. As root on Debian, with `apt-get install buildah mmdebstrap`. The base is a
 * Debian made here with the pinned Node, not the official image of Node: that part is the registry's, and is not checked.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, startPostgres } from '#test/support/postgres';
import { packageTarball } from './package.ts';
import { root } from './package/root.ts';
import { addNode, debianRoot } from './release/debian-root.ts';
import { accepts, governs, placed } from './release/govern.ts';
import { checked, must } from './release/steps.ts';

const execute = promisify(execFile);
const BASE = 'localhost/interlock-base';
const IMAGE = 'localhost/interlock';
const USER = 65532;

const scratch = mkdtempSync(join(tmpdir(), 'interlock-container-'));
const storage = ['--root', join(scratch, 'storage'), '--runroot', join(scratch, 'run'), '--storage-driver', 'vfs'];

async function buildah(...args: string[]): Promise<string> {
  return (await execute('buildah', [...storage, ...args], { maxBuffer: 1 << 26 })).stdout.trim();
}

await checked('the Containerfile, built by buildah (chroot isolation, no daemon, no registry)', async (step) => {
  const containers: string[] = [];
  try {
    await step('a base: Debian, the pinned Node, npm', async () => {
      const base = join(scratch, 'base');
      mkdirSync(base);
      await debianRoot(base, console.log);
      await addNode(base);
      const container = await buildah('from', 'scratch');
      await buildah('add', '--quiet', container, base, '/');
      await buildah('config', '--env', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', container);
      await buildah('commit', '--quiet', '--rm', container, BASE);
      rmSync(base, { recursive: true });
    });
    await step('the image', async () => {
      const context = join(scratch, 'context');
      mkdirSync(context);
      copyFileSync(await packageTarball(), join(context, 'interlock-gateway.tgz'));
      copyFileSync(join(root, 'tools', 'deploy', 'Containerfile'), join(context, 'Containerfile'));
      await buildah('build', '--isolation', 'chroot', '--format', 'docker', '--pull-never', '--build-arg', `BASE=${BASE}`, '--tag', IMAGE, context);
    });
    await step('says who runs what, and how its health is known', async () => {
      const { Docker } = JSON.parse(await buildah('inspect', '--type', 'image', IMAGE)) as { Docker: { config: Record<string, unknown> } };
      const { User, Entrypoint, Healthcheck, Volumes, Labels } = Docker.config;
      must(User === `${USER}:${USER}`, `its user is ${String(User)}`);
      must(JSON.stringify(Entrypoint) === '["/usr/bin/node","/opt/interlock/bin/interlock.js"]', `its entry point is ${JSON.stringify(Entrypoint)}`);
      must(JSON.stringify(Healthcheck).includes('/opt/interlock/bin/health.js'), 'it has no health check');
      must('/var/lib/interlock' in (Volumes as object), 'its state is no volume');
      must('org.opencontainers.image.version' in (Labels as object), 'it has no labels');
    });
    const container = await buildah('from', '--pull-never', IMAGE);
    containers.push(container);
    const mounted = await buildah('mount', container);
    await step('holds no shell, no package manager and nothing setuid', async () => {
      const files = readdirSync(mounted, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      const executables = readdirSync(join(mounted, 'usr/bin'));
      must(executables.join() === 'node' && !existsSync(join(mounted, 'bin')), `it has programs: ${executables.join(', ')}`);
      const raised = files.filter(({ parentPath, name }) => (statSync(join(parentPath, name)).mode & 0o6000) !== 0);
      must(raised.length === 0, 'it has setuid files');
      console.log(`         ${(files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0) / 1e6).toFixed(0)} MB`);
    });
    await step('`buildah run` answers --version, and finds no shell', async () => {
      const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
      const said = await buildah('run', '--isolation', 'chroot', container, '--', '/usr/bin/node', '/opt/interlock/bin/interlock.js', '--version');
      must(said === version, `it said ${said}`);
      const shell = await buildah('run', '--isolation', 'chroot', container, '--', '/bin/sh', '-c', 'true').catch(() => null);
      must(shell === null, 'it ran a shell');
    });
    await step('up, as its user, on a root that cannot be written: governs, is healthy, drains; its record verifies', () => ups(mounted));
  } finally {
    for (const container of containers) await buildah('rm', container).catch(() => {}); // its folder is removed below
    rmSync(scratch, { recursive: true, force: true });
  }
});

async function ups(image: string): Promise<void> {
  await using server = await startPostgres({ major: 17 });
  await server.query('CREATE TABLE notes (id int PRIMARY KEY, body text)');
  await server.query("INSERT INTO notes VALUES (1, 'hello')");
  for (const dir of ['proc', 'dev']) mkdirSync(join(image, dir), { recursive: true }); // an engine makes them
  const [config, state] = [join(scratch, 'config'), join(scratch, 'state')];
  for (const dir of [config, state]) {
    mkdirSync(dir, { mode: 0o700 });
    await execute('chown', [`${USER}:${USER}`, dir]);
  }
  const inside = (...args: string[]): Entered => inImage(image, { config, state }, args);
  await ended(inside('init', '/etc/interlock/gateway'));
  const [api, shop] = [await freePort(), await freePort()];
  const gateway = join(config, 'gateway');
  const file = join(gateway, 'interlock.yaml');
  writeFileSync(join(gateway, 'shop-url'), server.url());
  await execute('chown', [`${USER}:${USER}`, join(gateway, 'shop-url')]);
  await execute('chmod', ['600', join(gateway, 'shop-url')]);
  writeFileSync(file, placed(readFileSync(file, 'utf8'), { api, shop, state: '/var/lib/interlock', url: './shop-url' }));
  const named = ['-c', '/etc/interlock/gateway/interlock.yaml'];
  const up = inside('up', ...named);
  try {
    await Promise.race([accepts(shop, 60_000), ended(up)]);
    const token = await ended(inside('token', '--login', 'you', '--group', 'developers', ...named));
    await governs(shop, token.trim());
    await ended(inImage(image, { config, state }, [], ['/opt/interlock/bin/health.js'], { INTERLOCK_HEALTH_URL: `http://127.0.0.1:${api}/healthz` }));
  } finally {
    up.child.kill('SIGTERM');
    await ended(up);
  }
  await ended(inside('audit', 'verify', '--dir', '/var/lib/interlock/journal', '--key', '/var/lib/interlock/keys/checkpoint.pub'));
}

interface Entered {
  readonly child: ChildProcess;
  readonly said: { out: string; error: string };
}

/** What `podman run --read-only --tmpfs /tmp -v … --network host` does, with mount namespaces alone. */
function inImage(
  image: string,
  { config, state }: { readonly config: string; readonly state: string },
  args: readonly string[],
  program: readonly string[] = ['/opt/interlock/bin/interlock.js'],
  env: Readonly<Record<string, string>> = {},
): Entered {
  const script = `set -eu
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t tmpfs tmpfs "$1/dev"
for device in null urandom; do : > "$1/dev/$device"; mount --bind "/dev/$device" "$1/dev/$device"; done
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
mount --bind "$2" "$1/etc/interlock"
mount --bind "$3" "$1/var/lib/interlock"
mount -o remount,bind,ro "$1"
image="$1"; shift 3
exec chroot --userspec=${USER}:${USER} "$image" /usr/bin/node "$@"`;
  const child = spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', image, config, state, ...program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { HOME: '/var/lib/interlock', NODE_ENV: 'production', PATH: process.env['PATH'] ?? '', ...env },
  });
  const said = { out: '', error: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.error += chunk.toString()));
  return { child, said };
}

/** @returns stdout @throws Error with everything that it said, unless it ended with 0 */
async function ended({ child, said }: Entered): Promise<string> {
  if (child.exitCode === null) await once(child, 'close');
  must(child.exitCode === 0, `exit ${child.exitCode}: ${said.out}${said.error}`);
  return said.out;
}
