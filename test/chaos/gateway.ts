/**
 * `interlock up`, `engine` or `enforce` with a part that is built wrong, or with a disk that fails when told to: `node test/chaos/gateway.ts CONFIG PART HALF`. The product
 * has no switch for any of it: the file layer is handed to the composition root; the two sabotages that sit deeper replace a method here.
 */
import { type Clock, systemClock } from '#client/clock';
import { Book } from '#engine/approvals/book';
import { version } from '#engine/cli/version';
import { loadConfig } from '#engine/config/load';
import { openLog } from '#engine/config/log';
import { LocalSession } from '#engine/decide/decision-session';
import { MirroredJournal } from '#engine/journal/archive/mirrored-journal';
import type { JournalFiles } from '#engine/journal/files';
import type { BaseOptions } from '#engine/base';
import { beside } from '#engine/beside';
import { engine } from '#engine/engine';
import type { LoadedConfig } from '#engine/config/config';
import { up } from '#engine/main';
import type { Running } from '#engine/running';
import { droppingFiles, FaultyFiles, type FileFault, lateFiles, unsyncedFiles } from './files.ts';
import { Random } from '#test/support/random';

/** What `PART` may be. */
export type Part =
  | 'faulty'
  | 'no-fdatasync'
  | 'late-intent'
  | 'dropping'
  | 'dropping-no-fdatasync'
  | 'double-consume'
  | 'deny-ignored'
  | 'archive-gap'
  | 'jumping';

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
  const running = await start(config, half, { log, version: version(), ...clock, ...(files === null ? {} : { files }) });
  // behind the self-test, which would not let it start
  if (part === 'deny-ignored') ignoreDenials();
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

function filesOf(part: Part): JournalFiles | null {
  const random = new Random(process.pid);
  switch (part) {
    case 'faulty': {
      const faulty = new FaultyFiles();
      process.on('message', (fault: FileFault) => faulty.tell(fault));
      return faulty;
    }
    case 'no-fdatasync':
      return unsyncedFiles;
    case 'late-intent':
      return lateFiles;
    case 'dropping':
    case 'dropping-no-fdatasync':
      return droppingFiles(part === 'dropping-no-fdatasync', () => random.next());
    case 'double-consume':
    case 'deny-ignored':
    case 'archive-gap':
    case 'jumping':
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

/** An approval that is never used up. */
function consumeAlways(): void {
  Book.prototype.consume = (approvalId, { nonce }) => Promise.resolve({ approvalId, receipt: `made up for ${nonce}` });
}

/** What comes for the archive's files is said to be written, and is not. */
function swallowRuns(): void {
  MirroredJournal.prototype.take = () => Promise.resolve({ kind: 'written', records: 1 });
}

/** Whatever policy says, it is an allow. */
function ignoreDenials(): void {
  const decide = Reflect.get(LocalSession.prototype, 'decide') as LocalSession['decide'];
  LocalSession.prototype.decide = function (statement, moment) {
    const allow = (decided: Awaited<ReturnType<typeof decide>>): typeof decided =>
      decided.decision.effect === 'deny' ? { ...decided, decision: { ...decided.decision, effect: 'allow' } } : decided;
    const decided = Reflect.apply(decide, this, [statement, moment]);
    return decided instanceof Promise ? decided.then(allow) : allow(decided);
  };
}
