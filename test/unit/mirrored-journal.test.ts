import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MirroredJournal } from '#engine/journal/archive/mirrored-journal';
import type { Run } from '#engine/journal/archive/port';
import { fill, memoryDir, testJournal } from '#test/support/archive';

/** The bytes of a journal's first segment as they would come, in runs of this length. */
async function runs(dir: string, length: number): Promise<{ readonly journal: string; readonly runs: readonly Run[] }> {
  const journal = await testJournal(dir);
  await journal.durable(fill(journal, 200));
  await journal.close('test');
  const file = readFileSync(join(dir, '00000001.seg'));
  let used = file.length;
  while (file[used - 1] === 0) used--;
  const found: Run[] = [];
  for (let offset = 0; offset < used; offset += length) found.push(run(file.subarray(offset, Math.min(used, offset + length)), offset));
  return { journal: journal.id, runs: found };
}

function run(bytes: Buffer, offset: number): Run {
  return { segment: 1, offset, bytes, id: `part-${offset}` };
}

it('C4: a place is never noted while a run is being written: a copy of the folder at any moment goes on', async () => {
  using home = memoryDir();
  const { journal, runs: all } = await runs(join(home.dir, 'journal'), 1_500);
  const dir = join(home.dir, 'mirror');
  const mirror = await MirroredJournal.open(journal, dir, () => null);
  for (const [index, each] of all.entries()) {
    const taken = mirror.take(each);
    const noted = mirror.sync();
    await taken;
    await noted;
    const kept = JSON.parse(readFileSync(join(dir, 'mirror.json'), 'utf8')) as { readonly offset: number; readonly next_seq: number };
    expect(kept).toMatchObject({ offset: mirror.place.offset, next_seq: mirror.records });
    const killed = join(home.dir, `killed-${index}`);
    mkdirSync(killed);
    cpSync(dir, killed, { recursive: true });
    const again = await MirroredJournal.open(journal, killed, () => null);
    expect(again.records).toBe(mirror.records);
    await again.release();
  }
  expect(mirror.records).toBeGreaterThan(200);
  await mirror.release();
});
