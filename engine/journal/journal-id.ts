/** The id of a journal before it has a record: what may write to the archive is set up by it. */
import { randomUUID } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { makePrivateFile } from '#client/private-file';
import { InterlockError } from '#schemas/errors';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import { readSegmentHeader, segmentName } from './segment-header.ts';

const FILE = 'id';

/** The journal's id in `dir`; reserved there, for the journal that will be begun, when there is none yet. 32 hexadecimal digits. */
export function journalIdIn(dir: string): string {
  const begun = idOfFirstSegment(dir);
  if (begun !== null) return begun;
  const reserved = reservedId(dir);
  if (reserved !== null) return reserved;
  makePrivateFile(join(dir, FILE), `${randomUUID().replaceAll('-', '')}\n`);
  return reservedId(dir) as string; // of whoever came first
}

/** What was reserved; null: nothing. @throws InterlockError JOURNAL_CORRUPT when the file holds something else */
export function reservedId(dir: string): string | null {
  let text: string;
  try {
    text = readFileSync(join(dir, FILE), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  if (/^[0-9a-f]{32}$/.test(text)) return text;
  throw new InterlockError('JOURNAL_CORRUPT', `${join(dir, FILE)} holds no journal id`, {
    hint: 'Delete the file if the journal was not begun yet.',
  });
}

function idOfFirstSegment(dir: string): string | null {
  const head = Buffer.alloc(SEGMENT_HEADER_BYTES);
  let file: number;
  try {
    file = openSync(join(dir, segmentName(1)), 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    readSync(file, head, 0, head.length, 0);
  } finally {
    closeSync(file);
  }
  return readSegmentHeader(head)?.journal ?? null;
}
