/** A journal of every format version that was released: later versions read it, verify it, prove from it and write on it. And its export as CloudEvents. */
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { exportJournal } from '#engine/journal/export';
import { openJournal } from '#engine/journal/file-journal';
import { FORMAT_VERSION } from '#engine/journal/format';
import { checkProof, readProof } from '#engine/journal/proof';
import { readJournal } from '#engine/journal/reader';
import { verifyJournal } from '#engine/journal/verify';
import { verifySet } from '#engine/journal/verify-set';
import { ed25519 } from '#engine/journal/verify-walk';
import { exportDigest, type JournalFixture, unpackFixture } from '#test/support/journal-fixture';

const folder = join(import.meta.dirname, '..', 'cases', 'journals');
const versions = Array.from({ length: FORMAT_VERSION }, (_, index) => index + 1);
const fileOf = (version: number): string => join(folder, `v${version}.json`);
const fixtureOf = (version: number): JournalFixture => JSON.parse(readFileSync(fileOf(version), 'utf8')) as JournalFixture;

test('there is one for each version, and it is small', () => {
  for (const version of versions) {
    expect(existsSync(fileOf(version)), fileOf(version)).toBe(true);
    expect(statSync(fileOf(version)).size).toBeLessThan(60_000);
    expect(fixtureOf(version).format).toBe(version);
  }
});

describe.each(versions)('format %i', (version) => {
  const fixture = fixtureOf(version);

  test('it verifies, and every event reads as it did', async () => {
    using copy = unpacked(fixture);
    const { events, types, ...counts } = fixture.expect;
    expect(await verifySet([copy.dir], [fixture.public_key])).toMatchObject({ verified: true, problems: [], ...counts });
    expect(await exportDigest(copy.dir)).toEqual({ events, types });
  });

  test('its proof still stands', () => {
    expect(checkProof(readProof(fixture.proof), [ed25519(fixture.public_key)])).toMatchObject({ verified: true, problems: [] });
  });

  test('one bit of it changed is found', async () => {
    for (const at of [130, 700, 3_000, 6_000]) {
      using copy = unpacked(fixture);
      const file = join(copy.dir, '00000001.seg');
      const bytes = readFileSync(file);
      bytes[at] = (bytes[at] as number) ^ 1;
      writeFileSync(file, bytes);
      expect((await verifyJournal(copy.dir, fixture.public_key)).verified, String(at)).toBe(false);
    }
  });

  test('this version writes on it, and what stood there stands', async () => {
    using copy = unpacked(fixture);
    const checkpoint = { everyMs: 60_000, key: generateKeyPairSync('ed25519').privateKey, origin: 'later' };
    const journal = await openJournal({ dir: copy.dir, segmentBytes: 64 << 10, payloads: 'clear', checkpoint, clock: systemClock, version: 'later' });
    journal.append({ type: 'admin.changed', by: 'root', what: 'a later version' });
    await journal.close('drain');
    let last = '';
    let records = 0;
    for await (const event of readJournal(copy.dir)) [last, records] = [event.type, event.seq + 1];
    expect([last, records > fixture.expect.records]).toEqual(['journal.closed', true]);
    const { problems } = await verifyJournal(copy.dir, fixture.public_key);
    // another key signs from here on, as this test has no other; nothing else is wrong
    expect([...new Set(problems.map(({ code }) => code))]).toEqual(['CHECKPOINT_SIGNATURE']);
  });

  test('as CloudEvents 1.0: every attribute is what the specification’s JSON Schema allows, and data is the event', async () => {
    using copy = unpacked(fixture);
    const events: string[] = [];
    for await (const line of exportJournal(copy.dir)) events.push(line);
    let before = '';
    const ids = new Set<string>();
    let at = 0;
    for await (const line of exportJournal(copy.dir, 'cloudevents')) {
      const event = JSON.parse(line) as Record<string, unknown>;
      expect(wrongIn(event)).toEqual([]);
      expect(event['data']).toEqual(JSON.parse(events[at++] as string));
      expect(event['type']).toBe(`dev.interlock.${(event['data'] as { type: string }).type}`);
      expect(String(event['sequence']) > before).toBe(true);
      before = String(event['sequence']);
      ids.add(`${String(event['source'])} ${String(event['id'])}`);
    }
    expect([at, ids.size]).toEqual([events.length, events.length]);
  });
});

/**
 * The rules of the specification's JSON Schema (cloudevents/formats/cloudevents.json, v1.0.2) and of its text §3.1 for names of extensions.
 * https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
function wrongIn(event: Record<string, unknown>): readonly string[] {
  const filled = (value: unknown): boolean => typeof value === 'string' && value.length >= 1;
  const RULES: Readonly<Record<string, (value: unknown) => boolean>> = {
    id: filled,
    source: (value) => filled(value) && URL.canParse(value as string, 'http://base/'),
    specversion: (value) => value === '1.0',
    type: filled,
    datacontenttype: (value) => filled(value) && /^[\w.+-]+\/[\w.+-]+$/.test(value as string),
    dataschema: (value) => filled(value) && URL.canParse(value as string),
    subject: filled,
    time: (value) =>
      typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value)),
    data: (value) => value !== undefined,
    data_base64: (value) => typeof value === 'string',
  };
  const missing = ['id', 'source', 'specversion', 'type'].filter((name) => !Object.hasOwn(event, name));
  const bad = Object.entries(event).filter(([name, value]) => {
    const rule = RULES[name];
    if (rule !== undefined) return !rule(value);
    return !/^[a-z0-9]{1,20}$/.test(name) || !['string', 'number', 'boolean'].includes(typeof value);
  });
  const both = 'data' in event && 'data_base64' in event ? ['data and data_base64'] : [];
  return [...missing, ...bad.map(([name]) => name), ...both];
}

function unpacked(fixture: JournalFixture): Disposable & { readonly dir: string } {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-format-'));
  unpackFixture(fixture, dir);
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) };
}
