/** One writer for one projection: as the journal's own lock (../lock.ts), beside the file. */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { InterlockError } from '#schemas/errors';

/** @throws InterlockError STATE_LOCKED when another holds it, in this process or any other */
export function lockFile(file: string): { release(): void } {
  closeSync(openSync(`${file}.lock`, 'a', 0o600));
  const database = new DatabaseSync(`${file}.lock`);
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new InterlockError('STATE_LOCKED', `another process writes ${file}`, { cause });
  }
  return { release: () => database.close() };
}
