/** A journal at rest, or one that is written at this moment, read from its files. */
import { stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import { JournalReader } from '../journal/reader.ts';

const LOOK_AGAIN_MS = 200;

/** With `follow` it goes on, looking again every fifth of a second, until the process ends. */
export async function* readEvents(dir: string, follow = false): AsyncGenerator<Event> {
  await requireJournal(dir);
  await using reader = new JournalReader(dir);
  do {
    yield* reader.read();
    if (follow) await wait(LOOK_AGAIN_MS);
  } while (follow);
}

export async function requireJournal(dir: string): Promise<void> {
  const found = await stat(dir).catch((error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown');
  if (typeof found === 'string')
    throw new InterlockError('USAGE', `${dir}: ${found === 'ENOENT' ? 'there is no such folder' : `cannot be read (${found})`}`);
  if (!found.isDirectory())
    throw new InterlockError('USAGE', `${dir}: is not a folder`, { hint: 'A journal is a folder of segments: see `journal.dir` in interlock.yaml.' });
}
