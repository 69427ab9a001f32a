/** The way of a journal to the archive and back, over a real nats-server with accounts: N2, N3, G5, G7, C4. */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DurablePosition, EventDraft, Journal, Payload } from '#client/journal';
import { silentLog } from '#client/log';
import { startMirror, type Mirror } from '#engine/journal/archive/mirror';
import { archivedJournal } from '#engine/journal/archive/archived-journal';
import { Alarms } from '#engine/journal/archive/alarms';
import type { FileJournal } from '#engine/journal/file-journal';
import { verifyJournal } from '#engine/journal/verify';
import { AuditSource } from '#engine/nats/audit-source';
import { AuditStream } from '#engine/nats/audit-stream';
import { ERRORS } from '#schemas/errors';
import { segmentsOf, caughtUp, fill, forward, KEY_PEM, load, memoryDir, PUBLIC_PEM, testJournal, verified } from '#test/support/archive';
import { somebody, type Somebody, TestNats, until } from '#test/support/nats';
import { startValve } from '#test/support/valve';
import { stopwatch } from '#test/support/stopwatch';

const setup = somebody('setup', 'setup');
const engine = somebody('engine', 'engine');

interface Bed {
  readonly nats: TestNats;
  readonly journal: FileJournal;
  readonly enforcer: Somebody;
  readonly root: string;
  readonly journalDir: string;
}

/** A journal, a server that knows its enforcer, and the streams. */
async function bed(more: Parameters<typeof testJournal>[1] = {}): Promise<Bed> {
  const { dir: root, [Symbol.dispose]: gone } = memoryDir();
  const journalDir = join(root, 'journal');
  const journal = await testJournal(journalDir, more);
  const enforcer = somebody('enforcer', 'shop', [journal.id]);
  const nats = await TestNats.start({ grants: [enforcer, engine, setup], dir: join(root, 'nats') });
  onTestFinished(async () => {
    await journal.close('test');
    await nats[Symbol.asyncDispose]();
    gone();
  });
  await nats.setUp(setup);
  return { nats, journal, enforcer, root, journalDir };
}

/** Writes the archive back into files. */
function mirror({ nats, root, journal }: Bed): { mirror: Mirror; dir: string; alarms: Alarms } {
  const link = nats.link(engine);
  const alarms = new Alarms(journal, silentLog);
  const dir = join(root, 'archive');
  const opened = startMirror({ dir, source: new AuditSource(link), alarms, log: silentLog });
  onTestFinished(async () => {
    await opened.close();
    await link.close();
  });
  return { mirror: opened, dir: join(dir, journal.id), alarms };
}

function records(of: Mirror): number {
  return of.status().journals[0]?.records ?? 0;
}

describe('N2: what was durable here is in the archive, once and in order', () => {
  test('under load, while nats-server is killed again and again, the archive becomes the journal, byte for byte', async () => {
    const at = await bed();
    const { nats, journal, enforcer, journalDir } = at;
    await using link = nats.link(enforcer);
    const { forwarder, alarms } = forward(journal, link);
    const seen = mirror(at);
    const stop = load(journal);
    for (let kill = 0; kill < 3; kill++) {
      const before = forwarder.acked;
      await until(() => forwarder.acked > before + 200, 10_000, 'forwarding between two kills');
      await nats.stop('SIGKILL');
      const during = journal.durableEnd.position;
      await until(() => journal.durableEnd.position > during + 200, 10_000, 'the journal going on without the archive');
      await nats.start();
    }
    expect(await stop()).toBeGreaterThan(1000);
    await caughtUp(forwarder, journal);
    await until(() => records(seen.mirror) === journal.durableEnd.position + 1, 10_000, 'the mirror');
    await journal.close('test');
    await forwarder.close();
    await until(() => records(seen.mirror) === journal.durableEnd.position + 1, 10_000, 'the journal’s last word in the mirror');
    await seen.mirror.close();
    expect(segmentsOf(seen.dir)).toEqual(segmentsOf(journalDir));
    expect(segmentsOf(journalDir).length).toBeGreaterThan(1);
    expect(await verified(seen.dir)).toBe(await verified(journalDir));
    expect([alarms.open, seen.alarms.open]).toEqual([[], []]);
  });

  test('an enforcer that is killed between publish and acknowledgement goes on where the archive stands: nothing twice, nothing left out', async () => {
    const at = await bed();
    await at.journal.close('test'); // its id is what is needed: the process below goes on with it
    await using valve = await startValve(at.nats.port);
    for (let kill = 0; kill < 3; kill++) {
      const running = new ForwardingProcess(at, valve.port);
      await until(() => running.newest.acked > 0 && running.newest.acked > running.first + 50, 10_000, 'forwarding');
      valve.open.toClient = false;
      await until(() => running.newest.durable > running.newest.acked + 100, 10_000, 'a message of which no acknowledgement is told');
      await running.end('SIGKILL');
      valve.open.toClient = true;
    }
    const last = new ForwardingProcess(at, valve.port);
    await until(() => last.newest.acked > last.first + 50, 10_000, 'forwarding');
    await last.end('SIGTERM');
    const seen = mirror(at);
    const { records: written } = await verifyJournal(at.journalDir, PUBLIC_PEM);
    await until(() => records(seen.mirror) === written, 10_000, 'the mirror');
    await seen.mirror.close();
    expect(segmentsOf(seen.dir)).toEqual(segmentsOf(at.journalDir));
    expect(await verified(seen.dir)).toBe(written);
    expect(seen.alarms.open).toEqual([]);
    expect(last.newest.alarms).toEqual([]);
  });

  test('a message that was stored and not acknowledged is not stored again; a second writer of the journal is a conflict, and refuses new work', async () => {
    const { nats, journal, enforcer } = await bed({ everyMs: 3_600_000 }); // no checkpoint comes between
    await using link = nats.link(enforcer);
    const { forwarder, alarms } = forward(journal, link);
    await journal.durable(fill(journal, 100));
    await caughtUp(forwarder, journal);
    const stream = new AuditStream(link);
    const stored = await stream.last(journal.id);
    if (stored === null) throw new Error('nothing is stored');
    // as the publish of a process that knows of no message, and of one that was told of it
    expect(await stream.publish(journal.id, stored, 0, 1000)).toEqual({ kind: 'conflict' });
    expect(await stream.publish(journal.id, stored, stored.at, 1000)).toEqual({ kind: 'stored', at: stored.at, duplicate: true });
    expect(await stream.publish(journal.id, { ...stored, id: 'f'.repeat(64) }, stored.at + 7, 1000)).toEqual({ kind: 'conflict' });
    // somebody else under the same id, with bytes that are not this journal's
    await stream.publish(journal.id, { ...stored, offset: stored.offset + stored.bytes.length, id: 'f'.repeat(64) }, stored.at, 1000);
    await journal.durable(fill(journal, 100));
    await until(() => alarms.open.length > 0, 10_000, 'the alarm');
    expect(alarms.open).toMatchObject([{ code: 'conflict', of: journal.id }]);
    expect(forwarder.refusal?.code).toBe('ARCHIVE_CONFLICT');
    const archived = archivedJournal(journal, forwarder, 'standard');
    expect(() => archived.append(RECEIVED)).toThrow(expect.objectContaining({ code: 'ARCHIVE_CONFLICT' }));
    await forwarder.close();
  });

  test('G7: a store that was lost is filled again from the journal, and it is said: an alarm in the record of both', async () => {
    const at = await bed();
    const { nats, journal, enforcer } = at;
    await using link = nats.link(enforcer);
    const { forwarder, alarms } = forward(journal, link);
    const seen = mirror(at);
    await journal.durable(fill(journal, 2000));
    await caughtUp(forwarder, journal);
    await until(() => records(seen.mirror) > 2000, 10_000, 'the mirror');
    await nats.stop('SIGKILL');
    rmSync(nats.storeDir, { recursive: true });
    await nats.start();
    await nats.setUp(setup);
    await journal.durable(fill(journal, 100));
    await caughtUp(forwarder, journal);
    await until(() => records(seen.mirror) === journal.durableEnd.position + 1, 10_000, 'the mirror');
    await forwarder.close();
    const told: unknown[] = [];
    for await (const event of journal.events()) if (event.type === 'archive.alarm') told.push([event.code, event.open, event.of === journal.id]);
    expect(told).toContainEqual(['lost', true, true]);
    expect(told).toContainEqual(['lost', false, true]);
    expect(told).toContainEqual(['lost', true, false]);
    expect(alarms.open).toEqual([]);
    await seen.mirror.close();
    expect(await verified(seen.dir)).toBeGreaterThan(2100);
  });

  test('a record that is longer than a message goes in parts, before and after a restart', async () => {
    const at = await bed({ segmentBytes: 64 << 20 });
    const { nats, journal, enforcer } = at;
    const seen = mirror(at);
    const payload = (mib: number): Payload => ({ bytes: randomBytes(mib << 20), media: 'text' });
    for (let round = 0; round < 2; round++) {
      const link = nats.link(enforcer);
      const { forwarder } = forward(journal, link);
      journal.append({ ...RECEIVED, payload: payload(9) });
      await journal.durable(fill(journal, 10));
      await caughtUp(forwarder, journal);
      await forwarder.close();
      await link.close();
    }
    await until(() => records(seen.mirror) === journal.durableEnd.position + 1, 10_000, 'the mirror');
    await seen.mirror.close();
    expect(segmentsOf(seen.dir)).toEqual(segmentsOf(at.journalDir));
  });
});

describe('N3, I6: what is too far ahead takes no new work, and goes on by itself', () => {
  test('a backlog that is full in bytes, or too old, refuses sessions and statements with 58000, ends what runs, and heals within ten seconds', async () => {
    const { nats, journal, enforcer } = await bed();
    await using link = nats.link(enforcer);
    const limits: (readonly [string, { bytes: number; ageMs: number }])[] = [
      ['bytes', { bytes: 200 << 10, ageMs: 600_000 }],
      ['age', { bytes: 1 << 30, ageMs: 300 }],
    ];
    for (const [, backlog] of limits) {
      const { forwarder } = forward(journal, link, { backlog: () => backlog });
      const archived = archivedJournal(journal, forwarder, 'standard');
      await journal.durable(fill(journal, 10));
      await caughtUp(forwarder, journal);
      expect(archived.append(RECEIVED)).toBeGreaterThan(0);
      await nats.stop('SIGKILL');
      await journal.durable(fill(journal, 1000));
      await until(() => forwarder.status().full, 5_000, 'the full backlog');
      for (const event of [RECEIVED, OPENED]) expect(() => archived.append(event)).toThrow(expect.objectContaining({ code: 'ARCHIVE_BACKLOG' }));
      expect(ERRORS.ARCHIVE_BACKLOG.sqlstate).toBe('58000');
      // what runs may say how it ended
      expect(archived.append({ type: 'admin.changed', by: 'test', what: 'an end' })).toBeGreaterThan(0);
      const { backlog_records, backlog_bytes, backlog_age_s } = forwarder.status();
      expect(backlog_records).toBeGreaterThan(1000);
      expect(backlog_bytes).toBeGreaterThan(200 << 10);
      expect(backlog_age_s).toBeGreaterThan(0);
      using back = stopwatch();
      await nats.start();
      await until(() => !forwarder.status().full, 10_000, 'the healing');
      expect(back.ms()).toBeLessThan(10_000);
      expect(archived.append(RECEIVED)).toBeGreaterThan(0);
      await forwarder.close();
    }
  });

  test('a process that starts while the archive is away knows how far behind it is', async () => {
    const { nats, journal, enforcer } = await bed();
    const link = nats.link(enforcer);
    const { forwarder } = forward(journal, link);
    await journal.durable(fill(journal, 500));
    await caughtUp(forwarder, journal);
    await forwarder.close();
    await link.close();
    await nats.stop();
    const before = journal.durableEnd.position;
    await journal.durable(fill(journal, 100));
    await using away = nats.link(enforcer);
    const later = forward(journal, away).forwarder;
    await until(() => later.status().acked >= before - 1, 5_000, 'what was noted');
    expect(later.status()).toMatchObject({ connected: false, backlog_records: journal.durableEnd.position - later.status().acked });
    expect(later.status().backlog_age_s).toBeGreaterThan(0);
    await later.close();
  });
});

describe('G5: strict', () => {
  test('a statement waits for disk and archive; while nats-server stands still it is refused within a second, and so is the next, at once', async () => {
    const { nats, journal, enforcer } = await bed();
    await using link = nats.link(enforcer);
    const { forwarder } = forward(journal, link);
    const strict = archivedJournal(journal, forwarder, 'strict');
    const standard = archivedJournal(journal, forwarder, 'standard');
    const proof = await strict.durable(strict.append(RECEIVED));
    expect(forwarder.acked).toBeGreaterThanOrEqual(proof);
    await nats.freeze();
    using started = stopwatch();
    await expect(strict.durable(strict.append(RECEIVED))).rejects.toMatchObject({ code: 'ARCHIVE_UNAVAILABLE' });
    expect(started.ms()).toBeLessThan(1000);
    expect(() => strict.append(RECEIVED)).toThrow(expect.objectContaining({ code: 'ARCHIVE_UNAVAILABLE' }));
    expect(await standard.durable(standard.append(RECEIVED))).toBeGreaterThan(proof);
    using back = stopwatch();
    nats.thaw();
    await caughtUp(forwarder, journal);
    expect(await strict.durable(strict.append(RECEIVED))).toBeGreaterThan(proof);
    expect(back.ms()).toBeLessThan(10_000);
    await forwarder.close();
  });

  test('a proof of durability never reaches past what the archive has', async () => {
    const acked = { acked: 7, refusal: null, archived: () => Promise.resolve(true) };
    const local = { durable: () => Promise.resolve(20 as DurablePosition) } as unknown as Journal;
    expect(await archivedJournal(local, acked, 'strict').durable(5)).toBe(7);
    expect(await archivedJournal(local, acked, 'standard').durable(5)).toBe(20);
  });
});

const RECEIVED = {
  type: 'statement.received',
  session_id: 'ses_1',
  statement_id: 'stm_1',
  action: 'sql.execute',
  mode: 'simple',
  payload: { bytes: Buffer.from('SELECT 1'), media: 'text' },
} as const;
const OPENED = { type: 'session.opened', session_id: 'ses_2' } as unknown as EventDraft;

interface Told {
  readonly acked: number;
  readonly durable: number;
  readonly alarms: readonly unknown[];
}

class ForwardingProcess {
  readonly #process: ChildProcess;
  /** What it had acknowledged when it first said so. */
  first = Number.MAX_SAFE_INTEGER;
  newest: Told = { acked: -1, durable: -1, alarms: [] };

  constructor({ journalDir, enforcer }: Bed, port: number) {
    const env = { ...process.env, JOURNAL_DIR: journalDir, NATS_PORT: String(port), NATS_SEED: enforcer.seed, CHECKPOINT_KEY: KEY_PEM };
    this.#process = spawn(process.execPath, [join(import.meta.dirname, '..', 'support', 'forwarding-process.ts')], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void this.#process.kill('SIGKILL'));
    createInterface({ input: this.#process.stdout as Readable }).on('line', (line) => {
      this.newest = JSON.parse(line) as Told;
      if (this.newest.acked >= 0) this.first = Math.min(this.first, this.newest.acked);
    });
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const ended = once(this.#process, 'exit');
    this.#process.kill(signal);
    await ended;
  }
}
