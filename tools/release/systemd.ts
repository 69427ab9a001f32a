/** A systemd of its own as process 1 of its own namespaces, on a root file system made here: units run under it with all that they restrict. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { must } from './steps.ts';

const run = promisify(execFile);
const BOOT_MS_MAX = 120_000;

/** Devices, control groups and a root that is not a chroot (in one, users cannot be private); then systemd. `/dev` has what a container's has. */
const BOOT = `set -eu
mount --make-rprivate /
mount --bind "$1" "$1"
cd "$1"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
for folder in run tmp dev; do mount -t tmpfs tmpfs "$folder"; done
for device in null zero full random urandom tty; do : > "dev/$device"; mount --bind "/dev/$device" "dev/$device"; done
mkdir dev/shm dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
: > dev/console
mkdir -p old
pivot_root . old
exec env -i container=interlock-check PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c 'umount -l /old; mount --make-rshared /; exec /lib/systemd/systemd --unit=multi-user.target'`;

export interface Booted extends AsyncDisposable {
  /** Runs a program inside. @returns stdout @throws Error with what it said, unless it ended with 0 */
  inside(program: string, ...args: readonly string[]): Promise<string>;
}

/** The network is this machine's. As root, where control groups of version 2 can be mounted. */
export async function boot(root: string): Promise<Booted> {
  const outer = spawn('unshare', ['-m', '-p', '-u', '-i', '-C', '--fork', '--kill-child', 'sh', '-c', BOOT, 'sh', root], { stdio: 'ignore' });
  const ended = once(outer, 'exit');
  const inside: Booted['inside'] = async (program, ...args) => {
    const [pid = ''] = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8').trim().split(' ');
    const enter = ['-t', pid, '-m', '-p', '-u', '-i', '-C', '-r', '-w', '--', program, ...args];
    try {
      return (await run('nsenter', enter, { maxBuffer: 1 << 24, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } })).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout?: string; stderr?: string };
      throw new Error(`${[program, ...args].join(' ')}: ${stdout ?? ''}${stderr ?? String(error)}`, { cause: error });
    }
  };
  const stop = async (): Promise<void> => {
    outer.kill('SIGKILL');
    await ended;
  };
  try {
    await running(inside);
  } catch (error) {
    await stop();
    throw error;
  }
  return { inside, [Symbol.asyncDispose]: stop };
}

async function running(inside: Booted['inside']): Promise<void> {
  const until = performance.now() + BOOT_MS_MAX;
  let state = '';
  while (!/^(running|degraded)/.test(state)) {
    must(performance.now() < until, `systemd is not up after ${BOOT_MS_MAX / 1000} s: ${state}`);
    await new Promise((resolve) => setTimeout(resolve, 250));
    // exit 1 while it starts, and for degraded: a unit of Debian's that wants what a container lacks
    state = await inside('sh', '-c', 'systemctl is-system-running || true').catch((error: unknown) => String(error));
  }
}
