/** The small parts of the PostgreSQL enforcer, each for itself. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { LIMITS } from '#enforcers/common/limits';
import { Outbox } from '#enforcers/common/outbox';
import type { ClearedStatement } from '#enforcers/common/cleared';
import type { DurablePosition } from '#client/journal';
import { Buckets, CancelKeys } from '#enforcers/postgres/cancel';
import { forgetText, readForget } from '#enforcers/postgres/forget';
import { PrivateNames } from '#enforcers/postgres/namespace';
import { isPinnedValue, pinTrouble } from '#enforcers/postgres/pins';
import { scramClient } from '#enforcers/postgres/scram';
import { renderSupport } from '#enforcers/postgres/support';
import { FakeClock } from '#test/support/fake-clock';

describe('SCRAM-SHA-256 (P5)', () => {
  const salt = Buffer.from('0123456789abcdef');
  const first = (nonce: string, more: { iterations?: string; nonce?: string; salt?: string } = {}): string =>
    `r=${more.nonce ?? `${nonce}server`},s=${more.salt ?? salt.toString('base64')},i=${more.iterations ?? '4096'}`;
  const nonceOf = (text: string): string => text.slice('n,,n=,r='.length);

  test('proves the password, and asks for the proof of the server', async () => {
    const client = scramClient('secret');
    const serverFirst = first(nonceOf(client.first));
    const final = await client.answer(serverFirst);
    const [unproved, proof] = final.split(',p=') as [string, string];
    const transcript = `${client.first.slice(3)},${serverFirst},${unproved}`;
    const salted = pbkdf2Sync('secret', salt, 4096, 32, 'sha256');
    const mac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
    const stored = createHash('sha256').update(mac(salted, 'Client Key')).digest();
    const signature = mac(stored, transcript);
    const key = Buffer.from(proof, 'base64').map((byte, at) => byte ^ (signature[at] as number));
    expect(createHash('sha256').update(key).digest().equals(stored)).toBe(true);
    expect(() => client.verify('v=AAAA')).toThrow('did not prove');
    expect(() => client.verify('e=other-error')).toThrow('did not prove');
    client.verify(`v=${mac(mac(salted, 'Server Key'), transcript).toString('base64')}`);
  });

  test('a hostile server gets no work out of us', async () => {
    const hostile: Parameters<typeof first>[1][] = [
      { iterations: String(LIMITS.scramIterations + 1) },
      { iterations: '0' },
      { iterations: '1e9' },
      { iterations: '-1' },
      { nonce: 'another' },
      { salt: '' },
      { salt: Buffer.alloc(300).toString('base64') },
    ];
    for (const one of hostile) {
      const client = scramClient('secret');
      await expect(client.answer(first(nonceOf(client.first), one)), JSON.stringify(one)).rejects.toThrow(/SCRAM/);
    }
    const client = scramClient('secret');
    await expect(client.answer(first(nonceOf(client.first), { nonce: nonceOf(client.first) + 'x'.repeat(300) }))).rejects.toThrow(/SCRAM/);
    await expect(client.answer('x'.repeat(LIMITS.scramMessageBytes + 1))).rejects.toThrow(/oversized/);
    expect(() => client.verify(`v=${Buffer.alloc(32).toString('base64')}`)).toThrow('did not prove');
  });
});

describe('names (P9)', () => {
  test('private names have the same length, differ in every byte, and never collide', () => {
    const names = new PrivateNames();
    const seen = new Set<string>();
    for (let first = 0x21; first < 0x7f; first++) {
      const name = `${String.fromCharCode(first)}_1`;
      const secret = names.of(name);
      expect(secret.length).toBe(name.length);
      for (let at = 0; at < name.length; at++) expect(secret[at]).not.toBe(name[at]);
      seen.add(secret);
    }
    expect(seen.size).toBe(0x7f - 0x21);
    expect(new PrivateNames().of('statement')).not.toBe(names.of('statement'));
    expect(names.of('Zürich')).toMatch(/ü/);
  });

  test('DEALLOCATE and CLOSE are read in their plain form only', () => {
    const read = (text: string): unknown => readForget(Buffer.from(text));
    expect(read('DEALLOCATE foo')).toEqual({ of: 'prepared', name: 'foo' });
    expect(read('  deallocate PREPARE "Fo""o" ;')).toEqual({ of: 'prepared', name: 'Fo"o' });
    expect(read('DEALLOCATE ALL')).toEqual({ of: 'prepared', name: null });
    expect(read('DEALLOCATE "all"')).toEqual({ of: 'prepared', name: 'all' });
    expect(read('CLOSE c1')).toEqual({ of: 'portal', name: 'c1' });
    for (const other of ['DEALLOCATE /* x */ foo', 'DEALLOCATE U&"\\0066"', 'DEALLOCATE a; SELECT 1', 'DEALLOCATE ä', 'DEALLOCATE']) {
      expect(read(other), other).toBeNull();
    }
    const names = new PrivateNames();
    expect(Buffer.from(forgetText({ of: 'prepared', name: 'One' }, names)).toString()).toBe(`DEALLOCATE "${names.of('One').replaceAll('"', '""')}"`);
  });
});

test('P15: the pinned value in other spellings is the pinned value, all else is trouble', () => {
  expect(isPinnedValue('client_encoding', "'utf-8'")).toBe(true);
  expect(isPinnedValue('client_encoding', 'SQL_ASCII')).toBe(false);
  expect(isPinnedValue('standard_conforming_strings', 'TRUE')).toBe(true);
  const set = (name: string, value: string | null): string | null => pinTrouble([{ op: 'set', name, value, local: false }]);
  expect(set('backslash_quote', 'on')).toContain('safe_encoding');
  expect(set('backslash_quote', null)).toContain('pinned');
  expect(set('work_mem', 'lots')).toBeNull();
});

test('P6: a cancel key is one session from one address, and requests are counted', () => {
  const keys = new CancelKeys<string>();
  const key = keys.issue('session', '10.0.0.1');
  expect(keys.find(key.pid, key.secret, '10.0.0.1')).toBe('session');
  expect(keys.find(key.pid, key.secret, '10.0.0.2')).toBeNull();
  expect(keys.find(key.pid, Buffer.alloc(4), '10.0.0.1')).toBeNull();
  expect(keys.find(key.pid + 1, key.secret, '10.0.0.1')).toBeNull();
  keys.withdraw(key);
  expect(keys.find(key.pid, key.secret, '10.0.0.1')).toBeNull();

  const clock = new FakeClock();
  const buckets = new Buckets(clock);
  const taken = (): number => Array.from({ length: 100 }, () => buckets.take('10.0.0.1')).filter(Boolean).length;
  expect(taken()).toBe(LIMITS.cancelsPerAddressBurst);
  expect(buckets.take('10.0.0.2')).toBe(true);
  clock.pass(1000);
  expect(taken()).toBe(LIMITS.cancelsPerAddressPerSecond);
});

describe('invariants 1 and 2: what leaves has both proofs', () => {
  const proof = (position: number): DurablePosition => position as DurablePosition;
  const cleared = (intent: number, decidedUs: number, runs = true): ClearedStatement =>
    ({ refused: false, statementId: 'stm_1', intent, decidedUs, runs, rewrite: null, approval: null }) as unknown as ClearedStatement;

  test('nothing is released before its intent is durable, nor after its decision has aged', () => {
    const written: Uint8Array[] = [];
    const outbox = new Outbox((bytes) => written.push(bytes));
    outbox.stage(cleared(7, 1_000_000), Buffer.from('one'));
    const batch = outbox.take();
    expect(() => outbox.release(batch, proof(6), 1_000_000)).toThrow('before the intent was durable');
    expect(() => outbox.release(batch, proof(7), 1_000_001 + LIMITS.decisionMs * 1000)).toThrow('older than its binding');
    expect(written).toEqual([]);
    outbox.release(batch, proof(7), 1_000_001);
    expect(written).toEqual([Buffer.from('one')]);
    outbox.stage(cleared(8, 0, false), Buffer.from('prepared'));
    expect(outbox.pressing).toBe(false);
  });

  test('a statement that nobody cleared, and a position that nobody synced, do not type-check', () => {
    const outbox = new Outbox(() => {});
    const types = (): void => {
      // @ts-expect-error only `clear` makes a ClearedStatement
      outbox.stage({ refused: false, statementId: 'stm_1', intent: 1, decidedUs: 0, runs: true }, Buffer.from('x'));
      // @ts-expect-error a position is not a proof of durability
      outbox.release(outbox.take(), 7, systemClock.monotonicUs());
    };
    expect(types).toBeTypeOf('function');
  });
});

test('invariant 10: the page of what is not supported names what the code refuses', () => {
  const page = renderSupport();
  for (const feature of ['COPY FROM', 'PREPARE in SQL', 'DECLARE CURSOR', 'LISTEN', 'FunctionCall', 'replication']) expect(page).toContain(feature);
});
