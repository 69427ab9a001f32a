/** The files of a state: read for an export, written by an import. */
import { lstat, mkdir, open, readdir, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { BYTES_MAX, type StateFile } from './contents.ts';

/** Where the parts of a state are on this machine. */
export interface StatePlaces {
  readonly stateDir: string;
  /** Not in an export: as large as the record. */
  readonly journalDir: string;
  /** May stand elsewhere; its `.pub` is beside it. */
  readonly checkpointKey: string;
  /** An enforcer's key and certificate; null: it has none. */
  readonly identityDir: string | null;
}

/** Made anew by whoever needs it, or the archive's own. */
const LEFT_OUT = /^(projection\.sqlite(-wal|-shm)?|gateway\.json|archive|\..*\.draft)$/;
const FOLDER = 0o700;

/** @throws InterlockError STATE_EXPORT: something in it is no plain file, or it is too much */
export async function readState(places: StatePlaces): Promise<readonly StateFile[]> {
  const files = await below(places.stateDir, 'state', (path) => path === places.journalDir);
  const elsewhere = (path: string): boolean => relative(places.stateDir, path).startsWith('..');
  if (elsewhere(places.checkpointKey))
    for (const path of [places.checkpointKey, `${places.checkpointKey}.pub`]) files.push(await one(path, `checkpoint-key/${basename(path)}`));
  if (places.identityDir !== null && elsewhere(places.identityDir)) files.push(...(await below(places.identityDir, 'identity', () => false)));
  if (files.reduce((bytes, file) => bytes + file.bytes.length, 0) > BYTES_MAX)
    throw new InterlockError('STATE_EXPORT', `${places.stateDir} holds more than ${BYTES_MAX / 1024 / 1024} MiB beside the journal`);
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

async function below(dir: string, name: string, leftOut: (path: string) => boolean): Promise<StateFile[]> {
  const files: StateFile[] = [];
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (leftOut(path) || (name === 'state' && LEFT_OUT.test(entry.name))) continue;
    if (entry.isDirectory()) files.push(...(await below(path, `${name}/${entry.name}`, leftOut)));
    else files.push(await one(path, `${name}/${entry.name}`));
  }
  return files;
}

async function one(path: string, name: string): Promise<StateFile> {
  const found = await lstat(path);
  if (!found.isFile()) throw new InterlockError('STATE_EXPORT', `${path} is no plain file`);
  if (found.size > BYTES_MAX) throw new InterlockError('STATE_EXPORT', `${path} is longer than ${BYTES_MAX / 1024 / 1024} MiB`);
  return { name, mode: found.mode & 0o777, bytes: await readFile(path) };
}

/**
 * All of it, durable, or nothing.
 * @throws InterlockError STATE_EXISTS: something of it is there already
 */
export async function writeState(files: readonly StateFile[], places: StatePlaces): Promise<void> {
  await requireEmpty(places);
  const written: string[] = [];
  try {
    for (const file of files) {
      const path = pathOf(file.name, places);
      await mkdir(dirname(path), { recursive: true, mode: FOLDER });
      await using handle = await open(path, 'wx', file.mode);
      written.push(path);
      await handle.writeFile(file.bytes);
      await handle.chmod(file.mode); // the umask may have taken bits
      await handle.sync();
    }
    for (const folder of new Set(written.map((path) => dirname(path)))) await syncFolder(folder);
  } catch (error) {
    for (const path of written) await rm(path, { force: true });
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists((error as NodeJS.ErrnoException).path ?? places.stateDir, error);
    throw error;
  }
}

/** Nothing is overwritten: of two states, nobody could say afterwards which one it is. The journal may be there. */
async function requireEmpty({ stateDir, journalDir }: StatePlaces): Promise<void> {
  const found = await readdir(stateDir).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? [] : Promise.reject(error)));
  const other = found.find((name) => join(stateDir, name) !== journalDir);
  if (other !== undefined) throw exists(join(stateDir, other));
}

function pathOf(name: string, { stateDir, checkpointKey, identityDir }: StatePlaces): string {
  const [root = '', ...rest] = name.split('/');
  if (root === 'state') return join(stateDir, ...rest);
  if (root === 'checkpoint-key') return `${checkpointKey}${rest[0]?.endsWith('.pub') === true ? '.pub' : ''}`;
  return join(identityDir ?? join(stateDir, 'identity'), ...rest);
}

async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r');
  await handle.sync();
}

function exists(path: string, cause?: unknown): InterlockError {
  return new InterlockError('STATE_EXISTS', `${path.split(sep).join('/')} is there already`, cause === undefined ? {} : { cause });
}
