/**
 * `interlock up`, `engine` or `enforce` with a part that is built wrong, or with a disk that fails when told to: `node test/chaos/gateway.ts CONFIG PART HALF`. The product
 * has no switch for any of it: the file layer and the clock are handed to the composition root; what sits deeper replaces a method (sabotaged.ts).
 */
import { type Clock, systemClock } from '#client/clock';
import { version } from '#engine/cli/version';
import { loadConfig } from '#engine/config/load';
import { openLog } from '#engine/config/log';
import type { JournalFiles } from '#engine/journal/files';
import type { BaseOptions } from '#engine/base';
import { beside } from '#engine/beside';
import { engine } from '#engine/engine';
import type { LoadedConfig } from '#engine/config/config';
import { up } from '#engine/main';
import type { Running } from '#engine/running';
import { droppingFiles, FaultyFiles, type FileFault, lateFiles, rottingFiles, unsyncedFiles } from './files.ts';
import type { BuiltWrong } from './options.ts';
import { consumeAlways, dialOnce, ignoreApprovals, ignoreDenials, ignoreMasks, swallowRuns, undoCommits } from './sabotaged.ts';
import { Random } from '#test/support/random';

/** What `PART` may be: built wrong, or to be told what goes wrong around it. */
export type Part = BuiltWrong | 'faulty' | 'dropping' | 'dropping-no-fdatasync' | 'jumping';

/** To a part that runs: a fault of its files, or by how much its wall clock is wrong from now on. */
export type Told = FileFault | { readonly clockMs: number };

/** Which command: all in one process, the engine, or the enforcer of this target. */
export type Half = 'up' | 'engine' | { readonly enforce: string };

const [, , configFile = '', part = '', half = 'up'] = process.argv;
await main(configFile, part as Part, half);

async function main(configFile: string, part: Part, half: string): Promise<void> {
  const config = await loadConfig(configFile);
  const log = openLog({ level: 'warn', format: 'json', secrets: [] });
  const files = filesOf(part);
  const clock = part === 'jumping' ? { clock: jumpingClock() } : {};
  if (part === 'double-consume') consumeAlways();
  if (part === 'archive-gap') swallowRuns();
  if (part === 'gives-up') dialOnce();
  const running = await start(config, half, { log, version: version(), ...clock, ...(files === null ? {} : { files }) });
  // behind the self-test, which would not let it start
  if (part === 'deny-ignored') ignoreDenials();
  if (part === 'approval-ignored') ignoreApprovals();
  if (part === 'masks-ignored') ignoreMasks();
  if (part === 'commit-undone') undoCommits();
  const { revision, api, targets, journal, publicKey } = running;
  process.stdout.write(`${JSON.stringify({ ready: true, pid: process.pid, revision, api, targets, journal, public_key: publicKey })}\n`);
  process.once('SIGTERM', () => void running.drain());
  try {
    await running.finished;
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    process.exitCode = 70;
  }
  await running.close();
  process.disconnect?.();
}

async function start(config: LoadedConfig, half: string, options: BaseOptions): Promise<Running> {
  if (half === 'up') return await up(config, options);
  return half === 'engine' ? await engine(config, options) : await beside(config, half, options);
}

/** null: the real ones. */
function filesOf(part: Part): JournalFiles | null {
  const random = new Random(process.pid);
  switch (part) {
    case 'faulty':
    case 'disk-ignored': {
      const faulty = new FaultyFiles(part === 'disk-ignored');
      process.on('message', (told: Told) => {
        if (typeof told === 'string') faulty.tell(told);
      });
      return faulty;
    }
    case 'no-fdatasync':
      return unsyncedFiles;
    case 'late-intent':
      return lateFiles;
    case 'bit-rot':
      return rottingFiles(() => random.next());
    case 'dropping':
    case 'dropping-no-fdatasync':
      return droppingFiles(part === 'dropping-no-fdatasync', () => random.next());
    default:
      return null;
  }
}

/** Somebody sets the wall clock; time passes as ever. */
function jumpingClock(): Clock {
  let offMs = 0;
  process.on('message', (told: Told) => {
    if (typeof told === 'object') offMs = told.clockMs;
  });
  return { wallUs: () => systemClock.wallUs() + offMs * 1000, monotonicUs: () => systemClock.monotonicUs() };
}
