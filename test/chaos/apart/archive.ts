/** C4: after healing the archive, as the engine writes it back, has every record of both journals once, and verifies. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { journalIdIn } from '#engine/journal/journal-id';
import { loadCheckpointKey } from '#engine/journal/keys';
import { verifyJournal } from '#engine/journal/verify';
import type { Finding } from '../checks.ts';
import { after } from '../under-load.ts';
import type { ApartBed, Half } from './bed.ts';

const ARCHIVED_MS = 10_000;

export async function archiveFindings(bed: ApartBed): Promise<readonly Finding[]> {
  const found = await Promise.all((['engine', 'enforcer'] as const).map((half) => archived(bed, half)));
  return found.flat();
}

/** The journals go on: what they held when we began to look must be there. */
async function archived(bed: ApartBed, half: Half): Promise<readonly Finding[]> {
  const { stateDir, journalDir } = bed.places[half];
  const key = readFileSync(loadCheckpointKey(join(stateDir, 'keys', 'checkpoint')).publicKeyFile, 'utf8');
  const dir = join(bed.places.engine.stateDir, 'archive', journalIdIn(journalDir));
  const find = (detail: string): Finding => ({ check: 'C4 the archive has everything', detail: `${half}: ${detail}` });
  const { records, problems } = await verifyJournal(journalDir, key);
  const own = problems.map(({ seq, code, detail }) => ({ seq, code, detail: `in its own journal: ${detail}` }));
  const end = performance.now() + ARCHIVED_MS;
  for (;;) {
    const mirror = await verifyJournal(dir, key).catch((error: unknown) => String(error));
    if (typeof mirror !== 'string' && mirror.records >= records)
      return [...own, ...mirror.problems]
        .filter(({ code }) => half === 'engine' || code !== 'APPROVAL_NOT_CONSUMED')
        .map(({ seq, code, detail }) => find(`record ${seq}: ${code}: ${detail}`));
    if (performance.now() > end)
      return [
        find(
          `${typeof mirror === 'string' ? mirror : `${mirror.records} of ${records} records after ${ARCHIVED_MS} ms`}; the engine says: ${said(bed)}`,
        ),
      ];
    await after(100, null);
  }
}

/** What an operator would read. */
function said(bed: ApartBed): string {
  const lines = bed.running('engine').log().trimEnd().split('\n');
  return lines
    .filter((line) => !line.includes('"level":"info"'))
    .slice(-3)
    .join(' ');
}
