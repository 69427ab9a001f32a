/** E5: a bundle is refused for what is wrong with it, and each refusal here is proved to be for that: the same bundle without the change passes. */
import { sign } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { writeFileSync, chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import fc from 'fast-check';
import type { BundleManifest } from '#schemas/bundle';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import { loadOrMakeSigningKey, loadSigningKey, loadTrustedKey, type SigningKey, trustedKey } from '#engine/bundles/keys';
import { BUNDLE_BYTES_MAX, FILES_MAX, MADE_AHEAD_MS_MAX, UNPACKED_BYTES_MAX } from '#engine/bundles/limits';
import { signBundle, signedBytes } from '#engine/bundles/sign';
import { type VerifiedBundle, verifyBundle } from '#engine/bundles/verify';
import {
  archived,
  contents,
  edited,
  entriesOf,
  entry,
  HOUR_US,
  keyFolder,
  nameOf,
  NOW_US,
  type RawEntry,
  signed,
  strangerPem,
  summed,
  trusting,
} from '#test/support/bundles';

let folder: Awaited<ReturnType<typeof keyFolder>>;
let key: SigningKey;
let other: SigningKey;
beforeAll(async () => {
  folder = await keyFolder();
  key = folder.key('ours');
  other = folder.key('other');
});
afterAll(() => folder[Symbol.asyncDispose]());

const verify = (bundle: Uint8Array, nowUs = NOW_US): Promise<VerifiedBundle> => verifyBundle(bundle, { trusted: trusting(key), nowUs });

async function refusal(bundle: Uint8Array, nowUs?: number): Promise<readonly [code: ErrorCode, message: string]> {
  const error = await verify(bundle, nowUs).then(
    () => new Error('it was taken'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof InterlockError)) throw error;
  return [error.code, error.message];
}

/** Signs whatever stands in the manifest, as whoever holds the key could. */
function resigned(bundle: Uint8Array, change: (manifest: BundleManifest) => object, by: SigningKey = key): Buffer {
  const [first, , ...rest] = entriesOf(bundle);
  const manifest = Buffer.from(JSON.stringify(change(JSON.parse(String(first?.content)) as BundleManifest)));
  const ed25519 = sign(null, signedBytes(manifest), by.key).toString('base64');
  return archived([
    entry('manifest.json', String(manifest)),
    entry('manifest.sig', JSON.stringify({ signatures: [{ key_id: by.id, ed25519 }] })),
    ...rest,
  ]);
}

const signatures = (bundle: Uint8Array): { signatures: { key_id: string; ed25519: string }[] } =>
  JSON.parse(String(entriesOf(bundle)[1]?.content)) as { signatures: { key_id: string; ed25519: string }[] };

describe('a bundle that is as it was signed', () => {
  test('says what it is, and holds the very bytes', async () => {
    const bundle = await verify(signed(key));
    expect(bundle.manifest).toMatchObject({ number: 7, revision: `sha256:${'a'.repeat(64)}`, made_at: '2026-11-23T10:00:00.000000Z' });
    expect(bundle.keyId).toBe(key.id);
    expect(bundle.expiresUs).toBe(NOW_US + HOUR_US);
    expect([...bundle.files].map(([path, content]) => [path, String(content)])).toEqual([
      ['policy.wasm', 'wasm'],
      ['data.json', '{}'],
    ]);
  });

  test('is taken with any of several keys, and with one among several signatures: keys can be changed without a gap', async () => {
    const both = signed(key, { keys: [other, key] });
    expect((await verify(both)).keyId).toBe(key.id);
    expect((await verifyBundle(both, { trusted: trusting(other, key), nowUs: NOW_US })).keyId).toBe(other.id);
  });

  test('round-trips whatever paths and bytes it has, up to the longest', async () => {
    const part = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,20}$/);
    const path = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('/'));
    await fc.assert(
      fc.asyncProperty(fc.dictionary(path, fc.string({ maxLength: 1500 }), { minKeys: 1, maxKeys: 6 }), async (files) => {
        const found = await verify(signed(key, {}, contents(files)));
        expect(Object.fromEntries([...found.files].map(([name, content]) => [name, String(content)]))).toEqual(
          Object.fromEntries(Object.entries(files).map(([name, text]) => [name, String(Buffer.from(text))])),
        );
      }),
      { numRuns: 50 },
    );
    const long = `${'a'.repeat(70)}/${'b'.repeat(70)}/${'c'.repeat(90)}`;
    expect([...(await verify(signed(key, {}, contents({ [long]: 'x' })))).files.keys()]).toEqual([long]);
  });

  test('any single byte of it that is changed is noticed', async () => {
    const tar = gunzipSync(signed(key));
    const end = tar.length;
    for (let at = 0; at < end; at++) {
      const spoilt = Buffer.from(tar);
      spoilt[at] = (spoilt[at] as number) ^ 0x01;
      await expect(verify(gzipSync(spoilt)), `byte ${at}`).rejects.toBeInstanceOf(InterlockError);
    }
  });
});

describe('signature', () => {
  test('none at all: BUNDLE_UNSIGNED', async () => {
    expect(await refusal(edited(signed(key), 'manifest.sig', () => []))).toEqual(['BUNDLE_UNSIGNED', expect.stringContaining('not signed')]);
  });

  test('an empty signing block: BUNDLE_UNSIGNED, whatever else is right (GHSA-g2pf-6v5v-qcc8)', async () => {
    const empty = edited(signed(key), 'manifest.sig', () => entry('manifest.sig', '{"signatures":[]}'));
    expect(await refusal(empty)).toEqual(['BUNDLE_UNSIGNED', expect.stringContaining('list of signatures is empty')]);
  });

  test.each(['', '{}', '[]', 'null', '{"signatures":[{}]}', '{"signatures":[{"key_id":"","ed25519":""}]}', '{"signatures":null}'])(
    'a block %s is none',
    async (text) => {
      const [code] = await refusal(edited(signed(key), 'manifest.sig', () => entry('manifest.sig', text)));
      expect(code).toBe('BUNDLE_MALFORMED');
    },
  );

  test('by a key that is not trusted: BUNDLE_KEY, naming both', async () => {
    expect(await refusal(signed(other))).toEqual(['BUNDLE_KEY', `the bundle is signed by ${other.id}; trusted: ${key.id}`]);
  });

  test('without any trusted key nothing is taken', async () => {
    await expect(verifyBundle(signed(key), { trusted: [], nowUs: NOW_US })).rejects.toMatchObject({ code: 'BUNDLE_KEY' });
  });

  test('by another key under the name of a trusted one: BUNDLE_TAMPERED', async () => {
    const forged = signatures(signed(other)).signatures.map(({ ed25519 }) => ({ key_id: key.id, ed25519 }));
    const bundle = edited(signed(key), 'manifest.sig', () => entry('manifest.sig', JSON.stringify({ signatures: forged })));
    expect(await refusal(bundle)).toEqual(['BUNDLE_TAMPERED', `its manifest is not what key ${key.id} signed`]);
  });

  test('one that fits does not help beside one of a trusted key that does not', async () => {
    const [good] = signatures(signed(key)).signatures;
    const [bad] = signatures(signed(key, { number: 8 })).signatures;
    const bundle = edited(signed(key), 'manifest.sig', () => entry('manifest.sig', JSON.stringify({ signatures: [good, bad] })));
    expect((await refusal(bundle))[0]).toBe('BUNDLE_TAMPERED');
  });

  test('what the key signed for another purpose is no signature of a bundle', async () => {
    const bundle = signed(key);
    const manifest = entriesOf(bundle)[0]?.content as Buffer;
    const bare = JSON.stringify({ signatures: [{ key_id: key.id, ed25519: sign(null, manifest, key.key).toString('base64') }] });
    expect((await refusal(edited(bundle, 'manifest.sig', () => entry('manifest.sig', bare))))[0]).toBe('BUNDLE_TAMPERED');
  });
});

describe('content', () => {
  test('a manifest that was changed: BUNDLE_TAMPERED', async () => {
    const bundle = edited(signed(key), 'manifest.json', ({ content }) => entry('manifest.json', String(content).replace('"number":7', '"number":9')));
    expect(await refusal(bundle)).toEqual(['BUNDLE_TAMPERED', `its manifest is not what key ${key.id} signed`]);
  });

  test('policy.wasm exchanged for another of the same length: BUNDLE_TAMPERED, by name', async () => {
    expect(await refusal(edited(signed(key), 'policy.wasm', () => entry('policy.wasm', 'evil')))).toEqual([
      'BUNDLE_TAMPERED',
      'policy.wasm is not what was signed',
    ]);
  });

  test('policy.wasm exchanged for a longer one: BUNDLE_TAMPERED, by its length', async () => {
    expect(await refusal(edited(signed(key), 'policy.wasm', () => entry('policy.wasm', 'longer')))).toEqual([
      'BUNDLE_TAMPERED',
      'policy.wasm is 6 bytes long; signed: 4',
    ]);
  });

  test('the signature of another bundle under this one: BUNDLE_TAMPERED', async () => {
    const foreign = entriesOf(signed(key, { number: 8 }))[1] as RawEntry;
    expect((await refusal(edited(signed(key), 'manifest.sig', () => foreign)))[0]).toBe('BUNDLE_TAMPERED');
  });

  test('a file too many: BUNDLE_MALFORMED, by name', async () => {
    const bundle = archived([...entriesOf(signed(key)), entry('extra.json', '{}')]);
    expect(await refusal(bundle)).toEqual(['BUNDLE_MALFORMED', 'the bundle is malformed: extra.json is not in its manifest']);
  });

  test('a file too few: BUNDLE_MALFORMED, by name', async () => {
    expect(await refusal(edited(signed(key), 'data.json', () => []))).toEqual(['BUNDLE_MALFORMED', 'the bundle is malformed: data.json is missing']);
  });

  test('files in another order: BUNDLE_MALFORMED', async () => {
    const [manifest, block, wasm, data] = entriesOf(signed(key)) as [RawEntry, RawEntry, RawEntry, RawEntry];
    expect(await refusal(archived([manifest, block, data, wasm]))).toEqual([
      'BUNDLE_MALFORMED',
      'the bundle is malformed: data.json stands where policy.wasm should',
    ]);
    expect(await refusal(archived([wasm, data, manifest, block]))).toEqual([
      'BUNDLE_MALFORMED',
      'the bundle is malformed: its first file is not manifest.json',
    ]);
  });

  test('a path twice: BUNDLE_MALFORMED; the first and the last reader would not see the same', async () => {
    const bundle = archived([...entriesOf(signed(key)), entry('policy.wasm', 'evil')]);
    expect(await refusal(bundle)).toEqual(['BUNDLE_MALFORMED', 'the bundle is malformed: policy.wasm is there twice']);
  });

  test('a manifest that names a file twice, even signed: BUNDLE_MALFORMED', async () => {
    const bundle = resigned(signed(key), (manifest) => ({ ...manifest, files: [...manifest.files, ...manifest.files.slice(0, 1)] }));
    expect(await refusal(bundle)).toEqual(['BUNDLE_MALFORMED', 'the bundle is malformed: its manifest names a file twice']);
  });

  test('a manifest of another format, contract, or with something more, even signed: BUNDLE_MALFORMED', async () => {
    for (const over of [
      { format: 'interlock-bundle/2' },
      { contract: 2 },
      { more: 1 },
      { number: 0 },
      { number: 1.5 },
      { revision: 'x' },
      { expires: 'never' },
    ]) {
      const bundle = resigned(signed(key), (manifest) => ({ ...manifest, ...over }));
      expect(await refusal(bundle), JSON.stringify(over)).toEqual(['BUNDLE_MALFORMED', 'the bundle is malformed: manifest.json is not of its form']);
    }
    expect((await verify(resigned(signed(key), (manifest) => manifest))).manifest.number).toBe(7); // the helper signs as it should
  });
});

describe('archive', () => {
  const tailed = (extra: RawEntry): Buffer => archived([...entriesOf(signed(key)), extra]);

  test.each([
    ['1', 'a hard link'],
    ['2', 'a symbolic link'],
    ['3', 'a device'],
    ['4', 'a device'],
    ['5', 'a folder'],
    ['6', 'a pipe'],
    ['7', 'not a regular file'],
    ['x', 'not a regular file'],
    ['g', 'not a regular file'],
    ['L', 'not a regular file'],
    ['K', 'not a regular file'],
    ['S', 'not a regular file'],
    ['\0', 'not a regular file'],
  ])('an entry of type %j (%s): BUNDLE_MALFORMED', async (type, words) => {
    expect(await refusal(tailed(entry('extra', '', { type, link: '/etc/passwd' })))).toEqual([
      'BUNDLE_MALFORMED',
      `the bundle is malformed: extra is ${words}`,
    ]);
  });

  test('a link in the place of a file that is signed: BUNDLE_MALFORMED', async () => {
    const bundle = edited(signed(key), 'policy.wasm', () => entry('policy.wasm', '', { type: '2', link: '/tmp/evil.wasm' }));
    expect(await refusal(bundle)).toEqual(['BUNDLE_MALFORMED', 'the bundle is malformed: policy.wasm is a symbolic link']);
  });

  test.each([
    '../evil',
    'a/../../evil',
    '/etc/passwd',
    './policy.wasm',
    'a//b',
    'a/',
    '.hidden',
    'a/.b',
    '-rf',
    'a b',
    'a\\b',
    'C:evil',
    'ä',
    'a\nb',
    '~',
    '%2e%2e',
    '..',
    '.',
  ])('the path %j: BUNDLE_MALFORMED', async (path) => {
    expect(await refusal(tailed(entry(path, 'x')))).toEqual([
      'BUNDLE_MALFORMED',
      expect.stringMatching(/^the bundle is malformed: the path ".*" is not one that a bundle may have$/),
    ]);
  });

  test('no bundle can be signed with such a path', () => {
    expect(() => signed(key, {}, contents({ '../evil': 'x' }))).toThrow('is not one that a bundle may have');
    expect(() => signed(key, {}, contents({ ['a'.repeat(256)]: 'x' }))).toThrow('is not one that a bundle may have');
    expect(() => signed(key, {}, contents({ ['a'.repeat(200)]: 'x' }))).toThrow('too long');
  });

  test('cut short anywhere: BUNDLE_MALFORMED', async () => {
    const bundle = signed(key);
    for (let length = 0; length < bundle.length; length += 7)
      expect((await refusal(bundle.subarray(0, length)))[0], `${length}`).toBe('BUNDLE_MALFORMED');
    const tar = gunzipSync(bundle);
    for (let length = 0; length < tar.length; length += 256)
      expect((await refusal(gzipSync(tar.subarray(0, length))))[0], `${length}`).toBe('BUNDLE_MALFORMED');
  });

  test('something behind its end, in the archive or in the compressed: BUNDLE_MALFORMED', async () => {
    const behind = ['BUNDLE_MALFORMED', 'the bundle is malformed: something stands behind its end'];
    expect(await refusal(archived(entriesOf(signed(key)), Buffer.alloc(1536)))).toEqual(behind);
    expect(await refusal(archived(entriesOf(signed(key)), Buffer.concat([Buffer.alloc(1024), Buffer.from('x')])))).toEqual(behind);
    expect((await refusal(Buffer.concat([signed(key), Buffer.from('x')])))[0]).toBe('BUNDLE_MALFORMED');
    expect(await refusal(Buffer.concat([signed(key), gzipSync('x')]))).toEqual(behind);
  });

  test('something in the padding of a file: BUNDLE_MALFORMED', async () => {
    const tar = gunzipSync(signed(key));
    const wasm = tar.lastIndexOf('wasm');
    expect(tar[wasm + 4]).toBe(0);
    tar[wasm + 4] = 1;
    expect(await refusal(gzipSync(tar))).toEqual(['BUNDLE_MALFORMED', 'the bundle is malformed: something stands behind policy.wasm']);
  });

  test('a header that tar would read otherwise: BUNDLE_MALFORMED', async () => {
    const spoil = (at: number, text: string): Buffer =>
      edited(signed(key), 'data.json', ({ header, content }) => {
        header.write(text, at, 'latin1');
        return { header: summed(header), content };
      });
    // mode, owner, length in another spelling, time, link name, magic, device
    for (const [at, text] of [
      [100, '0000777'],
      [108, '0000001'],
      [124, ' 2\0'],
      [124, '-0000000002'],
      [136, '00000000001'],
      [157, 'link'],
      [257, 'ustar  '],
      [329, '1'],
    ] as const)
      expect(await refusal(spoil(at, text)), `${at}`).toEqual([
        'BUNDLE_MALFORMED',
        expect.stringMatching(/data\.json (is not as it is written|has no length)|header of data\.json/),
      ]);
  });

  test('no archive, or none that is compressed: BUNDLE_MALFORMED', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), gzipSync(''), gzipSync('hello'), gunzipSync(signed(key))])
      expect((await refusal(bytes))[0]).toBe('BUNDLE_MALFORMED');
  });
});

describe('size', () => {
  test('longer than its bound, compressed: BUNDLE_TOO_LARGE before anything is unpacked', async () => {
    expect(await refusal(Buffer.alloc(BUNDLE_BYTES_MAX + 1))).toEqual([
      'BUNDLE_TOO_LARGE',
      `the bundle is longer than ${BUNDLE_BYTES_MAX} bytes, compressed`,
    ]);
    expect((await refusal(Buffer.alloc(BUNDLE_BYTES_MAX)))[0]).toBe('BUNDLE_MALFORMED');
  });

  test('a decompression bomb: BUNDLE_TOO_LARGE at its bound, whatever it would become', async () => {
    const bomb = gzipSync(Buffer.alloc(UNPACKED_BYTES_MAX * 4));
    expect(bomb.length).toBeLessThan(BUNDLE_BYTES_MAX);
    const before = process.memoryUsage().arrayBuffers;
    expect(await refusal(bomb)).toEqual(['BUNDLE_TOO_LARGE', `the bundle is longer than ${UNPACKED_BYTES_MAX} bytes`]);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(UNPACKED_BYTES_MAX * 2.5);
  });

  test('too many files: BUNDLE_TOO_LARGE', async () => {
    const many = Array.from({ length: FILES_MAX + 1 }, (_, index) => entry(`f${index}`, ''));
    expect(await refusal(archived(many))).toEqual(['BUNDLE_TOO_LARGE', `the bundle has more than ${FILES_MAX} files`]);
  });

  test('a length that lies about what follows: BUNDLE_MALFORMED', async () => {
    const huge = entry('big', 'x');
    huge.header.write('77777777777', 124, 'latin1');
    expect(await refusal(archived([{ header: summed(huge.header), content: huge.content }]))).toEqual([
      'BUNDLE_MALFORMED',
      'the bundle is malformed: it ends inside big',
    ]);
  });
});

describe('time', () => {
  test('from its expiry on: BUNDLE_EXPIRED', async () => {
    expect((await verify(signed(key), NOW_US + HOUR_US - 1)).manifest.number).toBe(7);
    expect(await refusal(signed(key), NOW_US + HOUR_US)).toEqual(['BUNDLE_EXPIRED', 'the bundle expired at 2026-11-23T11:00:00.000000Z']);
  });

  test('made in the future, beyond what clocks may differ: BUNDLE_EXPIRED', async () => {
    expect((await verify(signed(key), NOW_US - MADE_AHEAD_MS_MAX * 1000)).manifest.number).toBe(7);
    expect(await refusal(signed(key), NOW_US - MADE_AHEAD_MS_MAX * 1000 - 1000)).toEqual([
      'BUNDLE_EXPIRED',
      expect.stringContaining('in the future'),
    ]);
  });

  test('a time that no calendar has is no time: refused', async () => {
    const bundle = resigned(signed(key), (manifest) => ({ ...manifest, expires: '2026-99-99T10:00:00.000000Z' }));
    expect((await refusal(bundle))[0]).toBe('BUNDLE_EXPIRED');
  });
});

describe('keys', () => {
  test('one that others can read signs nothing: STATE_MODE; one that is no Ed25519 key is none', () => {
    const path = join(folder.dir, 'open');
    expect(loadOrMakeSigningKey(path).id).toBe(loadSigningKey(path).id);
    expect(loadTrustedKey(`${path}.pub`).id).toBe(loadSigningKey(path).id);
    chmodSync(path, 0o640);
    expect(() => loadSigningKey(path)).toThrow(expect.objectContaining({ code: 'STATE_MODE' }));
    writeFileSync(`${path}.txt`, 'no key', { mode: 0o600 });
    for (const read of [loadSigningKey, loadTrustedKey])
      expect(() => read(`${path}.txt`)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => trustedKey(readFileSync(path, 'utf8'), 'x')).toThrow('x: holds a private key');
    expect(trustedKey(strangerPem(), 'x').id).toMatch(/^[0-9a-f]{16}$/);
  });

  test('a bundle is signed by at least one', () => {
    expect(() => signBundle(contents(), { number: 1, madeAtUs: NOW_US, expiresUs: NOW_US + 1, keys: [] })).toThrow(
      expect.objectContaining({ code: 'BUNDLE_UNSIGNED' }),
    );
    expect(nameOf(entriesOf(signed(key))[0] as RawEntry)).toBe('manifest.json');
  });
});
