/** Journals with a way to an archive, as tests of it need them. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { Alarms } from '#engine/journal/archive/alarms';
import { startForwarder, type Forwarder, type ForwarderOptions } from '#engine/journal/archive/forwarder';
import { openJournal, type FileJournal } from '#engine/journal/file-journal';
import { verifyJournal } from '#engine/journal/verify';
import { AuditStream } from '#engine/nats/audit-stream';
import type { NatsLink } from '#engine/nats/connection';
import { until } from './nats.ts';

/** In memory: what is tested is not the disk. */
export function memoryDir(): { readonly dir: string } & Disposable {
  const dir = mkdtempSync('/dev/shm/interlock-archive-');
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A process that a test starts gets the test's own. */
export const KEY: KeyObject =
  process.env['CHECKPOINT_KEY'] === undefined ? generateKeyPairSync('ed25519').privateKey : createPrivateKey(process.env['CHECKPOINT_KEY']);
export const KEY_PEM: string = KEY.export({ type: 'pkcs8', format: 'pem' }).toString();
export const PUBLIC_PEM: string = createPublicKey(KEY).export({ type: 'spki', format: 'pem' }).toString();

export function testJournal(dir: string, more: { readonly segmentBytes?: number; readonly everyMs?: number } = {}): Promise<FileJournal> {
  const { segmentBytes = 256 << 10, everyMs = 50 } = more;
  const checkpoint = { everyMs, key: KEY, origin: 'test' };
  return openJournal({ dir, segmentBytes, payloads: 'clear', clock: systemClock, version: 'test', checkpoint });
}

export function forward(journal: FileJournal, link: NatsLink, more: Partial<ForwarderOptions> = {}): { forwarder: Forwarder; alarms: Alarms } {
  const alarms = new Alarms(journal, silentLog);
  const backlog = (): { bytes: number; ageMs: number } => ({ bytes: 1 << 30, ageMs: 600_000 });
  const options = { journal, archive: new AuditStream(link), backlog, alarms, clock: systemClock, log: silentLog, ...more };
  return { forwarder: startForwarder(options), alarms: options.alarms };
}

/** About 300 bytes each. */
export function fill(journal: FileJournal, records: number): number {
  let last = -1;
  for (let n = 0; n < records; n++) last = journal.append({ type: 'admin.changed', by: 'test', what: `${n} ${'x'.repeat(180)}` });
  return last;
}

/** Writes until the function that it answers is called, a record a turn; that answers how many. */
export function load(journal: FileJournal): () => Promise<number> {
  let written = 0;
  let going = true;
  const running = (async () => {
    while (going) {
      written += 20;
      await journal.durable(fill(journal, 20));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return async () => {
    going = false;
    await running;
    return written;
  };
}

export function caughtUp(forwarder: Forwarder, journal: FileJournal, ms = 10_000): Promise<void> {
  return until(() => forwarder.acked === journal.durableEnd.position, ms, 'the archive’s last acknowledgement');
}

/** Length and digest of each segment, without the zeros behind the last record. */
export function segmentsOf(dir: string): readonly string[] {
  const segments = readdirSync(dir)
    .filter((name) => name.endsWith('.seg'))
    .sort()
    .map((name) => withoutZeros(readFileSync(join(dir, name))));
  return segments.filter((bytes) => bytes.length > 0).map((bytes) => `${bytes.length} ${hash('sha256', bytes)}`);
}

function withoutZeros(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}

export async function verified(dir: string): Promise<number> {
  const { verified: whole, problems, records } = await verifyJournal(dir, PUBLIC_PEM);
  if (!whole) throw new Error(JSON.stringify(problems.slice(0, 3)));
  return records;
}
