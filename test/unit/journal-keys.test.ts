/** I8, N1: by which keys the mirror verifies the journals of enforcers. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { JournalKeys, toldKey } from '#engine/journal/archive/journal-keys';

let dir: string;
let file: string;
const raised: string[] = [];
const alarms = { raise: (code: string, of: string, detail: string): void => void raised.push(`${code} ${of}: ${detail}`) };
const JOURNAL = 'a'.repeat(32);
const [one, two] = [generateKeyPairSync('ed25519').publicKey, generateKeyPairSync('ed25519').publicKey];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-keys-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach((context) => {
  raised.length = 0;
  file = join(dir, context.task.id, 'keys.json');
});

describe('what an enforcer says of its journal', () => {
  test('is known from then on, after a restart too, and to nobody else', () => {
    const keys = new JournalKeys(file, alarms);
    expect(keys.of(JOURNAL)).toBeNull();
    keys.learn(JOURNAL, { enforcer: 'shop', key: toldKey(one) });
    keys.learn(JOURNAL, { enforcer: 'shop', key: toldKey(one) });
    expect(keys.of(JOURNAL)?.equals(one)).toBe(true);
    expect(new JournalKeys(file, alarms).of(JOURNAL)?.equals(one)).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(raised).toEqual([]);
  });

  test('another key for the same journal is an alarm, whoever says it, and is not believed', () => {
    new JournalKeys(file, alarms).learn(JOURNAL, { enforcer: 'shop', key: toldKey(one) });
    const keys = new JournalKeys(file, alarms);
    for (const enforcer of ['shop', 'other']) keys.learn(JOURNAL, { enforcer, key: toldKey(two) });
    expect(keys.of(JOURNAL)?.equals(one)).toBe(true);
    expect(raised).toEqual(
      ['shop', 'other'].map(
        (enforcer) => `foreign ${JOURNAL}: enforcer ${enforcer} says that the journal’s checkpoints are signed by another key than shop said`,
      ),
    );
  });

  test.each([
    ['not a journal', 'x', toldKey(one)],
    ['a path', '../../../../etc/passwd', toldKey(one)],
    ['not a key', JOURNAL, 'AAAA'],
    ['a key of another kind', JOURNAL, toldKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)],
    ['bytes behind the key', JOURNAL, Buffer.concat([Buffer.from(toldKey(one), 'base64'), Buffer.from([0])]).toString('base64')],
  ])('%s: an alarm, and nothing is kept', (_what, journal, key) => {
    const keys = new JournalKeys(file, alarms);
    keys.learn(journal, { enforcer: 'shop', key });
    expect(keys.of(journal)).toBeNull();
    expect(raised).toEqual(['foreign shop: an enforcer named a key for its journal that is none']);
  });
});

test('a damaged file is an alarm, and is written anew', () => {
  new JournalKeys(file, alarms).learn(JOURNAL, { enforcer: 'shop', key: toldKey(one) });
  for (const damage of ['{', '[1]', JSON.stringify({ [JOURNAL]: { enforcer: 'shop', key: 'AAAA' } })]) {
    writeFileSync(file, damage);
    const keys = new JournalKeys(file, alarms);
    expect(keys.of(JOURNAL)).toBeNull();
    expect(raised.splice(0)).toEqual([expect.stringContaining('foreign keys.json:')]);
    keys.learn(JOURNAL, { enforcer: 'shop', key: toldKey(one) });
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual({ [JOURNAL]: { enforcer: 'shop', key: toldKey(one) } });
  }
});
