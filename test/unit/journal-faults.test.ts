import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, rmdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Clock } from '#client/clock';
import { systemClock } from '#client/clock';
import { loadCheckpointKey } from '#engine/journal/keys';
import { readJournal } from '#engine/journal/reader';
import { finished, intent, opened, received, text } from '#test/support/journal-events';
import { faultyFiles, journalFolder, KEY, ORIGIN } from '#test/support/journals';

const S = { sessionId: 'ses_1', statementId: 'stm_1', payload: text('select 1') };

describe('EIO and ENOSPC latch: refuse, say so, never try again (G5)', () => {
  test.each(['EIO', 'ENOSPC'] as const)('%s while records are written', async (code) => {
    using folder = journalFolder();
    const files = faultyFiles();
    const journal = await folder.open({ files });
    const faults: Error[] = [];
    journal.onFault((fault) => faults.push(fault));
    files.failCommit(code);
    const wait = journal.durable(intent(journal, S));
    await expect(wait).rejects.toMatchObject({ code: 'JOURNAL_UNAVAILABLE' });
    expect(faults).toHaveLength(1);
    expect(journal.fault).toBe(faults[0]);
    expect(() => journal.append(finished(S))).toThrow('the journal’s disk failed');
    expect(() => journal.appendIf({ type: 'approval.settled', approval_id: 'a', outcome: 'cancelled' }, { stream: 'a', expectedLast: -1 })).toThrow();
    // the file layer would write again: nobody asks it to
    await expect(journal.durable(journal.status().records)).rejects.toMatchObject({ code: 'JOURNAL_UNAVAILABLE' });
    const before = readFileSync(join(folder.dir, '00000001.seg'));
    await journal.close('test');
    expect(readFileSync(join(folder.dir, '00000001.seg')).equals(before)).toBe(true);
    expect(faults).toHaveLength(1);
  });

  test('a full disk shows at rotation, and the reserved segment records the stop', async () => {
    using folder = journalFolder();
    const files = faultyFiles();
    const journal = await folder.open({ files });
    files.failAllocate('ENOSPC');
    const fault = new Promise<Error>((resolve) => journal.onFault(resolve));
    let durable = 0;
    let refused = false;
    for (let index = 0; index < 2000 && !refused; index++) {
      try {
        const position = intent(journal, { ...S, statementId: `stm_${index}` });
        await journal.durable(position);
        durable++;
      } catch {
        refused = true;
      }
    }
    expect(refused).toBe(true);
    expect((await fault).message).toBe('the journal’s disk is full');
    await journal.close('test');
    const events = [];
    for await (const event of readJournal(folder.dir)) events.push(event);
    expect(events.at(-1)).toMatchObject({ type: 'journal.closed', reason: 'disk full' });
    expect(events.filter(({ type }) => type === 'statement.cleared').length).toBeGreaterThanOrEqual(durable);
    const reopened = await folder.open();
    await reopened.close('test');
  });

  test('a checkpoint that cannot be written ends the journal; the record says why', async () => {
    using folder = journalFolder();
    const journal = await folder.open({ checkpoint: { everyMs: 20, key: KEY, origin: ORIGIN } });
    const fault = new Promise<Error>((resolve) => journal.onFault(resolve));
    mkdirSync(join(folder.dir, 'checkpoint.new')); // nothing can be written under this name
    journal.append({ type: 'admin.changed', by: 'test', what: 'something to sign' });
    expect((await fault).message).toContain('EISDIR');
    expect(() => journal.append(finished(S))).toThrow('the journal’s disk failed');
    await journal.close('test');
    rmdirSync(join(folder.dir, 'checkpoint.new'));
    const events = [];
    for await (const event of readJournal(folder.dir)) events.push(event);
    expect(events.at(-1)).toMatchObject({ type: 'journal.closed', reason: 'disk failed' });
    await (await folder.open()).close('test');
  });

  test('no room for the first segments: the start is refused', async () => {
    using folder = journalFolder();
    const files = faultyFiles();
    files.failAllocate('ENOSPC');
    await expect(folder.open({ files })).rejects.toMatchObject({ code: 'JOURNAL_UNAVAILABLE' });
    await (await folder.open()).close('the lock was given back');
  });

  test('a batch whose sync failed is written again at the next start, before anything rests on it', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    await journal.durable(intent(journal, S));
    using left = folder.copy(); // as the page cache has it
    const used = journal.status().bytes;
    await journal.close('test');
    const files = faultyFiles();
    await (await left.open({ files })).close('test');
    const [first] = files.commits;
    expect((first?.position ?? 0) + (first?.bytes.length ?? 0)).toBe(used);
    expect(first?.bytes.includes('select 1')).toBe(true);
    files.failCommit('EIO');
    await expect(left.open({ files })).rejects.toMatchObject({ code: 'JOURNAL_UNAVAILABLE' });
  });

  test('C6: while the disk stalls nothing is durable, new statements are refused within a second, and it heals', async () => {
    using folder = journalFolder();
    const files = faultyFiles();
    let aheadUs = 0;
    const clock: Clock = { wallUs: () => systemClock.wallUs(), monotonicUs: () => systemClock.monotonicUs() + aheadUs };
    const journal = await folder.open({ files, clock });
    journal.append(opened(S.sessionId));
    const release = files.hold();
    const wait = journal.durable(intent(journal, S));
    await new Promise((resolve) => setImmediate(resolve));
    aheadUs = 1_100_000;
    expect(() => journal.append(received({ ...S, statementId: 'stm_2' }))).toThrow(/has not answered for 1\d\d\d ms/);
    journal.append(finished(S)); // what is under way still ends
    expect(journal.fault).toBeNull();
    release();
    await wait;
    await journal.durable(intent(journal, { ...S, statementId: 'stm_3' }));
    await journal.close('test');
  });

  test('a backlog that the disk does not take has a bound', async () => {
    using folder = journalFolder();
    const files = faultyFiles();
    const journal = await folder.open({ files });
    const release = files.hold();
    const large = (index: number): Parameters<typeof received>[0] => ({
      ...S,
      statementId: `stm_${index}`,
      payload: text(String(index).padEnd(1 << 20)),
    });
    expect(() => {
      for (let index = 0; index < 80; index++) journal.append(received(large(index)));
    }).toThrow('does not keep up');
    release();
    await journal.close('test');
  });
});

describe('one writer (STATE_LOCKED)', () => {
  test('a second one is refused, in this process and in another; a kill -9 leaves no lock behind', async () => {
    using folder = journalFolder();
    const program = `
      import { openJournal } from '#engine/journal/file-journal';
      import { systemClock } from '#client/clock';
      import { generateKeyPairSync } from 'node:crypto';
      const key = generateKeyPairSync('ed25519').privateKey;
      await openJournal({ dir: process.argv[1], segmentBytes: 65536, payloads: 'clear', checkpoint: { everyMs: 60000, key, origin: 'x' }, clock: systemClock, version: 't' });
      console.log('open');
      setInterval(() => {}, 1000);`;
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program, folder.dir], { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    await expect(folder.open()).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const journal = await folder.open();
    await expect(folder.open()).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    await journal.close('test');
  });
});

describe('the checkpoint key', () => {
  test('is made once, 0600 in 0700; laxer modes refuse', () => {
    using folder = journalFolder();
    const path = join(folder.dir, 'keys', 'checkpoint');
    const made = loadCheckpointKey(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder.dir, 'keys')).mode & 0o777).toBe(0o700);
    expect(loadCheckpointKey(path).publicKeyPem).toBe(made.publicKeyPem);
    expect(readFileSync(made.publicKeyFile, 'utf8')).toBe(made.publicKeyPem);
    chmodSync(path, 0o640);
    expect(() => loadCheckpointKey(path)).toThrow('has mode 0640');
    chmodSync(path, 0o600);
    chmodSync(join(folder.dir, 'keys'), 0o755);
    expect(() => loadCheckpointKey(path)).toThrow('has mode 0755');
    mkdirSync(join(folder.dir, 'other'), { mode: 0o700 });
  });
});

test('payload forms that are not built are refused by name', async () => {
  using folder = journalFolder();
  await expect(folder.open({ payloads: 'sealed' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
