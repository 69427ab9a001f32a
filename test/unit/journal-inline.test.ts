import { closeSync, openSync, writeSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Event } from '#schemas/event';
import { InlineTrust, type JournalFiles, realFiles } from '#engine/journal/files';
import { intent, text } from '#test/support/journal-events';
import { journalFolder } from '#test/support/journals';

/** Commits end before they return, until one fails; `commits` counts them. */
function inlineFiles(): JournalFiles & { commits: number; fails: boolean } {
  const files = {
    commits: 0,
    fails: false,
    allocate: (path: string, bytes: number) => realFiles.allocate(path, bytes),
    open: async (path: string) => {
      const fd = openSync(path, 'r+');
      return {
        inline: true,
        commit(bytes: Uint8Array, length: number, position: number, done: (error: Error | null) => void): void {
          files.commits++;
          if (files.fails) return done(Object.assign(new Error('EIO'), { code: 'EIO' }));
          writeSync(fd, bytes, 0, length, position);
          done(null);
        },
        close: async () => closeSync(fd),
      };
    },
  };
  return files;
}

const statement = (n: number): { sessionId: string; statementId: string; payload: ReturnType<typeof text> } => ({
  sessionId: `ses_${n}`,
  statementId: `stm_${n}`,
  payload: text(`select ${n}`),
});

test('where a commit is done on the spot, the fourth that waits takes the others along, and its proof is there at once (invariant 2)', async () => {
  using folder = journalFolder();
  const files = inlineFiles();
  const journal = await folder.open({ files });
  const before = files.commits;
  const waits = [0, 1, 2].map((n) => journal.durable(intent(journal, statement(n))));
  expect(waits.every((wait) => wait instanceof Promise)).toBe(true);
  expect(files.commits).toBe(before);
  const position = intent(journal, statement(3));
  expect(journal.durable(position)).toBe(position);
  expect(files.commits).toBe(before + 1);
  expect(journal.status().records).toBe(position + 1);
  for (const wait of waits) expect(await wait).toBe(position);
  const types: Event['type'][] = [];
  for await (const event of journal.events()) types.push(event.type);
  expect(types.filter((type) => type === 'statement.cleared')).toHaveLength(4);
  await journal.close('test');
});

test('a commit on the spot that fails proves nothing: all that wait are refused', async () => {
  using folder = journalFolder();
  const files = inlineFiles();
  const journal = await folder.open({ files });
  files.fails = true;
  const waits = [0, 1, 2, 3].map((n) => {
    const position = intent(journal, statement(n));
    return expect(journal.durable(position)).rejects.toMatchObject({ code: 'JOURNAL_UNAVAILABLE' });
  });
  await Promise.all(waits);
  expect(journal.fault).not.toBeNull();
  await journal.close('test');
});

test('writes on the spot end with three slow ones close together, not with one now and then, which is the processor that others had', () => {
  const disk = new InlineTrust();
  for (let write = 0; write < 3; write++) disk.took(5_000);
  expect(disk.holds).toBe(false);
  for (let write = 0; write < 10_000; write++) disk.took(5);
  expect(disk.holds).toBe(false);
  const memory = new InlineTrust();
  for (let slow = 0; slow < 50; slow++) {
    memory.took(5_000);
    for (let write = 0; write < 300; write++) memory.took(5);
  }
  expect(memory.holds).toBe(true);
  const often = new InlineTrust();
  for (let slow = 0; slow < 10; slow++) {
    often.took(5_000);
    for (let write = 0; write < 100; write++) often.took(5);
  }
  expect(often.holds).toBe(false);
});
