/** The way to the archive over a real nats-server with accounts, in a process of its own, on this machine: two processors for all of it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import type { Journal } from '#client/journal';
import { silentLog } from '#client/log';
import { Alarms } from '#engine/journal/archive/alarms';
import { archivedJournal } from '#engine/journal/archive/archived-journal';
import { startForwarder, type Forwarder } from '#engine/journal/archive/forwarder';
import { startMirror } from '#engine/journal/archive/mirror';
import { openJournal, type FileJournal } from '#engine/journal/file-journal';
import { AuditSource } from '#engine/nats/audit-source';
import { AuditStream } from '#engine/nats/audit-stream';
import type { NatsLink } from '#engine/nats/connection';
import { somebody, TestNats, until } from '#test/support/nats';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';

const FORWARDED = 600_000;
const EVENTS_PER_SECOND = 5_000;
const TICK_MS = 2;
const LAG_SECONDS = 10;
const STRICT_APPENDS = 20_000;
/** So that a record has about 300 bytes, the most that a hot-path statement's may have. */
const FILLER = 'x'.repeat(180);

export async function benchArchive(options: BenchOptions): Promise<void> {
  const { only } = options;
  if (!only.test('archive.forward') && !only.test('archive.lag') && !only.test('archive.mirror') && !only.test('journal.append')) return;
  for (const place of ['ram', 'disk'] as const) {
    if (only.test('archive.forward') || only.test('archive.mirror')) await benchForward(options, place);
    if (only.test('archive.lag')) await benchLag(options, place);
    if (only.test('journal.append')) for (const writers of [1, 64, 512]) await benchStrict(options, place, writers);
  }
}

interface Bed {
  readonly root: string;
  readonly nats: TestNats;
  readonly journal: FileJournal;
  /** An enforcer's. */
  readonly link: NatsLink;
  /** An engine's. */
  readonly reader: NatsLink;
  readonly forward: (more?: { readonly onAck?: (us: number, records: number) => void }) => Forwarder;
}

async function withBed({ journals }: BenchOptions, place: 'ram' | 'disk', work: (bed: Bed) => Promise<void>): Promise<void> {
  const root = mkdtempSync(join(journals[place], 'interlock-archive-'));
  const checkpoint = { everyMs: 1000, key: generateKeyPairSync('ed25519').privateKey, origin: 'bench' };
  const journal = await openJournal({
    dir: join(root, 'journal'),
    segmentBytes: 64 << 20,
    payloads: 'clear',
    clock: systemClock,
    version: 'bench',
    checkpoint,
  });
  const [enforcer, engine, setup] = [somebody('enforcer', 'bench', [journal.id]), somebody('engine', 'engine'), somebody('setup', 'setup')];
  await using nats = await TestNats.start({ grants: [enforcer, engine, setup], dir: join(root, 'nats') });
  await nats.setUp(setup);
  await using link = nats.link(enforcer);
  await using reader = nats.link(engine);
  await Promise.all([link.connection(), reader.connection()]);
  const backlog = (): { bytes: number; ageMs: number } => ({ bytes: 8 * 1024 ** 3, ageMs: 3_600_000 });
  const alarms = new Alarms(journal, silentLog);
  const forward: Bed['forward'] = (more = {}) =>
    startForwarder({ journal, archive: new AuditStream(link), backlog, alarms, clock: systemClock, log: silentLog, ...more });
  await work({ root, nats, journal, link, reader, forward });
  await journal.close('bench');
  rmSync(root, { recursive: true, force: true });
}

/** A backlog that is there is brought to the archive, then read back into files. */
function benchForward(options: BenchOptions, place: 'ram' | 'disk'): Promise<void> {
  return withBed(options, place, async ({ root, journal, forward, reader }) => {
    for (let n = 0; n < FORWARDED; n += 2_000) await journal.durable(appendMany(journal, 2_000));
    const { records, bytes } = journal.status();
    const last = journal.durablePosition;
    const started = performance.now();
    const acks: number[] = [];
    const cpu = process.cpuUsage();
    const forwarder = forward({ onAck: (us) => acks.push(us) });
    await until(() => forwarder.acked >= last, 120_000);
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(cpu);
    const sorted = Float64Array.from(acks).sort();
    options.report({
      name: 'archive.forward',
      subject: 'interlock',
      journal: place,
      records,
      tps: records / seconds,
      mb_per_s: bytes / seconds / 1e6,
      messages: acks.length,
      ack_p50_us: quantile(sorted, 0.5),
      ack_p99_us: quantile(sorted, 0.99),
      cpu_us_per_op: (user + system) / records,
    });
    await forwarder.close();
    if (options.only.test('archive.mirror')) await benchMirror(options, { root, journal, reader }, place);
  });
}

async function benchMirror(options: BenchOptions, { root, journal, reader }: Pick<Bed, 'root' | 'journal' | 'reader'>, place: string): Promise<void> {
  const { records } = journal.status();
  const started = performance.now();
  const alarms = new Alarms(journal, silentLog);
  const mirror = startMirror({ dir: join(root, 'archive'), source: new AuditSource(reader), alarms, log: silentLog });
  await until(() => (mirror.status().journals[0]?.records ?? 0) >= records - 1, 120_000);
  const seconds = (performance.now() - started) / 1000;
  await mirror.close();
  options.report({ name: 'archive.mirror', subject: 'interlock', journal: place, records, tps: records / seconds, alarms: alarms.open.length });
}

/** Records at a steady pace: how long after it was durable here the archive acknowledged each. */
function benchLag(options: BenchOptions, place: 'ram' | 'disk'): Promise<void> {
  return withBed(options, place, async ({ journal, forward }) => {
    const durableAt: { readonly position: number; readonly at: number }[] = [];
    const lags: number[] = [];
    let backlogMax = 0;
    const forwarder = forward({
      onAck: (_, records) => {
        const upTo = forwarder.acked + records;
        const now = performance.now();
        while (durableAt[0] !== undefined && durableAt[0].position <= upTo) lags.push((now - (durableAt.shift()?.at ?? now)) * 1000);
        backlogMax = Math.max(backlogMax, journal.durablePosition - upTo);
      },
    });
    await until(() => forwarder.acked >= journal.durablePosition, 10_000);
    const started = performance.now();
    let written = 0;
    while (performance.now() - started < LAG_SECONDS * 1000) {
      const due = Math.floor(((performance.now() - started) / 1000) * EVENTS_PER_SECOND);
      if (due > written) {
        const position = appendMany(journal, due - written);
        written = due;
        await journal.durable(position);
        durableAt.push({ position, at: performance.now() });
      }
      await new Promise((resolve) => setTimeout(resolve, TICK_MS));
    }
    await forwarder.close();
    const sorted = Float64Array.from(lags).sort();
    options.report({
      name: 'archive.lag',
      subject: 'interlock',
      journal: place,
      tps: written / LAG_SECONDS,
      p50_us: quantile(sorted, 0.5),
      p99_us: quantile(sorted, 0.99),
      backlog_max: backlogMax,
    });
  });
}

/** As `journal.append`, with the archive's acknowledgement of each; beside it what the archive itself took for a message. */
function benchStrict(options: BenchOptions, place: 'ram' | 'disk', writers: number): Promise<void> {
  return withBed(options, place, async ({ journal, forward }) => {
    const acks: number[] = [];
    const forwarder = forward({ onAck: (us) => acks.push(us) });
    await until(() => forwarder.acked >= journal.durablePosition, 10_000);
    const strict = archivedJournal(journal, forwarder, 'strict');
    const each = Math.ceil((writers === 1 ? STRICT_APPENDS / 10 : STRICT_APPENDS) / writers);
    const times: number[] = [];
    acks.length = 0;
    const started = performance.now();
    const write = async (): Promise<void> => {
      for (let n = 0; n < each; n++) {
        const at = performance.now();
        await strict.durable(strict.append({ type: 'admin.changed', by: 'bench', what: FILLER }));
        times.push((performance.now() - at) * 1000);
      }
    };
    await Promise.all(Array.from({ length: writers }, write));
    const seconds = (performance.now() - started) / 1000;
    const [sorted, acked] = [Float64Array.from(times).sort(), Float64Array.from(acks).sort()];
    options.report({
      name: 'journal.append',
      subject: 'interlock',
      audit: 'strict',
      journal: place,
      clients: writers,
      tps: (each * writers) / seconds,
      p50_us: quantile(sorted, 0.5),
      p99_us: quantile(sorted, 0.99),
      ack_p50_us: quantile(acked, 0.5),
      ack_p99_us: quantile(acked, 0.99),
      records_per_ack: (each * writers) / acks.length,
    });
    await forwarder.close();
  });
}

function appendMany(journal: Pick<Journal, 'append'>, records: number): number {
  let last = -1;
  for (let n = 0; n < records; n++) last = journal.append({ type: 'admin.changed', by: 'bench', what: FILLER });
  return last;
}
