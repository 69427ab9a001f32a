/** The projection's file as a command sees it: with no gateway, or beside the one that writes it. */
import { closeSync, existsSync, openSync, statSync } from 'node:fs';
import { InterlockError } from '#schemas/errors';
import { JournalReader } from '../reader.ts';
import { openForReading, readPlace } from './tables.ts';
import { lockFile } from './writer-lock.ts';

export interface FileStatus {
  readonly file: string;
  readonly bytes: number;
  /** A process writes it now. */
  readonly written: boolean;
  /** The journal's id; null: there is no file, or it has another version's tables. */
  readonly journal: string | null;
  /** Records that it holds, and that the journal has. */
  readonly records: number;
  readonly of: number;
  readonly sessions: number;
  readonly statements: number;
  readonly requests: number;
}

/** Of a file that may be written, or made anew, at this moment. */
export async function fileStatus(file: string, dir: string): Promise<FileStatus> {
  const there = existsSync(file);
  const counts = there ? read(file) : NOTHING;
  const last = await lastPosition(dir);
  return { file, bytes: there ? statSync(file).size : 0, written: isLocked(file), ...counts, of: last + 1 };
}

/** Position of the last record that stands in the journal's files; -1: none. */
export async function lastPosition(dir: string): Promise<number> {
  await using reader = new JournalReader(dir, { after: Number.MAX_SAFE_INTEGER - 1 });
  let last = -1;
  for (let record = await reader.next(); record !== null; record = await reader.next()) last = record.seq;
  return last;
}

/** Asks the process that writes it to make it anew: it looks for this file, and removes it when it begins. */
export function askForRebuild(file: string): void {
  closeSync(openSync(requestFile(file), 'w', 0o600));
}

export function isAsked(file: string): boolean {
  return existsSync(requestFile(file));
}

export function requestFile(file: string): string {
  return `${file}.rebuild`;
}

const NOTHING = { journal: null, records: 0, sessions: 0, statements: 0, requests: 0 } as const;

function read(file: string): Pick<FileStatus, 'journal' | 'records' | 'sessions' | 'statements' | 'requests'> {
  try {
    const database = openForReading(file);
    try {
      const place = readPlace(database);
      if (place === null) return NOTHING;
      const last = (table: string): number => Number(database.prepare(`SELECT max(id) AS last FROM ${table}`).get()?.['last'] ?? 0);
      return { journal: place.journal, records: place.seq + 1, sessions: last('session'), statements: last('statement'), requests: last('approval') };
    } finally {
      database.close();
    }
  } catch {
    return NOTHING; // damaged, or dropped while it was looked at: it holds nothing that counts
  }
}

function isLocked(file: string): boolean {
  if (!existsSync(`${file}.lock`)) return false;
  try {
    lockFile(file).release();
    return false;
  } catch (error) {
    if (error instanceof InterlockError && error.code === 'STATE_LOCKED') return true;
    throw error;
  }
}
