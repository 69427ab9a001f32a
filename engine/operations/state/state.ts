/** Backup of a state directory as one file, and the way back. The journal is not in it, only where it was: it has an archive, or a copy, of its own. */
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { timestamp, type Clock } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import { BYTES_MAX, pack, unpack, type Manifest } from './contents.ts';
import { bad, PASSPHRASE_CHARS_MIN, seal, unseal } from './envelope.ts';
import { readState, writeState, type StatePlaces } from './files.ts';

/** The journal that is at hand, as its own area knows it. */
export interface JournalAtHand {
  /** Its newest checkpoint; null: there is none. */
  newest(dir: string): { readonly size: number; readonly root: string } | null;
  /** Since that record, under that revision: how often something changed that an export holds. */
  changesSince(dir: string, records: number, revision: string | null): Promise<number>;
}

export interface ExportOptions {
  readonly places: StatePlaces;
  readonly role: Manifest['role'];
  readonly version: string;
  readonly clock: Clock;
  readonly journal: JournalAtHand;
  /** null: in clear, protected by its mode alone. */
  readonly passphrase: string | null;
  /** Of the policies in force in the process that runs on this state; null: none does. */
  readonly revision: string | null;
  readonly to: string;
}

export interface Exported {
  readonly file: string;
  readonly form: 'sealed' | 'plain';
  readonly files: number;
  readonly bytes: number;
  readonly created_at: string;
  readonly journal: Manifest['journal'];
}

/** @throws InterlockError STATE_EXPORT, USAGE (a passphrase that is too short), CONFIG_INVALID (the file cannot be written) */
export async function exportState(options: ExportOptions): Promise<Exported> {
  const { places, role, version, clock, passphrase, revision, to } = options;
  if (passphrase !== null && passphrase.length < PASSPHRASE_CHARS_MIN)
    throw new InterlockError('USAGE', `the passphrase is shorter than ${PASSPHRASE_CHARS_MIN} characters`);
  const newest = options.journal.newest(places.journalDir);
  const journal = newest === null ? null : { dir: places.journalDir, records: newest.size, root: newest.root };
  // the position is taken first: what changes meanwhile is found to be newer
  const files = await readState(places);
  const created_at = timestamp(clock.wallUs());
  const file = await seal(pack({ manifest: { contract: 1, version, created_at, role, revision, journal }, files }), passphrase);
  await writeWhole(to, file);
  return { file: to, form: passphrase === null ? 'plain' : 'sealed', files: files.length, bytes: file.length, created_at, journal };
}

export interface ImportOptions {
  readonly places: StatePlaces;
  readonly role: Manifest['role'];
  readonly journal: JournalAtHand;
  readonly passphrase: string | null;
  readonly from: string;
  /** Whoever restores knows that something is missing from it. */
  readonly acceptOlder: boolean;
}

export interface Imported {
  readonly files: number;
  readonly created_at: string;
  readonly version: string;
  readonly journal: Manifest['journal'];
  /** What changed since, and is not in it. */
  readonly changes_since: number;
}

/** @throws InterlockError STATE_EXPORT, STATE_EXISTS, STATE_OLDER */
export async function importState(options: ImportOptions): Promise<Imported> {
  const { places, role, from } = options;
  const { size } = await stat(from).catch((error: unknown) => {
    throw bad(`cannot be read: ${from}`, error);
  });
  if (size > 2 * BYTES_MAX) throw bad('is too long to be one');
  const { manifest, files } = unpack(await unseal(await readFile(from), options.passphrase));
  if (manifest.role !== role) throw bad(`is of ${roleName(manifest.role)}; the configuration is of ${roleName(role)}`);
  const changes = await requireSameJournal(manifest, options);
  await writeState(files, places);
  const { created_at, version, journal } = manifest;
  return { files: files.length, created_at, version, journal, changes_since: changes };
}

/** A journal at hand must go on from where the export was made; nothing that the export holds may have changed since. */
async function requireSameJournal({ journal: then, revision }: Omit<Manifest, 'files'>, options: ImportOptions): Promise<number> {
  const { places, journal, acceptOlder } = options;
  const now = journal.newest(places.journalDir);
  if (now === null || then === null) return 0;
  if (now.size < then.records)
    throw new InterlockError('STATE_OLDER', `the journal in ${places.journalDir} ends at record ${now.size}; the export was made at ${then.records}`);
  if (now.size === then.records && now.root !== then.root)
    throw new InterlockError('STATE_OLDER', `the journal in ${places.journalDir} is not the one that the export was made beside`);
  const changes = await journal.changesSince(places.journalDir, then.records, revision);
  if (changes > 0 && !acceptOlder)
    throw new InterlockError(
      'STATE_OLDER',
      `the export is older than the journal: ${changes} changes of policies, keys or enforcers since are not in it`,
    );
  return changes;
}

function roleName(role: Manifest['role']): string {
  return { up: '`interlock up`', engine: 'an engine', enforcer: 'an enforcer' }[role];
}

/** Mode 0600, durable, never half. */
async function writeWhole(file: string, bytes: Uint8Array): Promise<void> {
  const draft = join(dirname(file), `.${process.pid}.${Date.now()}.draft`);
  try {
    {
      await using handle = await open(draft, 'wx', 0o600);
      await handle.writeFile(bytes);
      await handle.sync();
    }
    await rename(draft, file);
    await using folder = await open(dirname(file), 'r');
    await folder.sync();
  } catch (error) {
    await rm(draft, { force: true });
    throw new InterlockError('CONFIG_INVALID', `${file}: cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, {
      cause: error,
    });
  }
}
