/**
 * Approvals on one journal, and in the order of several engines over a real nats-server that syncs: how long each verb takes, what it costs this process (of
 * two engines: both), and a start with 10,000.
 */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import { type FileJournal, openJournal } from '#engine/journal/file-journal';
import { draft, subject } from '#test/support/approvals';
import { bookOptions, person, type SharedBook, SharedNats } from '#test/support/shared-books';
import { openApprovals, type ApprovalBook } from '#engine/approvals/approvals';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';

const REQUESTS = 10_000;
const TIMED = 1_000;
/** Asked for at once while the 10,000 are made. */
const AT_ONCE = 64;
const VERBS = ['request', 'verdict', 'consume'] as const;

export async function benchApprovals(options: BenchOptions): Promise<void> {
  const { only, journals } = options;
  if (![...VERBS.map((verb) => `approvals.${verb}`), 'approvals.start'].some((name) => only.test(name))) return;
  const dir = mkdtempSync(join(journals.disk, 'approvals-'));
  try {
    await alone(options, join(dir, 'alone'));
    await together(options, dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function alone(options: BenchOptions, dir: string): Promise<void> {
  const journal = await fileJournal(dir);
  const opened = await openApprovals(bookOptions(journal));
  await verbs(options, opened, 'one engine');
  opened.close();
  await journal.close('drain');
}

async function together(options: BenchOptions, dir: string): Promise<void> {
  await using nats = await SharedNats.start();
  const journals = [await fileJournal(join(dir, 'one')), await fileJournal(join(dir, 'two'))] as const;
  const one = await nats.book('one', { journal: journals[0] });
  const two = await nats.book('two', { journal: journals[1] });
  await verbs(options, one.book, 'two engines');
  await fill(one.book, Math.ceil(REQUESTS * Math.min(1, options.scale)));
  const asked = Math.ceil(REQUESTS * Math.min(1, options.scale));
  await two.close();
  await started(options, nats, { dir: join(dir, 'three'), asked, like: one });
  await one.close();
  for (const journal of journals) await journal.close('drain');
}

/** An engine that is new: all of it comes from the stream, and goes into its journal. */
async function started(
  { report }: BenchOptions,
  nats: SharedNats,
  { dir, asked, like }: { dir: string; asked: number; like: SharedBook },
): Promise<void> {
  for (const journal of ['new', 'known']) {
    const opened = await fileJournal(dir);
    const cpu = process.cpuUsage();
    const before = performance.now();
    const three = await nats.book('three', { journal: opened });
    const ms = performance.now() - before;
    const { user, system } = process.cpuUsage(cpu);
    if (three.book.open !== like.book.open) throw new Error('not measured: it does not know all of them');
    report({
      name: 'approvals.start',
      subject: 'interlock',
      journal,
      requests: asked,
      ms,
      requests_per_s: asked / (ms / 1000),
      cpu_us: (user + system) / asked,
    });
    await three.close();
    await opened.close('drain');
  }
}

async function verbs({ report }: BenchOptions, book: ApprovalBook, engines: string): Promise<void> {
  const times: Record<(typeof VERBS)[number], number[]> = { request: [], verdict: [], consume: [] };
  const cpuUs = { request: 0, verdict: 0, consume: 0 };
  const timed = async <T>(verb: (typeof VERBS)[number], work: () => Promise<T>): Promise<T> => {
    const cpu = process.cpuUsage();
    const before = performance.now();
    const done = await work();
    times[verb].push((performance.now() - before) * 1000);
    const { user, system } = process.cpuUsage(cpu);
    cpuUs[verb] += user + system;
    return done;
  };
  for (let i = 0; i < TIMED; i++) {
    const asked = draft({ text: `UPDATE payments SET a = ${i}`, subject: subject(`alice${i % 50}`) });
    const { approvalId } = await timed('request', () => book.request(asked));
    await timed('verdict', () => book.verdict(approvalId, { reviewer: person('carol'), outcome: 'approve' }));
    await timed('consume', () => book.consume(approvalId, { statementId: asked.statementId, enforcer: 'shop', nonce: `non_${i}`, draft: asked }));
  }
  for (const verb of VERBS)
    report({
      name: `approvals.${verb}`,
      subject: 'interlock',
      engines,
      p50_us: quantile(Float64Array.from(times[verb]).toSorted(), 0.5),
      p99_us: quantile(Float64Array.from(times[verb]).toSorted(), 0.99),
      cpu_us: cpuUs[verb] / TIMED,
    });
}

async function fill(book: ApprovalBook, count: number): Promise<void> {
  for (let at = 0; at < count; at += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, i) => at + i);
    await Promise.all(some.map((n) => book.request(draft({ text: `DELETE FROM payments WHERE id = ${n}`, subject: subject(`bob${n % 500}`) }))));
  }
}

function fileJournal(dir: string): Promise<FileJournal> {
  const { privateKey: key } = generateKeyPairSync('ed25519');
  return openJournal({
    dir,
    segmentBytes: 64 << 20,
    payloads: 'clear',
    clock: systemClock,
    version: 'bench',
    checkpoint: { everyMs: 1_000, key, origin: 'bench' },
  });
}
