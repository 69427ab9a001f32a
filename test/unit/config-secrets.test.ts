/** Secrets by reference, the state directory and the log: what must not be said is not said (I7), what others can read is not used. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import type { LoadedConfig, SecretSource } from '#engine/config/config';
import { checkFiles } from '#engine/config/files';
import { parseConfig } from '#engine/config/load';
import { openLog } from '#engine/config/log';
import { readSecret } from '#engine/config/secret';
import { checkKeyFile, openStateDir } from '#engine/config/state';
import { resolveUpstream, type Upstream } from '#engine/config/upstream';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-config-'));
  return () => rmSync(dir, { recursive: true, force: true });
});

const PLANTED = 'pl4nted-"sekret\\ ü';

describe('secrets by reference', () => {
  test('a file loses one newline at its end, an environment variable and a program none of their words', async () => {
    writeFileSync(join(dir, 'secret'), `${PLANTED}\n`);
    process.env['INTERLOCK_TEST_SECRET'] = PLANTED;
    const exec = { kind: 'exec', argv: [process.execPath, '-e', 'process.stdout.write(process.argv[1] + "\\r\\n")', PLANTED] } as const;
    for (const source of [{ kind: 'file', path: join(dir, 'secret') } as const, { kind: 'env', name: 'INTERLOCK_TEST_SECRET' } as const, exec])
      expect(await readSecret(source)).toBe(PLANTED);
    delete process.env['INTERLOCK_TEST_SECRET'];
  });

  test('what cannot be read names the reference, never the value', async () => {
    writeFileSync(join(dir, 'empty'), '\n');
    writeFileSync(join(dir, 'nul'), `${PLANTED}\0`);
    writeFileSync(join(dir, 'long'), PLANTED.repeat(10_000));
    const cases: readonly (readonly [SecretSource, string])[] = [
      [{ kind: 'file', path: join(dir, 'none') }, `file ${dir}/none does not exist`],
      [{ kind: 'file', path: join(dir, 'empty') }, `file ${dir}/empty is empty`],
      [{ kind: 'file', path: join(dir, 'nul') }, `file ${dir}/nul contains NUL`],
      [{ kind: 'file', path: join(dir, 'long') }, `file ${dir}/long is longer than 64 KiB`],
      [{ kind: 'env', name: 'INTERLOCK_NONE' }, 'environment variable INTERLOCK_NONE is not set'],
      [{ kind: 'exec', argv: ['/no/such', PLANTED] }, 'program /no/such cannot be started (ENOENT)'],
      [
        { kind: 'exec', argv: [process.execPath, '-e', `console.error(${JSON.stringify(PLANTED)}); process.exit(3)`] },
        `program ${process.execPath} ended with 3`,
      ],
    ];
    for (const [source, message] of cases) {
      const error = await readSecret(source).catch((trouble: unknown) => trouble as Error);
      expect(error).toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE', message });
      expect(error).not.toHaveProperty('cause');
    }
  });
});

function configWith(upstream: object, more: object = {}): LoadedConfig {
  const shop = { protocol: 'postgresql', listen: '127.0.0.1:0', upstream, ...more };
  return parseConfig(
    stringify({ contract: 1, identity: { local: { enabled: true } }, policies: { source: { dir: dir } }, targets: { shop } }),
    join(dir, 'interlock.yaml'),
  );
}

async function upstreamOf(url: string, more: object = {}): Promise<Upstream | Error> {
  writeFileSync(join(dir, 'url'), url);
  const config = configWith({ url: { file: './url' }, ...more });
  const target = config.targets['shop'];
  return target === undefined ? new Error('no target') : await resolveUpstream(config, target).catch((error: unknown) => error as Error);
}

describe('an address as one reference', () => {
  test.each([
    [
      'postgresql://u:p%40%3A@db.example.com/shop',
      {
        host: 'db.example.com',
        port: 5432,
        databases: ['shop'],
        user: 'u',
        password: 'p@:',
        tls: { mode: 'verify-full', caFile: null },
        notice: null,
      },
    ],
    [
      'postgres://u:p@[2001:db8::1]:5433/shop?sslmode=verify-full&sslrootcert=system',
      { host: '2001:db8::1', port: 5433, tls: { mode: 'verify-full', caFile: null } },
    ],
    [
      'postgresql://u:p@127.0.0.1/shop',
      { tls: { mode: 'off' }, notice: 'targets.shop: TLS to the target is off, accepted because 127.0.0.1 is local' },
    ],
    ['postgresql://u:p@127.0.0.1/shop?sslmode=verify-full', { tls: { mode: 'verify-full', caFile: null }, notice: null }],
    ['postgresql:///shop?host=/run/postgresql&user=u&password=p', { host: '/run/postgresql', databases: ['shop'], tls: { mode: 'off' } }],
    ['postgresql://u:p@127.0.0.1', { databases: ['u'] }],
  ])('%s', async (url, expected) => {
    expect(await upstreamOf(url)).toMatchObject(expected);
  });

  test('a relative authority is relative to the configuration; databases and TLS beside the reference count', async () => {
    expect(await upstreamOf('postgresql://u:p@db/shop?sslrootcert=ca.crt')).toMatchObject({
      tls: { mode: 'verify-full', caFile: join(dir, 'ca.crt') },
    });
    expect(await upstreamOf('postgresql://u:p@db/shop', { databases: ['a', 'b'], tls: { ca: 'own.crt' } })).toMatchObject({
      databases: ['a', 'b'],
      tls: { caFile: join(dir, 'own.crt') },
    });
    expect(await upstreamOf('postgresql://u:pl4nted@db/shop', { tls: { mode: 'off' } })).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('would leave TLS off towards db') as string,
    });
  });

  test('I7: no message about an address repeats it', async () => {
    const parts = fc.constantFrom(
      'postgresql://',
      'http://',
      'u',
      ':',
      'pl4nted',
      '@',
      'db',
      ',',
      ':99999',
      '/shop',
      '?',
      'sslmode=',
      'require',
      '&',
      'options=x',
      '%zz',
      '[',
      ' ',
      '#',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 9 }), async (words) => {
        const answer = await upstreamOf(`${words.join('')}pl4nted`);
        if (answer instanceof Error) expect(answer.message).not.toContain('pl4nted');
      }),
      { numRuns: 300 },
    );
  });
});

describe('what the configuration points to', () => {
  test('a folder where a file is needed, and the other way round', async () => {
    writeFileSync(join(dir, 'file'), 'x');
    const config = parseConfig(
      stringify({
        contract: 1,
        identity: { local: { enabled: true } },
        policies: { source: { dir: './file' } },
        targets: {
          shop: { protocol: 'postgresql', listen: '127.0.0.1:0', tls: { cert: '.', key: './file' }, upstream: { url: { file: './none' } } },
        },
      }),
      join(dir, 'interlock.yaml'),
    );
    const message = await checkFiles(config).then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
    expect(message.split('\n').map((line) => line.replace(/^.*?:\d+:\d+ /, ''))).toEqual([
      `policies.source.dir: ${join(dir, 'file')} is a file; allowed: a folder`,
      `targets.shop.tls.cert: ${dir} is a folder; allowed: a file`,
      `targets.shop.upstream.url: ${join(dir, 'none')} does not exist`,
    ]);
  });
});

describe('the state directory', () => {
  test('is made 0700 whatever the umask says', async () => {
    const before = process.umask(0o000);
    try {
      const state = await openStateDir(join(dir, 'a', 'state'));
      for (const path of [state.dir, state.keysDir]) expect(statSync(path).mode & 0o777).toBe(0o700);
      await openStateDir(join(dir, 'a', 'state'));
    } finally {
      process.umask(before);
    }
  });

  test.each([
    ['the folder', '.', 0o750],
    ['the folder of keys', 'keys', 0o701],
    ['a key', 'keys/checkpoint', 0o640],
  ])('%s may not be read by others', async (_what, path, mode) => {
    mkdirSync(join(dir, 'keys'), { mode: 0o700 });
    chmodSync(dir, 0o700);
    writeFileSync(join(dir, 'keys', 'checkpoint'), 'k', { mode: 0o600 });
    writeFileSync(join(dir, 'keys', 'checkpoint.pub'), 'public', { mode: 0o644 });
    await openStateDir(dir);
    chmodSync(join(dir, path), mode);
    await expect(openStateDir(dir)).rejects.toMatchObject({
      code: 'STATE_MODE',
      message: expect.stringContaining(`mode is 0${mode.toString(8)}`) as string,
      hint: expect.stringContaining('chmod') as string,
    });
    chmodSync(join(dir, path), 0o700);
  });

  test('a link to a lax key is a lax key', async () => {
    const state = await openStateDir(join(dir, 'state'));
    writeFileSync(join(dir, 'elsewhere'), 'k', { mode: 0o644 });
    symlinkSync(join(dir, 'elsewhere'), join(state.keysDir, 'checkpoint'));
    await expect(openStateDir(state.dir)).rejects.toMatchObject({ code: 'STATE_MODE' });
    await expect(checkKeyFile(join(dir, 'elsewhere'))).rejects.toMatchObject({ code: 'STATE_MODE' });
  });
});

describe('the log', () => {
  function logged(format: 'json' | 'pretty', secrets: readonly string[], write: (log: ReturnType<typeof openLog>) => void): string {
    let text = '';
    write(openLog({ level: 'debug', format, secrets, to: { write: (line) => void (text += line) } }));
    return text;
  }

  test.each(['json', 'pretty'] as const)('I7: a secret is in no line, in none of its forms (%s)', (format) => {
    const text = logged(format, [PLANTED], (log) => {
      const cause = new Error(`cannot connect with ${PLANTED}`);
      log.error({ err: new Error(`failed: ${PLANTED}`, { cause }), nested: { deep: [PLANTED] }, json: JSON.stringify({ PLANTED }) }, 'trouble');
      log.info({ url: `postgresql://u:${encodeURIComponent(PLANTED)}@db`, sasl: Buffer.from(PLANTED).toString('base64') }, `message with ${PLANTED}`);
      log.hide('learnt later');
      log.warn({ [PLANTED]: 1 }, 'learnt later');
    });
    expect(text).toContain('[hidden]');
    for (const form of [PLANTED, 'pl4nted', 'sekret', encodeURIComponent(PLANTED), Buffer.from(PLANTED).toString('base64'), 'learnt later'])
      expect(text).not.toContain(form);
    expect(text.trim().split('\n').length).toBe(3);
  });

  test('one secret that begins another leaves nothing of it', () => {
    expect(logged('json', ['abcd', 'abcdEFGH'], (log) => log.info({}, 'x abcdEFGH y'))).not.toContain('EFGH');
  });

  test('levels, and one record a line whatever stands in it (log injection, N4)', () => {
    const hostile = 'a\n{"level":"info","msg":"forged"}\r\u001b[2J\u202e\u2028';
    for (const format of ['json', 'pretty'] as const) {
      const text = logged(format, [], (log) => log.info({ who: hostile }, hostile));
      expect(text.split('\n').length).toBe(2);
      expect(text).not.toContain('\u001b');
    }
    expect(logged('pretty', [], (log) => log.info({ who: hostile }, hostile))).not.toMatch(/[\p{Cf}\p{Zl}]/u);
    let count = 0;
    const log = openLog({ level: 'warn', format: 'json', secrets: [], to: { write: () => void (count += 1) } });
    log.debug({}, 'no');
    log.info({}, 'no');
    log.warn({}, 'yes');
    expect(count).toBe(1);
  });
});
