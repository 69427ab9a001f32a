/** Makes the files of a recovered journal fit to be written on. */
import { open, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { JournalFiles } from './files.ts';
import type { Recovered } from './recovery.ts';
import { segmentName } from './segment-header.ts';

/** Returns the segment files that may be used as they are. Rejects as the disk does. */
export async function repair(dir: string, found: Recovered, segmentBytes: number, files: JournalFiles): Promise<readonly number[]> {
  await clearTail(dir, found, segmentBytes);
  await writeLastBatchAgain(dir, found, files);
  return wholeFiles(dir, found, segmentBytes);
}

/** Makes zeros again of what was torn, and of what a cut file lacks, before anything is written behind it. */
async function clearTail(dir: string, found: Recovered, segmentBytes: number): Promise<void> {
  if (!found.files.includes(found.segment)) return;
  await using file = await open(join(dir, segmentName(found.segment)), 'r+');
  const { size } = await file.stat();
  if (found.cutBytes === 0 && size >= segmentBytes) return;
  const to = Math.max(found.offset + found.cutBytes, size, segmentBytes);
  const zeros = Buffer.alloc(1 << 20);
  for (let at = found.offset; at < to; ) at += (await file.write(zeros, 0, Math.min(zeros.length, to - at), at)).bytesWritten;
  await file.datasync();
}

/**
 * The last batch may be one whose sync failed: it then stands in the page cache, where it was just read, and not on the disk. Whatever follows
 * would hang in the air after a power cut. The batches before it were durable when it was written.
 */
async function writeLastBatchAgain(dir: string, found: Recovered, files: JournalFiles): Promise<void> {
  const length = found.offset - found.lastBatchAt;
  if (length === 0) return;
  const path = join(dir, segmentName(found.segment));
  const bytes = Buffer.alloc(length);
  await using source = await open(path, 'r');
  await source.read(bytes, 0, length, found.lastBatchAt);
  const file = await files.open(path);
  try {
    await new Promise<void>((resolve, reject) => file.commit(bytes, length, found.lastBatchAt, (error) => (error ? reject(error) : resolve())));
  } finally {
    await file.close();
  }
}

/** The segment files that may be used as they are: a spare whose making was cut short is made again. */
async function wholeFiles(dir: string, found: Recovered, segmentBytes: number): Promise<number[]> {
  const whole: number[] = [];
  for (const segment of found.files) {
    const path = join(dir, segmentName(segment));
    if (segment <= found.segment || (await stat(path)).size >= segmentBytes) whole.push(segment);
    else await unlink(path);
  }
  return whole;
}
