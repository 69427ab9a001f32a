/** What the machine offers: Node, OPA, disk, ports. */
import { once } from 'node:events';
import { mkdir, open, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { tool } from '#tools/tools';
import type { Address, LoadedConfig } from '../../config/config.ts';
import { openStateDir } from '../../config/state.ts';
import { announced } from '../running.ts';
import { check, type Check } from './check.ts';

const NODE_MIN = [24, 12] as const;
const SYNCS = 32;
const SYNC_BYTES = 300;
const SYNC_MS_GOOD = 10;

export function checkNode(): Promise<Check> {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  return check('node', `at least ${NODE_MIN.join('.')}`, 'Start it with `bin/interlock`, which finds the right one.', () => ({
    ok,
    value: process.versions.node,
  }));
}

export function checkOpa(): Promise<Check> {
  return check('opa', 'the pinned version', 'Put OPA into PATH, or install Go.', async () => ({ ok: true, value: await tool('opa') }));
}

export function checkState(config: LoadedConfig): Promise<Check> {
  return check('state', 'folders 0700, keys 0600', 'chmod 0700 the folder and 0600 the keys.', async () => {
    await openStateDir(config.stateDir);
    return { ok: true, value: config.stateDir };
  });
}

/** A listener's address must be free, or taken by the gateway that runs on this configuration. */
export function checkPort(config: LoadedConfig, path: string, address: Address): Promise<Check> {
  return check(`port.${path}`, 'free, or ours', 'Choose another port, or stop the other program.', async () => {
    const shown = `${address.host}:${address.port}`;
    const trouble = await tryListen(address);
    if (trouble === null) return { ok: true, value: `${shown} is free` };
    const runs = trouble === 'EADDRINUSE' && (await gatewayRuns(config));
    return { ok: runs, value: runs ? `${shown} is the running gateway’s` : `${shown}: ${trouble === 'EADDRINUSE' ? 'in use' : trouble}` };
  });
}

async function tryListen({ host, port }: Address): Promise<string | null> {
  const server = createServer();
  try {
    const listening = once(server, 'listening');
    server.listen(port, host);
    await listening;
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'unknown';
  } finally {
    server.close();
  }
}

async function gatewayRuns(config: LoadedConfig): Promise<boolean> {
  try {
    process.kill((await announced(config)).pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** What each statement waits for. */
export function checkDisk(config: LoadedConfig): Promise<Check> {
  return check(
    'journal.fdatasync',
    `p50 at most ${SYNC_MS_GOOD} ms`,
    'Put `journal.dir` on a faster disk: each statement waits for it once.',
    async () => {
      const p50 = await medianSyncMs(config.journal.dir);
      return { ok: p50 <= SYNC_MS_GOOD, value: `p50 ${p50.toFixed(3)} ms in ${config.journal.dir}` };
    },
  );
}

async function medianSyncMs(dir: string): Promise<number> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, `.doctor.${process.pid}`);
  await using handle = await open(file, 'wx', 0o600);
  await rm(file); // open until we are done, gone whatever happens
  const times: number[] = [];
  for (let sync = 0; sync < SYNCS; sync++) {
    await handle.write(Buffer.alloc(SYNC_BYTES, sync));
    const before = performance.now();
    await handle.datasync();
    times.push(performance.now() - before);
  }
  return times.sort((a, b) => a - b)[SYNCS / 2] ?? 0;
}
