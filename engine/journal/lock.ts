/**
 * One writer for one journal. The lock is an exclusive SQLite transaction on an empty file: a POSIX record lock underneath, so the kernel
 * gives it back when the process ends in whatever way, and it holds between containers that share the directory, where a process id and its start
 * time would not. Node has no flock of its own.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { InterlockError } from '#schemas/errors';

/** @throws InterlockError STATE_LOCKED when another holds it, in this process or any other. */
export function lockDirectory(dir: string): { release(): void } {
  const database = new DatabaseSync(join(dir, 'lock'));
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new InterlockError('STATE_LOCKED', `another process holds the journal in ${dir}`, { cause });
  }
  return { release: () => database.close() };
}
