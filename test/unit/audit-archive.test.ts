/** C8 and N4 over an archive: an enforcer's and an engine's journal, checked by somebody who has the files and the public keys, nothing else. */
import { execFile } from 'node:child_process';
import { generateKeyPairSync, hash, sign, type KeyObject } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Clock, systemClock } from '#client/clock';
import { crc32c } from '#engine/journal/crc32c';
import { openJournal, type FileJournal } from '#engine/journal/file-journal';
import { checkProof, readProof } from '#engine/journal/proof';
import { proveEvent } from '#engine/journal/prove';
import { verifySet, type SetVerification } from '#engine/journal/verify-set';
import { ed25519 } from '#engine/journal/verify-walk';
import { FakeClock } from '#test/support/fake-clock';
import { cleared, decided, finished, intent, opened, received, text, type Written } from '#test/support/journal-events';

const run = promisify(execFile);
const root = mkdtempSync(join(tmpdir(), 'interlock-archive-'));
const cli = join(dirname(dirname(import.meta.dirname)), 'engine', 'cli', 'main.ts');
const SESSION = 'ses_shop';

let archive: string;
let keys: readonly string[];
/** Journal ids. */
let shop: string;
let engine: string;
let earlier: string;
let frames: readonly Frame[];

beforeAll(async () => {
  const shopKey = generateKeyPairSync('ed25519').privateKey;
  const engineKey = generateKeyPairSync('ed25519').privateKey;
  archive = join(root, 'archive');
  const engines = await journalAt(join(root, 'engine'), 'engine', engineKey);
  engines.append({
    type: 'approval.consumed',
    approval_id: 'apr_1',
    statement_id: 'stm_held',
    enforcer: 'shop-1',
    nonce: 'non_1',
    receipt: 'receipt-1',
  });
  await engines.close('drain');
  const journal = await journalAt(join(root, 'shop'), 'enforcer', shopKey);
  journal.append(opened(SESSION));
  for (let index = 0; index < 300; index++) await statement(journal, index);
  const held: Written = { sessionId: SESSION, statementId: 'stm_held', payload: text('delete from t') };
  journal.append(received(held));
  journal.append(decided(held));
  journal.append({ ...cleared(held), approval: { approval_id: 'apr_1', receipt: 'receipt-1' } });
  journal.append(finished(held));
  await journal.close('drain');
  keys = [engines.publicKeyPem, journal.publicKeyPem];
  shop = filed('shop');
  engine = filed('engine');
  frames = framesOf(join(archive, shop));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function statement(journal: FileJournal, index: number): Promise<void> {
  const each: Written = { sessionId: SESSION, statementId: `stm_${index}`, payload: text(`select ${index}`) };
  const position = intent(journal, each);
  journal.append(finished(each));
  if (index % 9 === 0) await journal.durable(position);
  if (index % 50 === 0) await journal.checkpoint();
  if (index === 150) {
    earlier = join(root, 'earlier');
    cpSync(join(root, 'shop'), earlier, { recursive: true, filter: (path) => !path.endsWith('/lock') });
  }
}

describe('C8: an archive', () => {
  test('untouched it passes, with keys in any order', async () => {
    using copy = copied();
    for (const order of [keys, keys.toReversed()]) {
      const found = await verifySet([copy.dir], order);
      expect(found).toMatchObject({ verified: true, problems: [], approvals_elsewhere: 0, silences: [], uncovered: 0 });
      expect(new Map(found.journals.map(({ journal, role }) => [journal, role]))).toEqual(
        new Map([
          [engine, 'engine'],
          [shop, 'enforcer'],
        ]),
      );
      expect(found.records).toBe(found.journals[0]!.records + found.journals[1]!.records);
    }
  });

  test('of two hundred random changes none goes unseen, and of as many untouched copies none is called changed', async () => {
    let seen = 0;
    let passed = 0;
    const kinds = Object.keys(CHANGES);
    for (const [kind, which, where] of fc.sample(fc.tuple(fc.nat(kinds.length - 1), fc.nat(), fc.nat()), { numRuns: 200, seed: 88 })) {
      using copy = copied();
      if ((await verifySet([copy.dir], keys)).verified) passed++;
      const name = kinds[kind] as keyof typeof CHANGES;
      CHANGES[name](join(copy.dir, shop), which, where);
      const { verified } = await verifySet([copy.dir], keys);
      expect(verified, `${name} ${which} ${where}`).toBe(false);
      seen++;
    }
    expect([seen, passed]).toEqual([200, 200]);
  });

  test('a journal put back to an earlier state, checkpoint and all: silence, another copy and a kept checkpoint each show it', async () => {
    using copy = copied();
    const later = readFileSync(join(copy.dir, shop, 'checkpoint'), 'utf8');
    rmSync(join(copy.dir, shop), { recursive: true });
    cpSync(earlier, join(copy.dir, shop), { recursive: true });
    const hourLater = Date.now() + 3_600_000;
    const quiet = await verifySet([copy.dir], keys, { nowMs: hourLater });
    expect(quiet).toMatchObject({ verified: true, silences: [{ journal: shop, kind: 'end' }] });
    const codes = async (options: object, ...more: string[]): Promise<readonly string[]> =>
      codesOf(await verifySet([copy.dir, ...more], keys, options));
    expect(await codes({ nowMs: hourLater, silenceMsMax: 300_000 })).toEqual(['SILENCE']);
    expect(await codes({ witness: [later] })).toEqual(['WITNESS_UNKNOWN']);
    const both = await verifySet([copy.dir, join(archive, shop)], keys);
    expect(new Set(both.journals.filter(({ journal }) => journal === shop).map(({ records }) => records)).size).toBe(2);
  });

  test('two copies of one journal that tell different things are found, though each is whole', async () => {
    const forked = join(root, 'forked');
    cpSync(earlier, forked, { recursive: true });
    const key = generateKeyPairSync('ed25519').privateKey;
    const journal = await journalAt(forked, 'enforcer', key);
    journal.append({ type: 'admin.changed', by: 'mallory', what: 'nothing' });
    await journal.close('drain');
    // who has the journal's key can write on: only the other copy shows it
    expect(codesOf(await verifySet([join(archive, shop), forked], [...keys, journal.publicKeyPem]))).toContain('FORKED');
  });

  test('a journal that was taken away whole is missed by whoever kept its checkpoint', async () => {
    using copy = copied();
    const witness = [shop, engine].map((id) => readFileSync(join(copy.dir, id, 'checkpoint'), 'utf8'));
    expect(await verifySet([copy.dir], keys, { witness })).toMatchObject({ verified: true });
    rmSync(join(copy.dir, engine), { recursive: true });
    const found = await verifySet([copy.dir], keys, { witness });
    expect(codesOf(found)).toEqual(['WITNESS_UNKNOWN']);
    expect(found.approvals_elsewhere).toBe(1); // told, too: nobody can say whether it was approved
  });

  test('a journal in another’s place, and a key that is not its own', async () => {
    using copy = copied();
    renameSync(join(copy.dir, shop), join(copy.dir, 'away'));
    cpSync(join(copy.dir, engine), join(copy.dir, shop), { recursive: true });
    rmSync(join(copy.dir, 'away'), { recursive: true });
    expect(codesOf(await verifySet([copy.dir], keys))).toContain('SEGMENT_HEADER');
    expect(codesOf(await verifySet([join(archive, shop)], [keys[0] as string]))).toContain('CHECKPOINT_SIGNATURE');
  });

  test('A7: an approval that no engine’s journal knows', async () => {
    const dir = join(root, 'unapproved');
    const journal = await journalAt(dir, 'enforcer', generateKeyPairSync('ed25519').privateKey);
    journal.append(opened('ses_x'));
    const forged: Written = { sessionId: 'ses_x', statementId: 'stm_x', payload: text('drop table t') };
    journal.append(received(forged));
    journal.append(decided(forged));
    journal.append({ ...cleared(forged), approval: { approval_id: 'apr_1', receipt: 'receipt-1' } });
    journal.append(finished(forged));
    await journal.close('drain');
    expect(codesOf(await verifySet([dir, archive], [...keys, journal.publicKeyPem]))).toEqual(['APPROVAL_NOT_CONSUMED']);
    expect(await verifySet([dir], [journal.publicKeyPem])).toMatchObject({ verified: true, approvals_elsewhere: 1 });
  });

  test('an archive that is being written: what an engine may have recorded since is not called missing, until its journal is past it', async () => {
    const clock = new FakeClock();
    const [engines, shops] = await Promise.all(
      ['engine', 'enforcer'].map((role) => journalAt(join(root, `live-${role}`), role, generateKeyPairSync('ed25519').privateKey, clock)),
    );
    if (!engines || !shops) throw new Error('two journals');
    engines.append({ type: 'admin.changed', by: 'root', what: 'before' });
    clock.pass(10_000);
    shops.append(opened('ses_y'));
    const used: Written = { sessionId: 'ses_y', statementId: 'stm_y', payload: text('drop table t') };
    shops.append(received(used));
    shops.append(decided(used));
    shops.append({ ...cleared(used), approval: { approval_id: 'apr_2', receipt: 'receipt-2' } });
    const look = async (): Promise<SetVerification> => {
      await Promise.all([engines.checkpoint(), shops.checkpoint()]);
      return await verifySet([join(root, 'live-engine'), join(root, 'live-enforcer')], [engines.publicKeyPem, shops.publicKeyPem], {
        nowMs: clock.wallUs() / 1000,
      });
    };
    expect(await look()).toMatchObject({ verified: true, approvals_elsewhere: 1 });
    clock.pass(120_000);
    expect(codesOf(await look())).toEqual(['APPROVAL_NOT_CONSUMED']);
    engines.append({
      type: 'approval.consumed',
      approval_id: 'apr_2',
      statement_id: 'stm_y',
      enforcer: 'shop-1',
      nonce: 'non_2',
      receipt: 'receipt-2',
    });
    expect(await look()).toMatchObject({ verified: true, approvals_elsewhere: 0 });
    await Promise.all([engines.close('drain'), shops.close('drain')]);
  });

  test('behind the newest checkpoint the chain alone vouches: a record edited, or another number in it, is found there too', async () => {
    const dir = join(root, 'tail');
    const key = generateKeyPairSync('ed25519').privateKey;
    const journal = await journalAt(dir, 'up', key);
    for (let n = 0; n < 5; n++) await journal.durable(journal.append({ type: 'admin.changed', by: 'root', what: `change ${n}` }));
    const pem = journal.publicKeyPem;
    const uncovered = framesOf(dir).slice(-2);
    expect(await verifySet([dir], [pem])).toMatchObject({ verified: true, uncovered: 5 });
    const [one, last] = uncovered as [Frame, Frame];
    const codes = async (change: (bytes: Buffer) => Buffer): Promise<readonly string[]> => {
      const copy = join(root, 'tail-copy');
      cpSync(dir, copy, { recursive: true, filter: (path) => !path.endsWith('/lock') });
      edit(copy, one.file, change);
      return codesOf(await verifySet([copy], [pem]));
    };
    const flip = (bytes: Buffer, { start, end }: Frame, at: number): Buffer => {
      bytes[start + 40 + at] = (bytes[start + 40 + at] as number) ^ 1;
      return checksummed(bytes, start, end);
    };
    expect(await codes((bytes) => flip(bytes, one, 40))).toContain('CHAIN_BROKEN');
    expect(await codes((bytes) => flip(bytes, last, 40))).toContain('CHAIN_BROKEN');
    // number 7 becomes 6, and its hash is made anew: nothing stands behind it
    const renumbered = await codes((bytes) => {
      flip(bytes, last, 4);
      const prev = bytes.subarray(one.start + 8, one.start + 40);
      bytes.set(hash('sha256', Buffer.concat([Buffer.of(0), prev, bytes.subarray(last.start + 40, last.end)]), 'buffer'), last.start + 8);
      return checksummed(bytes, last.start, last.end);
    });
    expect(renumbered).toEqual(['SEQ_GAP']);
    await journal.close('test');
  });

  test('checkpoints that lie: of other records, by another key, by a second of the keys given', async () => {
    const own = generateKeyPairSync('ed25519');
    const other = generateKeyPairSync('ed25519');
    const pem = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
    const rootOfNothing = hash('sha256', '', 'base64');
    const claims = {
      CHECKPOINT_ROOT: { key: own.privateKey, root: hash('sha256', 'another tree', 'base64'), size: 2 },
      CHECKPOINT_SIGNATURE: { key: other.privateKey, root: rootOfNothing, size: 0 },
    };
    for (const [code, { key, root: claimed, size }] of Object.entries(claims)) {
      const dir = join(root, `lying-${code}`);
      const journal = await journalAt(dir, 'up', own.privateKey);
      const signature = sign(null, Buffer.from(`x\n${size}\n${claimed}\n`), key).toString('base64');
      journal.append({ type: 'checkpoint.signed', origin: 'x', size, root: claimed, key_id: '00000000', signature });
      await journal.close('test');
      for (const keysGiven of [[pem(own.publicKey)], [pem(own.publicKey), pem(other.publicKey)]])
        expect(codesOf(await verifySet([dir], keysGiven)), code).toEqual([code]);
    }
  });

  test('the checkpoint of a fork by the same key, beside the journal or as a witness; a witness by no key', async () => {
    const key = generateKeyPairSync('ed25519').privateKey;
    const [trunk, fork] = [join(root, 'trunk'), join(root, 'fork')];
    const journal = await journalAt(trunk, 'up', key);
    const pem = journal.publicKeyPem;
    await journal.durable(journal.append({ type: 'admin.changed', by: 'root', what: 'before' }));
    cpSync(trunk, fork, { recursive: true, filter: (path) => !path.endsWith('/lock') });
    const forked = await journalAt(fork, 'up', key);
    for (const each of [journal, forked]) {
      each.append({ type: 'admin.changed', by: 'root', what: each === journal ? 'this' : 'that' });
      await each.close('test');
    }
    const note = readFileSync(join(fork, 'checkpoint'), 'utf8');
    const grown = await journalAt(trunk, 'up', key); // longer than the fork: its size alone does not tell
    await grown.close('test');
    expect(codesOf(await verifySet([trunk], [pem], { witness: [note] }))).toEqual(['WITNESS_UNKNOWN']);
    expect(codesOf(await verifySet([trunk], [pem], { witness: [readFileSync(join(archive, shop, 'checkpoint'), 'utf8')] }))).toEqual([
      'CHECKPOINT_SIGNATURE',
    ]);
    writeFileSync(join(trunk, 'checkpoint'), note);
    expect(codesOf(await verifySet([trunk], [pem]))).toEqual(['CHECKPOINT_ROOT']);
  });

  test('one session: the journal it stands in, from its first event on, under a checkpoint', async () => {
    const found = await verifySet([archive], keys, { session: SESSION });
    expect(found).toMatchObject({ verified: true, session: { session_id: SESSION, events: 1 + 301 * 4, closed: false, covered: true } });
    expect(found.journals.map(({ journal }) => journal)).toEqual([shop]);
    expect(await verifySet([archive], keys, { session: 'ses_none' })).toMatchObject({ verified: false, session: null });
  });

  test('a fresh process with nothing but the folder and the keys', async () => {
    using copy = copied();
    const files = keys.map((pem, index) => {
      const file = join(copy.dir, '..', `key-${index}.pub`);
      writeFileSync(file, pem);
      return file;
    });
    const verify = async (): Promise<{ code: number; document: SetVerification }> => {
      const args = [cli, 'audit', 'verify', '--dir', copy.dir, ...files.flatMap((file) => ['--key', file]), '--json'];
      const bare = { cwd: '/', env: { PATH: '' } };
      return await run(process.execPath, args, bare).then(
        ({ stdout }) => ({ code: 0, document: JSON.parse(stdout) as SetVerification }),
        ({ code, stdout }: { code: number; stdout: string }) => ({ code, document: JSON.parse(stdout) as SetVerification }),
      );
    };
    expect(await verify()).toMatchObject({ code: 0, document: { verified: true } });
    CHANGES['a byte flipped'](join(copy.dir, shop), 5, 60);
    expect(await verify()).toMatchObject({ code: 1, document: { verified: false } });
  });
});

test('heartbeats: while nothing happens a checkpoint is signed each minute, so that silence shows; a stalled, a crashed and a stopped process are told apart', async () => {
  const clock = new FakeClock();
  const dir = join(root, 'quiet');
  const key = generateKeyPairSync('ed25519').privateKey;
  const start = (): Promise<FileJournal> =>
    openJournal({ dir, segmentBytes: 64 << 10, payloads: 'clear', checkpoint: { everyMs: 5, key, origin: 'quiet' }, clock, version: 'test' });
  let journal = await start();
  const pem = journal.publicKeyPem;
  const checkpoints = async (): Promise<number> => (await verifySet([dir], [pem], { nowMs: clock.wallUs() / 1000 })).checkpoints;
  for (let minute = 0; minute < 4; minute++) {
    const before = await checkpoints();
    clock.pass(61_000);
    await expect.poll(checkpoints).toBeGreaterThan(before);
  }
  const kinds = async (): Promise<readonly string[]> =>
    (await verifySet([dir], [pem], { nowMs: clock.wallUs() / 1000 })).silences.map(({ kind, seconds }) => `${kind} ${seconds}`);
  expect(await kinds()).toEqual([]);
  const before = await checkpoints();
  clock.pass(600_000); // no heartbeat for ten minutes: the machine slept
  await expect.poll(checkpoints).toBeGreaterThan(before);
  await journal.close('drain');
  clock.pass(700_000);
  journal = await start();
  const crashed = join(root, 'quiet-crashed');
  cpSync(dir, crashed, { recursive: true, filter: (path) => !path.endsWith('/lock') });
  await journal.close('drain');
  expect(await kinds()).toEqual(['stalled 600', 'stopped 700']);
  clock.pass(800_000);
  rmSync(dir, { recursive: true });
  cpSync(crashed, dir, { recursive: true });
  expect(await kinds()).toEqual(['stalled 600', 'stopped 700', 'end 800']);
  journal = await start();
  expect(await kinds()).toEqual(['stalled 600', 'stopped 700', 'crashed 800']);
  const judged = await verifySet([dir], [pem], { nowMs: clock.wallUs() / 1000, silenceMsMax: 650_000 });
  expect(judged.problems.map(({ code, detail }) => [code, /\((\w+)\)/.exec(detail)?.[1]])).toEqual([['SILENCE', 'crashed']]); // who stopped it said so
  await journal.close('drain');
});

describe('an inclusion proof', () => {
  test('stands for every record, by the key alone, and says what the record says', async () => {
    const key = ed25519(keys[1] as string);
    const { records } = (await verifySet([join(archive, shop)], keys)).journals[0] ?? { records: 0 };
    for (let seq = 0; seq < records - 1; seq += 17) {
      const proven = await proveEvent([archive], `${shop}:${seq}`, keys);
      expect(checkProof(readProof(proven.text), [key])).toMatchObject({ verified: true, seq, size: proven.size, problems: [] });
    }
    const { text: proof } = await proveEvent([archive], 'stm_held', keys);
    expect(checkProof(readProof(proof), [key]).events).toMatchObject([
      { type: 'statement.received', statement_id: 'stm_held' },
      { type: 'statement.decided', decision_id: 'dec_of_stm_held' },
      { type: 'statement.cleared', approved: true },
      { type: 'statement.finished', outcome: 'ok', rows: 1 },
    ]);
  });

  test('fails when one character of it is another', async () => {
    const { text: proof } = await proveEvent([archive], 'stm_77', keys);
    const key = ed25519(keys[1] as string);
    expect(checkProof(readProof(proof), [ed25519(keys[0] as string)]).verified).toBe(false);
    let tried = 0;
    for (let at = 0; at < proof.length; at += 3) {
      if (!/[A-Za-z0-9+/]/.test(proof[at] as string)) continue;
      const other = `${proof.slice(0, at)}${proof[at] === 'A' ? 'B' : 'A'}${proof.slice(at + 1)}`;
      if (sameBytes(proof, other)) continue;
      tried++;
      expect(verdict(other, key), `${at}: ${proof.slice(Math.max(0, at - 10), at + 10)}`).toBe(false);
    }
    expect(tried).toBeGreaterThan(200);
  });

  test('is not made where the journal does not verify, no checkpoint covers the record, or there is no such event', async () => {
    using copy = copied();
    CHANGES['a byte flipped'](join(copy.dir, shop), 5, 60);
    await expect(proveEvent([copy.dir], `${shop}:200`, keys)).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT' });
    for (const event of ['stm_none', `${shop}:999999`, '5', 'dead:5', 'x y'])
      await expect(proveEvent([archive], event, keys)).rejects.toMatchObject({ code: 'USAGE' });
    await expect(proveEvent([archive], 'stm_77', [keys[0] as string])).rejects.toMatchObject({ code: 'USAGE' });
    const { text: proof } = await proveEvent([archive], 'stm_77', keys);
    for (const wrong of ['', 'x', '\n\n\n\n', proof.replace('\n\n', '\nmore\n\n'), proof.replace('index ', 'index 0')])
      expect(() => readProof(wrong)).toThrow(expect.objectContaining({ code: 'USAGE' }) as Error);
  });
});

/** What somebody with the files could do to one journal of the archive, and its checkpoint. */
const CHANGES = {
  'a byte flipped': (dir: string, which: number, where: number): void => {
    const { file, start, end } = pick(which);
    edit(dir, file, (bytes) => {
      const at = start + (where % (end - start));
      bytes[at] = (bytes[at] as number) ^ (1 + (which % 255));
      return bytes;
    });
  },
  'a record rewritten, checksum and all': (dir: string, which: number, where: number): void => {
    const { file, start, end } = pick(which, true);
    edit(dir, file, (bytes) => {
      const at = start + 52 + (where % (end - start - 52));
      bytes[at] = (bytes[at] as number) ^ 1;
      return checksummed(bytes, start, end);
    });
  },
  'a payload rewritten, checksum and all': (dir: string, which: number): void => {
    const payloads = frames.filter(({ payload }) => payload);
    const { file, start, end } = payloads[which % payloads.length] as Frame;
    edit(dir, file, (bytes) => {
      bytes[end - 1] = (bytes[end - 1] as number) ^ 1;
      return checksummed(bytes, start, end);
    });
  },
  'every hash behind it made anew': (dir: string, which: number): void => {
    const changed = pick(which % (frames.length - 40), true);
    edit(dir, changed.file, (bytes) => {
      bytes[changed.start + 52] = (bytes[changed.start + 52] as number) ^ 1;
      return rechained(bytes, changed.file, changed.start);
    });
  },
  'a record deleted': (dir: string, which: number): void => {
    const { file, start, end } = pick(which, true);
    edit(dir, file, (bytes) => Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]));
  },
  'two records exchanged': (dir: string, which: number): void => {
    const one = pick(which % (frames.length - 40), true);
    const two = frames.find(({ file, payload, start }) => !payload && file === one.file && start >= one.end);
    if (two === undefined) return CHANGES['a record deleted'](dir, which);
    edit(dir, one.file, (bytes) =>
      Buffer.concat([
        bytes.subarray(0, one.start),
        bytes.subarray(two.start, two.end),
        bytes.subarray(one.end, two.start),
        bytes.subarray(one.start, one.end),
        bytes.subarray(two.end),
      ]),
    );
  },
  'a record repeated': (dir: string, which: number): void => {
    const { file, start, end } = pick(which, true);
    edit(dir, file, (bytes) => Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]));
  },
  'cut off': (dir: string, which: number): void => {
    const { file, start } = pick(which, true);
    edit(dir, file, (bytes) => bytes.subarray(0, start));
    for (const later of segments(dir).filter((each) => each > file)) rmSync(join(dir, later));
  },
  'a segment taken away': (dir: string, which: number): void => {
    const used = [...new Set(frames.map(({ file }) => file))];
    rmSync(join(dir, used[which % used.length] as string));
  },
  'records put back, with the newer checkpoint': (dir: string): void => {
    const note = readFileSync(join(dir, 'checkpoint'));
    rmSync(dir, { recursive: true });
    cpSync(earlier, dir, { recursive: true });
    writeFileSync(join(dir, 'checkpoint'), note);
  },
  'the checkpoint of another journal': (dir: string): void => cpSync(join(dirname(dir), engine, 'checkpoint'), join(dir, 'checkpoint')),
  'the checkpoint taken away': (dir: string): void => rmSync(join(dir, 'checkpoint')),
  'the checkpoint claims more': (dir: string): void => {
    const [origin = '', size = '', ...rest] = readFileSync(join(dir, 'checkpoint'), 'utf8').split('\n');
    writeFileSync(join(dir, 'checkpoint'), [origin, String(Number(size) - 1), ...rest].join('\n'));
  },
} as const;

async function journalAt(dir: string, role: string, key: KeyObject, clock: Clock = systemClock): Promise<FileJournal> {
  mkdirSync(dir, { recursive: true });
  const checkpoint = { everyMs: 60_000, key, origin: `interlock/${role}` };
  return await openJournal({ dir, segmentBytes: 64 << 10, payloads: 'clear', checkpoint, clock, version: 'test', role });
}

/** As the mirror writes it: `archive/<journal>/`, segments without what is behind their last record. */
function filed(name: string): string {
  const from = join(root, name);
  const id = readFileSync(join(from, '00000001.seg')).toString('hex', 56, 72);
  const to = join(archive, id);
  mkdirSync(to, { recursive: true });
  const ends = new Map(framesOf(from).map(({ file, end }) => [file, end]));
  for (const [file, end] of ends) writeFileSync(join(to, file), readFileSync(join(from, file)).subarray(0, end));
  cpSync(join(from, 'checkpoint'), join(to, 'checkpoint'));
  return id;
}

function copied(): Disposable & { readonly dir: string } {
  const base = mkdtempSync(join(root, 'copy-'));
  const dir = join(base, 'archive');
  cpSync(archive, dir, { recursive: true });
  return { dir, [Symbol.dispose]: () => rmSync(base, { recursive: true, force: true }) };
}

function codesOf({ problems }: SetVerification): readonly string[] {
  return [...new Set(problems.map(({ code }) => code))];
}

/** base64 has bits that stand for nothing. */
function sameBytes(one: string, other: string): boolean {
  const bytes = (proof: string): string =>
    proof
      .split('\n')
      .map((line) => (/^[\w+/ —-]+={0,2}$/.test(line) ? Buffer.from(line.split(' ').at(-1) ?? '', 'base64').toString('hex') : line))
      .join('\n');
  return bytes(one) === bytes(other) && one.replace(/[A-Za-z0-9+/=]{20,}/g, '') === other.replace(/[A-Za-z0-9+/=]{20,}/g, '');
}

function verdict(proof: string, key: KeyObject): boolean {
  try {
    return checkProof(readProof(proof), [key]).verified;
  } catch {
    return false; // not even one
  }
}

interface Frame {
  readonly file: string;
  readonly start: number;
  readonly end: number;
  readonly payload: boolean;
}

function pick(which: number, recordsOnly = false): Frame {
  const among = recordsOnly ? frames.filter(({ payload }) => !payload) : frames;
  return among[which % among.length] as Frame;
}

function framesOf(dir: string): Frame[] {
  return segments(dir).flatMap((file) => {
    const bytes = readFileSync(join(dir, file));
    const found: Frame[] = [];
    for (let at = 128; bytes[0] !== 0 && at + 4 <= bytes.length && bytes.readUInt32LE(at) !== 0; ) {
      const field = bytes.readUInt32LE(at);
      const end = at + 40 + (field & 0x3fff_ffff);
      found.push({ file, start: at, end, payload: field >= 0x8000_0000 });
      at = end;
    }
    return found;
  });
}

function segments(dir: string): string[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort();
}

function edit(dir: string, file: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file))));
}

function checksummed(bytes: Buffer, start: number, end: number): Buffer {
  bytes.writeUInt32LE(crc32c(bytes, start + 8, end, crc32c(bytes, start, start + 4)), start + 4);
  return bytes;
}

/** From `from` on, to the end of the segment: what somebody does who knows the format, and has not the key. */
function rechained(bytes: Buffer, file: string, from: number): Buffer {
  let prev = Buffer.from(bytes.subarray(24, 56));
  for (const { start, end, payload, file: of } of frames) {
    if (of !== file || payload) continue;
    if (start >= from) {
      bytes.set(hash('sha256', Buffer.concat([Buffer.of(0), prev, bytes.subarray(start + 40, end)]), 'buffer'), start + 8);
      checksummed(bytes, start, end);
    }
    prev = Buffer.from(bytes.subarray(start + 8, start + 40));
  }
  return bytes;
}
