/** `journal.verify`: a whole journal checked with the public key alone, beside reading the same bytes and hashing them once. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import { openJournal } from '#engine/journal/file-journal';
import { verifyJournal } from '#engine/journal/verify';
import { finished, intent, opened, text } from '#test/support/journal-events';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';

const SESSIONS = 64;
const STATEMENTS = 200_000;

export async function benchVerify({ only, rounds, journals, report }: BenchOptions): Promise<void> {
  if (!only.test('journal.verify')) return;
  const dir = mkdtempSync(join(journals.ram, 'interlock-verify-'));
  try {
    const publicKey = await written(dir);
    const results: { records: number; perS: number; vsHash: number; mb: number; cpu: number }[] = [];
    await verifyJournal(dir, publicKey); // compiled, as in a long run
    for (let round = 0; round < rounds; round++) {
      const hashed = await timed(async () => await hashOnce(dir));
      const verified = await timed(async () => await verifyJournal(dir, publicKey));
      const { records, verified: good } = verified.value;
      if (!good) throw new Error('the journal of the bench does not verify');
      results.push({
        records,
        perS: records / verified.seconds,
        vsHash: hashed.seconds / verified.seconds,
        cpu: verified.cpuUs / records,
        mb: hashed.value / 1e6 / verified.seconds,
      });
    }
    report({
      name: 'journal.verify',
      subject: 'interlock',
      journal: 'ram',
      rounds,
      records: results[0]?.records ?? 0,
      records_per_s: median(results.map(({ perS }) => perS)),
      mb_per_s: median(results.map(({ mb }) => mb)),
      cpu_us_per_record: median(results.map(({ cpu }) => cpu)),
      vs_sha256: median(results.map(({ vsHash }) => vsHash)),
    });
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Statements as they come: one record of received, decided and cleared, or with the end of the one before it. */
async function written(dir: string): Promise<string> {
  const checkpoint = { everyMs: 1000, key: generateKeyPairSync('ed25519').privateKey, origin: 'bench' };
  const journal = await openJournal({ dir, segmentBytes: 64 << 20, payloads: 'clear', clock: systemClock, version: 'bench', checkpoint });
  for (let session = 0; session < SESSIONS; session++) journal.append(opened(`ses_${session}`));
  const texts = Array.from({ length: SESSIONS }, (_, index) => text(`SELECT id, item FROM orders WHERE customer = $${index}`));
  for (let n = 0; n < STATEMENTS; n++) {
    const session = n % SESSIONS;
    const statement = { sessionId: `ses_${session}`, statementId: `stm_01J${String(n).padStart(23, '0')}`, payload: texts[session] ?? text('') };
    const position = intent(journal, statement);
    if (session === SESSIONS - 1) await journal.durable(position);
    journal.append(finished(statement));
  }
  await journal.close('bench');
  return journal.publicKeyPem;
}

/** What anybody pays who reads the bytes and hashes them. Answers how many. */
async function hashOnce(dir: string): Promise<number> {
  const digest = createHash('sha256');
  let bytes = 0;
  for (const name of readdirSync(dir).filter((each) => each.endsWith('.seg'))) {
    const file = await readFile(join(dir, name));
    digest.update(file);
    bytes += file.length;
  }
  digest.digest();
  return bytes;
}

function median(values: readonly number[]): number {
  return quantile(Float64Array.from(values).sort(), 0.5);
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly seconds: number; readonly cpuUs: number }> {
  const cpu = process.cpuUsage();
  const started = performance.now();
  const value = await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { value, seconds, cpuUs: user + system };
}
