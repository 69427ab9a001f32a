/** What the engine and an enforcer stand on alike, in one process or apart: state directory, journal, time and ids. */
import { hostname } from 'node:os';
import { systemClock, type Clock } from '#client/clock';
import { Ids } from '#client/ids';
import type { LoadedConfig } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { openStateDir } from './config/state.ts';
import { openJournal, type FileJournal, type JournalOptions } from './journal/file-journal.ts';
import { loadCheckpointKey } from './journal/keys.ts';

export interface BaseOptions {
  readonly log: RedactingLog;
  readonly version: string;
  /** Test code hands in a clock that jumps, or files that fail (SURFACE.md, chaos); the product never does. */
  readonly clock?: Clock;
  readonly files?: JournalOptions['files'];
}

export interface Base {
  readonly config: LoadedConfig;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: RedactingLog;
  readonly version: string;
  readonly journal: FileJournal;
  /** The file with the public key that verifies the journal. */
  readonly publicKey: string;
}

/** @throws InterlockError of the state directory, the key or the journal */
export async function openBase(config: LoadedConfig, options: BaseOptions, started: AsyncDisposableStack): Promise<Base> {
  const { log, version, clock = systemClock } = options;
  await openStateDir(config.stateDir);
  const key = loadCheckpointKey(config.journal.checkpoint.keyFile);
  const journal = await openTheJournal(config, options, key.key, clock);
  started.defer(() => journal.close('drain'));
  return { config, clock, ids: new Ids(clock), log, version, journal, publicKey: key.publicKeyFile };
}

function openTheJournal(config: LoadedConfig, options: BaseOptions, key: JournalOptions['checkpoint']['key'], clock: Clock): Promise<FileJournal> {
  const { dir, segmentBytes, payloads, checkpoint } = config.journal;
  const origin = `interlock/${hostname()}`;
  const files = options.files === undefined ? {} : { files: options.files };
  return openJournal({
    dir,
    segmentBytes,
    payloads,
    checkpoint: { everyMs: checkpoint.everyMs, key, origin },
    clock,
    version: options.version,
    ...files,
  });
}
