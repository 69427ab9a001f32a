/** What a running gateway leaves in its state directory for commands on the same machine: with port 0 only it knows its addresses. */
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import type { Address, LoadedConfig, TargetConfig } from '../config/config.ts';
import type { RunningTarget } from '../running.ts';

/** SURFACE.md: the `--ready` document. */
export interface Ready {
  readonly ready: true;
  readonly pid: number;
  readonly version: string;
  readonly contract: 1;
  readonly revision: string;
  readonly api: string;
  /** Of an engine: where enforcers connect. */
  readonly channel?: string;
  readonly targets: Readonly<Record<string, RunningTarget>>;
  readonly journal: string;
  readonly public_key: string;
}

export async function announce(config: LoadedConfig, ready: Ready): Promise<void> {
  await writeWhole(gatewayFile(config), ready);
}

export async function withdraw(config: LoadedConfig): Promise<void> {
  await rm(gatewayFile(config), { force: true });
}

/** A reader sees all of it or nothing. */
export async function writeWhole(file: string, document: unknown): Promise<void> {
  const draft = join(dirname(file), `.${process.pid}.${Date.now()}.draft`);
  try {
    await writeFile(draft, `${JSON.stringify(document)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw new InterlockError('CONFIG_INVALID', `${file}: cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, {
      cause: error,
    });
  }
}

/** @throws InterlockError NOT_REACHABLE when none runs */
export async function announced(config: LoadedConfig): Promise<Ready> {
  try {
    const ready = JSON.parse(await readFile(gatewayFile(config), 'utf8')) as Ready;
    requireAlive(ready.pid);
    return ready;
  } catch (error) {
    throw new InterlockError('NOT_REACHABLE', `no gateway runs on ${config.file}`, { cause: error });
  }
}

/** After a crash the file stays, and its port may be somebody else's, who must not be sent a token. */
function requireAlive(pid: number): void {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  }
}

/** What the configuration says, or with port 0 what the running gateway took. */
export async function targetAddress(config: LoadedConfig, target: TargetConfig): Promise<Address> {
  if (target.listen.port !== 0) return target.listen;
  const address = (await announced(config)).targets[target.name]?.address ?? '';
  return { host: target.listen.host, port: Number(address.slice(address.lastIndexOf(':') + 1)) };
}

/** What the running gateway takes its clients to where they name none; null: it does not run here, or has none of its own. */
export async function runningDatabase(config: LoadedConfig, target: TargetConfig): Promise<string | null> {
  const ready = await announced(config).catch(() => null); // then the configuration must say it
  return ready?.targets[target.name]?.databases?.[0] ?? null;
}

function gatewayFile(config: LoadedConfig): string {
  return join(config.stateDir, 'gateway.json');
}
