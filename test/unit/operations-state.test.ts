/** Backup and restore of a state directory: sealed or in clear, whole or refused by name (issue 5, Operations). */
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { exportState, importState, type JournalAtHand } from '#engine/operations/state/state';
import { seal } from '#engine/operations/state/envelope';
import { pack, unpack } from '#engine/operations/state/contents';

const PASSPHRASE = 'correct horse battery';
let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-state-'));
  for (const folder of ['state/keys', 'state/issuer', 'state/bundles', 'state/journal', 'state/archive'])
    mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 });
  put('state/keys/checkpoint', 'PRIVATE CHECKPOINT', 0o600);
  put('state/keys/checkpoint.pub', 'PUBLIC', 0o644);
  put('state/issuer/issuer.jwk', 'PRIVATE ISSUER', 0o600);
  put('state/bundles/received.json', '{"highest":7}', 0o600);
  put('state/journal/00000001.seg', 'a large journal', 0o600);
  put('state/projection.sqlite', 'made anew', 0o600);
  put('state/gateway.json', '{}', 0o600);
});
afterEach(() => rmSync(dir, { recursive: true }));

function put(name: string, text: string, mode: number): void {
  writeFileSync(join(dir, name), text);
  chmodSync(join(dir, name), mode);
}

const places = (stateDir: string) => ({
  stateDir,
  journalDir: join(stateDir, 'journal'),
  checkpointKey: join(stateDir, 'keys', 'checkpoint'),
  identityDir: null,
});

function journal(size: number, changes = 0, root = 'root'): JournalAtHand {
  return { newest: () => ({ size, root }), changesSince: () => Promise.resolve(changes) };
}

const made = (more: { passphrase?: string | null; journal?: JournalAtHand } = {}) =>
  exportState({
    places: places(join(dir, 'state')),
    role: 'up',
    version: '0.1.0',
    clock: systemClock,
    journal: journal(100),
    passphrase: PASSPHRASE,
    revision: null,
    to: join(dir, 'backup'),
    ...more,
  });

const restored = (more: { passphrase?: string | null; journal?: JournalAtHand; acceptOlder?: boolean; role?: 'up' | 'engine'; into?: string } = {}) =>
  importState({
    places: places(join(dir, more.into ?? 'elsewhere')),
    role: 'up',
    journal: journal(100),
    passphrase: PASSPHRASE,
    from: join(dir, 'backup'),
    acceptOlder: false,
    ...more,
  });

describe.each([PASSPHRASE, null])('with the passphrase %s', (passphrase) => {
  test('every key and counter comes back with its mode; journal, projection and addresses are not in it', async () => {
    const exported = await made({ passphrase });
    expect(exported).toMatchObject({ form: passphrase === null ? 'plain' : 'sealed', files: 4, journal: { records: 100, root: 'root' } });
    expect(statSync(exported.file).mode & 0o777).toBe(0o600);
    expect(readFileSync(exported.file, 'latin1').includes('PRIVATE')).toBe(passphrase === null);
    expect(await restored({ passphrase })).toMatchObject({ files: 4, changes_since: 0 });
    const at = join(dir, 'elsewhere');
    expect(readdirSync(at).toSorted()).toEqual(['bundles', 'issuer', 'keys']);
    expect(readFileSync(join(at, 'issuer/issuer.jwk'), 'utf8')).toBe('PRIVATE ISSUER');
    expect([
      statSync(at).mode & 0o777,
      statSync(join(at, 'keys/checkpoint')).mode & 0o777,
      statSync(join(at, 'keys/checkpoint.pub')).mode & 0o777,
    ]).toEqual([0o700, 0o600, 0o644]);
  });

  test('one changed byte, anywhere, is found; and nothing is written then', async () => {
    const { file } = await made({ passphrase });
    const whole = readFileSync(file);
    for (let at = 0; at < whole.length; at += passphrase === null ? 7 : Math.ceil(whole.length / 4)) {
      const changed = Buffer.from(whole);
      changed[at] = (changed[at] as number) ^ 1;
      writeFileSync(file, changed);
      await expect(restored({ passphrase }), `byte ${at}`).rejects.toMatchObject({ code: 'STATE_EXPORT' });
    }
    for (const length of [0, 40, whole.length - 1]) {
      writeFileSync(file, whole.subarray(0, length));
      await expect(restored({ passphrase }), `cut at ${length}`).rejects.toMatchObject({ code: 'STATE_EXPORT' });
    }
    expect(readdirSync(dir)).not.toContain('elsewhere');
  });
});

test('another passphrase, none, too short a one', async () => {
  await made();
  await expect(restored({ passphrase: 'another passphrase' })).rejects.toThrow('the passphrase is another');
  await expect(restored({ passphrase: null })).rejects.toThrow('--passphrase-file');
  await expect(made({ passphrase: 'short' })).rejects.toMatchObject({ code: 'USAGE' });
});

test('nothing is overwritten; a journal that is there may stay', async () => {
  await made();
  mkdirSync(join(dir, 'elsewhere', 'journal'), { recursive: true, mode: 0o700 });
  await restored();
  await expect(restored()).rejects.toMatchObject({ code: 'STATE_EXISTS' });
  expect(readFileSync(join(dir, 'elsewhere', 'issuer/issuer.jwk'), 'utf8')).toBe('PRIVATE ISSUER');
});

test('an export that is older than what the journal tells of is refused by name, and taken where that is said', async () => {
  await made();
  await expect(restored({ journal: journal(200, 2) })).rejects.toMatchObject({ code: 'STATE_OLDER', message: expect.stringContaining('2 changes') });
  await expect(restored({ journal: journal(99) })).rejects.toMatchObject({ code: 'STATE_OLDER' });
  await expect(restored({ journal: journal(100, 0, 'another') })).rejects.toMatchObject({ code: 'STATE_OLDER' });
  expect(await restored({ journal: journal(200, 2), acceptOlder: true })).toMatchObject({ changes_since: 2 });
});

test('of another role, of a later form, with a name that leads out, with a link: refused', async () => {
  await made();
  await expect(restored({ role: 'engine' })).rejects.toThrow('is of `interlock up`; the configuration is of an engine');
  writeFileSync(join(dir, 'backup'), 'interlock-state 2\n{}\n');
  await expect(restored()).rejects.toThrow('is of form 2; this version reads form 1');
  const manifest = { contract: 1, version: '0', created_at: '2026-11-23T10:00:00.000000Z', role: 'up', revision: null, journal: null } as const;
  for (const name of ['state/../../evil', '/etc/passwd', 'state/keys/..', 'other/x', 'state'])
    expect(() => unpack(pack({ manifest, files: [{ name, mode: 0o600, bytes: Buffer.from('x') }] })), name).toThrow('manifest has another form');
  writeFileSync(join(dir, 'backup'), await seal(pack({ manifest, files: [] }), PASSPHRASE));
  expect(await restored()).toMatchObject({ files: 0 });
  symlinkSync('/etc/passwd', join(dir, 'state', 'keys', 'link'));
  await expect(made()).rejects.toMatchObject({ code: 'STATE_EXPORT', message: expect.stringContaining('is no plain file') });
});
