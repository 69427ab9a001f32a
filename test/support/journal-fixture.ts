/**
 * A small journal of one format version, as a text: what every later version must still read and verify. Run once, when a format is released:
 * `node test/support/journal-fixture.ts test/cases/journals/v1.json`. Never run again for a version that was released.
 */
import { generateKeyPairSync, hash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { EventDraft, Payload } from '#client/journal';
import { systemClock } from '#client/clock';
import { crc32c } from '#engine/journal/crc32c';
import { exportJournal } from '#engine/journal/export';
import { openJournal, type FileJournal } from '#engine/journal/file-journal';
import { FORMAT_VERSION } from '#engine/journal/format';
import { proveEvent } from '#engine/journal/prove';
import { verifyJournal } from '#engine/journal/verify';
import { cleared, decided, DENIED, finished, intent, opened, received, text, type Written } from './journal-events.ts';

const SESSION = 'ses_1';

export interface JournalFixture {
  readonly format: number;
  readonly public_key: string;
  /** Of the journal's files: their bytes without the zeros at the end, deflated, base64; and how long they were. */
  readonly files: Readonly<Record<string, { readonly bytes: number; readonly data: string }>>;
  readonly expect: {
    readonly records: number;
    readonly sessions: number;
    readonly checkpoints: number;
    /** SHA-256 over its export as NDJSON. */
    readonly events: string;
    readonly types: readonly string[];
  };
  /** Of its `stm_approved`. */
  readonly proof: string;
}

/** Writes the files into `dir`, as they were. */
export function unpackFixture({ files }: JournalFixture, dir: string): void {
  for (const [name, { bytes, data }] of Object.entries(files)) {
    const whole = Buffer.alloc(bytes);
    inflateRawSync(Buffer.from(data, 'base64')).copy(whole);
    writeFileSync(join(dir, name), whole);
  }
}

export async function exportDigest(dir: string): Promise<{ readonly events: string; readonly types: readonly string[] }> {
  const types = new Set<string>();
  let lines = '';
  for await (const line of exportJournal(dir)) {
    lines += line;
    types.add((JSON.parse(line) as { type: string }).type);
  }
  return { events: hash('sha256', lines, 'hex'), types: [...types].toSorted() };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(process.argv[2] ?? '', `${JSON.stringify(await made(), null, 1)}\n`);

async function made(): Promise<JournalFixture> {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-fixture-'));
  try {
    const { privateKey } = generateKeyPairSync('ed25519');
    const open = (): Promise<FileJournal> =>
      openJournal({
        dir,
        segmentBytes: 64 << 10,
        payloads: 'clear',
        checkpoint: { everyMs: 60_000, key: privateKey, origin: 'interlock/fixture' },
        clock: systemClock,
        version: '0.1.0',
        role: 'up',
      });
    const first = await open();
    await fill(first);
    await first.close('drain');
    const second = await open();
    second.append({ type: 'admin.changed', by: 'root', what: 'the second process' });
    await second.close('drain');
    removePayload(dir);
    const { records, sessions, checkpoints, verified, problems } = await verifyJournal(dir, first.publicKeyPem);
    if (!verified) throw new Error(JSON.stringify(problems));
    const { text: proof } = await proveEvent([dir], 'stm_approved', [first.publicKeyPem]);
    return {
      format: FORMAT_VERSION,
      public_key: first.publicKeyPem,
      files: packed(dir),
      expect: { records, sessions, checkpoints, ...(await exportDigest(dir)) },
      proof,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Every form that a record has in this version. */
async function fill(journal: FileJournal): Promise<void> {
  const statement = (statementId: string, sql = `select '${statementId}'`): Written => ({ sessionId: SESSION, statementId, payload: text(sql) });
  const params: Payload = { bytes: Buffer.from('["1",null]'), media: 'params' };
  journal.append(opened(SESSION));
  for (let index = 0; index < 170; index++) {
    intent(journal, statement(`stm_${index}`));
    journal.append(finished(statement(`stm_${index}`)));
  }
  await journal.checkpoint();
  const denied = statement('stm_denied', 'delete from payments');
  journal.append(received(denied));
  journal.append(decided(denied, DENIED));
  journal.append({ type: 'statement.refused', session_id: SESSION, statement_id: 'stm_denied', code: 'NO', by: 'policy', sqlstate: '42501' });
  const approved = statement('stm_approved', 'update payments set amount = 0 where id = $1');
  journal.append({ ...received(approved), params });
  journal.append(decided(approved));
  journal.append({
    type: 'statement.held',
    session_id: SESSION,
    statement_id: 'stm_approved',
    approval_id: 'apr_1',
    expires_at: '2026-11-24T10:00:00.000000Z',
  });
  journal.append({
    type: 'approval.consumed',
    approval_id: 'apr_1',
    statement_id: 'stm_approved',
    enforcer: 'shop',
    nonce: 'non_1',
    receipt: 'receipt-1',
  });
  journal.append(decided(approved));
  journal.append({ ...cleared(approved), params, approval: { approval_id: 'apr_1', receipt: 'receipt-1' } });
  journal.append({ ...finished(approved), response_digest: `sha256:${'5'.repeat(64)}`, masked: { 'public.payments.card': 3 } });
  journal.append(closed());
  journal.append(opened('ses_2'));
  // no end: the next process writes `unknown`
  await journal.durable(intent(journal, { sessionId: 'ses_2', statementId: 'stm_left', payload: text('select 2') }));
}

function closed(): EventDraft {
  return { type: 'session.closed', session_id: SESSION, reason: 'client', statements: 22, bytes_in: 1, bytes_out: 2 };
}

/** The first payload, by the book (FORMAT.md): zeros, the flag, the checksum. */
function removePayload(dir: string): void {
  const file = join(dir, '00000001.seg');
  const bytes = readFileSync(file);
  let at = 128;
  while (bytes.readUInt32LE(at) < 0x8000_0000) at += 40 + (bytes.readUInt32LE(at) & 0x3fff_ffff);
  const end = at + 40 + (bytes.readUInt32LE(at) & 0x3fff_ffff);
  bytes.writeUInt32LE((bytes.readUInt32LE(at) | 0x4000_0000) >>> 0, at);
  bytes.fill(0, at + 40, end);
  bytes.writeUInt32LE(crc32c(bytes, at + 8, end, crc32c(bytes, at, at + 4)), at + 4);
  writeFileSync(file, bytes);
}

function packed(dir: string): JournalFixture['files'] {
  const names = readdirSync(dir).filter((name) => name.endsWith('.seg') || name === 'checkpoint');
  return Object.fromEntries(
    names.toSorted().map((name) => {
      const whole = readFileSync(join(dir, name));
      let end = whole.length;
      while (end > 0 && whole[end - 1] === 0) end--;
      return [name, { bytes: whole.length, data: deflateRawSync(whole.subarray(0, end)).toString('base64') }];
    }),
  );
}
