/** What the engine and an enforcer stand on alike, in one process or apart: state directory, journal, time and ids. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemClock, type Clock } from '#client/clock';
import { Meters } from '#enforcers/common/meters';
import { Ids } from '#client/ids';
import { openArchiving, openMirroring, type Archiving } from './archiving.ts';
import type { LoadedConfig, NatsConfig } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { readSecret } from './config/secret.ts';
import { openStateDir } from './config/state.ts';
import { JournalKeys, toldKey } from './journal/archive/journal-keys.ts';
import { openJournal, type FileJournal, type JournalOptions } from './journal/file-journal.ts';
import { loadCheckpointKey } from './journal/keys.ts';
import type { Reloadable } from './operations/reload.ts';
import { openInstruments, type Instruments, type InstrumentsFrom } from './operations/operations.ts';

export interface BaseOptions {
  readonly log: RedactingLog;
  readonly version: string;
  /** Test code hands in a clock that jumps, or files that fail (SURFACE.md, chaos); the product never does. */
  readonly clock?: Clock;
  readonly files?: JournalOptions['files'];
}

/** The configuration as it was last read, as far as it may change while the process runs. */
export interface Live {
  config: LoadedConfig;
  /** Keys whose value in the file needs a restart to be in force. */
  restart: readonly string[];
}

export interface Base {
  readonly config: LoadedConfig;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: RedactingLog;
  readonly version: string;
  readonly journal: FileJournal;
  /** null: there is no archive. */
  readonly archiving: Archiving | null;
  readonly instruments: Instruments;
  /** What agents did lately, as this process saw it. */
  readonly meters: Meters;
  readonly live: Live;
  /** What parts apply when the configuration is read again: they add it as they start. */
  readonly reloadables: Reloadable<LoadedConfig>[];
  /** The file with the public key that verifies the journal. */
  readonly publicKey: string;
  /** The same key, as an enforcer tells it to its engine. */
  readonly toldKey: string;
}

/** @throws InterlockError of the state directory, the key or the journal */
export async function openBase(config: LoadedConfig, options: BaseOptions, started: AsyncDisposableStack): Promise<Base> {
  const { log, version, clock = systemClock } = options;
  await openStateDir(config.stateDir);
  const key = loadCheckpointKey(config.journal.checkpoint.keyFile);
  const instruments = await openInstruments({
    targets: Object.keys(config.targets),
    clock,
    log,
    version,
    role: config.role,
    traces: await tracesOf(config, log),
  });
  started.defer(() => instruments.close());
  const journal = await openTheJournal(config, options, { key: key.key, clock, observer: instruments.observer });
  const live: Live = { config, restart: [] };
  const verifying = createPublicKey(key.publicKeyPem);
  const archiving = openTheArchive(config, { journal, clock, log, live, key: verifying });
  started.defer(() => archiving?.close());
  started.defer(() => journal.close('drain'));
  const { publicKeyFile: publicKey } = key;
  const meters = new Meters(config.agents.coolDown, clock);
  return {
    config,
    clock,
    ids: new Ids(clock),
    log,
    version,
    journal,
    archiving,
    instruments,
    meters,
    live,
    reloadables: [],
    publicKey,
    toldKey: toldKey(verifying),
  };
}

interface ArchiveFrom {
  readonly live: Live;
  readonly journal: FileJournal;
  readonly clock: Clock;
  readonly log: RedactingLog;
  /** Of the process' own checkpoints. */
  readonly key: KeyObject;
}

/** Closed behind the journal, so that its last record goes too. An engine keeps the archive's files besides. */
function openTheArchive(config: LoadedConfig, { journal, clock, log, key, live }: ArchiveFrom): Archiving | null {
  const backlog = (): NatsConfig['backlog'] | undefined => live.config.nats?.backlog;
  const archiving = openArchiving(config, { journal, clock, log, identity: `${config.role} ${hostname()}`, backlog });
  if (archiving === null || config.role === 'enforcer') return archiving;
  const keys = new JournalKeys(join(config.stateDir, 'archive', 'keys.json'), archiving.alarms);
  const mirroring = openMirroring(config, { archiving, log, keyOf: (id) => (id === journal.id ? key : keys.of(id)) });
  return {
    ...archiving,
    learnKey: (id, said) => {
      if (id !== journal.id) keys.learn(id, said);
    },
    archived: (id) => mirroring.archived(id),
    close: async () => {
      await mirroring.close();
      await archiving.close();
    },
  };
}

/** @throws InterlockError CREDENTIAL_UNAVAILABLE: of a header */
async function tracesOf({ operations }: LoadedConfig, log: RedactingLog): Promise<InstrumentsFrom['traces']> {
  if (operations.traces === null) return null;
  const { url, caFile, headers, oneIn } = operations.traces;
  const read = Object.entries(headers).map(async ([name, source]) => {
    const value = await readSecret(source);
    log.hide(value);
    return [name, value] as const;
  });
  return { url, oneIn, ca: caFile === null ? null : readFileSync(caFile, 'utf8'), headers: Object.fromEntries(await Promise.all(read)) };
}

interface JournalFrom {
  readonly key: JournalOptions['checkpoint']['key'];
  readonly clock: Clock;
  readonly observer: Instruments['observer'];
}

function openTheJournal(config: LoadedConfig, options: BaseOptions, { key, clock, observer }: JournalFrom): Promise<FileJournal> {
  const { dir, segmentBytes, payloads, checkpoint } = config.journal;
  const origin = `interlock/${hostname()}`;
  const files = options.files === undefined ? {} : { files: options.files };
  return openJournal({
    dir,
    segmentBytes,
    payloads,
    checkpoint: { everyMs: checkpoint.everyMs, key, origin },
    clock,
    observer,
    version: options.version,
    role: config.role,
    ...files,
  });
}
