/** I7: a target credential is in a lease and nowhere else. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test, vi } from 'vitest';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { openCredentials } from '#engine/credentials/credentials';
import { type Credential, readSource } from '#engine/credentials/source';
import { InterlockError } from '#schemas/errors';
import { FakeClock } from '#test/support/fake-clock';

function desk(read: () => Promise<Credential>) {
  const said: string[] = [];
  const hidden: string[] = [];
  const write = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log = {
    debug: write,
    info: write,
    warn: write,
    error: write,
    hide: (secret: string) => void hidden.push(secret),
    forget: (secret: string) => void hidden.splice(hidden.indexOf(secret), 1),
  };
  const sourceOf = (target: string) => (target === 'shop' ? readSource(read) : null);
  return { said, hidden, credentials: openCredentials({ sourceOf, clock: systemClock, ids: new Ids(systemClock), log }) };
}

describe('a lease', () => {
  test('has its own id, and its secret is hidden from the log before anybody has it', async () => {
    const password = randomUUID();
    const { credentials, hidden, said } = desk(() => Promise.resolve({ user: 'rw', password }));
    const [one, two] = [await credentials.lease('shop'), await credentials.lease('shop')];
    expect(one).toMatchObject({ user: 'rw', password });
    expect(one.id).toMatch(/^lea_/);
    expect(two.id).not.toBe(one.id);
    expect(hidden).toEqual([password]);
    expect(said).toEqual([]);
  });

  test('is read anew: a changed password counts from the next session on', async () => {
    const passwords = ['first-secret', 'second-secret'];
    const { credentials, hidden } = desk(() => Promise.resolve({ user: 'rw', password: passwords.shift() ?? '' }));
    expect((await credentials.lease('shop')).password).toBe('first-secret');
    expect((await credentials.lease('shop')).password).toBe('second-secret');
    expect(hidden).toEqual(['first-secret', 'second-secret']);
  });

  test('sessions that arrive together share one reading, and one failure is not kept', async () => {
    let reads = 0;
    const gate = Promise.withResolvers<Credential>();
    const { credentials } = desk(() => (++reads === 1 ? gate.promise : Promise.resolve({ user: 'rw', password: 'later' })));
    const all = Array.from({ length: 50 }, () => credentials.lease('shop').catch((error: unknown) => (error as InterlockError).code));
    gate.reject(new Error('no'));
    expect(new Set(await Promise.all(all))).toEqual(new Set(['CREDENTIAL_UNAVAILABLE']));
    expect(reads).toBe(1);
    expect((await credentials.lease('shop')).password).toBe('later');
  });

  test('that cannot be had names the reference, never the value, whatever the reader throws', async () => {
    const canary = randomUUID();
    const reference = new InterlockError('CREDENTIAL_UNAVAILABLE', 'file /run/secrets/shop does not exist');
    for (const [thrown, message] of [
      [reference, 'file /run/secrets/shop does not exist'],
      [new Error(`password ${canary} was wrong`), 'its reference could not be read'],
      [`${canary}`, 'its reference could not be read'],
    ] as const) {
      const { credentials, said } = desk(() => Promise.reject(thrown));
      const error = (await credentials.lease('shop').catch((caught: unknown) => caught)) as InterlockError;
      expect(error.code).toBe('CREDENTIAL_UNAVAILABLE');
      expect(error.message).toContain(message);
      for (const text of [error.stack ?? '', JSON.stringify(error), String(error.cause), ...said]) expect(text).not.toContain(canary);
      expect(said.join()).toContain(message);
    }
  });

  test('that was made for one session is hidden from the log for a minute, and released once', async () => {
    vi.useFakeTimers();
    try {
      const revoked: string[] = [];
      const grant = { handle: 'h/1', lifeMs: 3_600_000, renewable: false };
      const hidden: string[] = [];
      const log = {
        ...silentLog,
        hide: (secret: string) => void hidden.push(secret),
        forget: (secret: string) => void hidden.splice(hidden.indexOf(secret), 1),
      };
      const source = {
        issue: () => Promise.resolve({ user: 'v-1', password: 'of-one-session', role: 'rw', grant }),
        revoke: (handle: string) => Promise.resolve(void revoked.push(handle)),
      };
      const credentials = openCredentials({ sourceOf: () => source, clock: systemClock, ids: new Ids(systemClock), log });
      const lease = await credentials.lease('shop');
      expect(lease).toMatchObject({ user: 'v-1', role: 'rw', handle: 'h/1' });
      expect(hidden).toEqual(['of-one-session']);
      vi.advanceTimersByTime(60_000);
      expect(hidden).toEqual([]);
      expect(credentials.held).toBe(1);
      credentials.release(lease);
      credentials.release(lease);
      await vi.waitFor(() => expect(revoked).toEqual(['h/1']));
      expect(credentials.held).toBe(0);
      await credentials.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test('that cannot be revoked at once is tried again, and given up in the end', async () => {
    vi.useFakeTimers();
    try {
      let tries = 0;
      const said: string[] = [];
      const log = { ...silentLog, warn: (_fields: object, message: string) => void said.push(message), hide: () => {}, forget: () => {} };
      const clock = new FakeClock();
      const issue = () => Promise.resolve({ user: 'v-1', password: 'secret', grant: { handle: 'h/1', lifeMs: 3_600_000, renewable: true } });
      const source = { issue, revoke: () => Promise.reject(new Error(`sealed ${++tries}`)), renew: () => Promise.reject(new Error('no')) };
      const credentials = openCredentials({ sourceOf: () => source, clock, ids: new Ids(clock), log });
      credentials.release(await credentials.lease('shop'));
      for (let second = 0; second < 20; second++) {
        clock.pass(1_000);
        await vi.advanceTimersByTimeAsync(1_000);
      }
      expect(tries).toBe(5);
      expect(said).toEqual(Array(5).fill('a lease could not be revoked'));
      await credentials.close();
    } finally {
      vi.useRealTimers();
    }
  });

  test('of an enforcer elsewhere that is not spoken of for five minutes is revoked; what is spoken of stays', async () => {
    vi.useFakeTimers();
    try {
      const revoked: string[] = [];
      const clock = new FakeClock();
      let made = 0;
      const source = {
        issue: () => Promise.resolve({ user: 'v', password: 'secret', grant: { handle: `h/${++made}`, lifeMs: 60_000, renewable: true } }),
        owns: () => true,
        renew: (handle: string) => Promise.resolve({ handle, lifeMs: 60_000, renewable: true }),
        revoke: (handle: string) => Promise.resolve(void revoked.push(handle)),
      };
      const log = { ...silentLog, hide: () => {}, forget: () => {} };
      const credentials = openCredentials({ sourceOf: () => source, clock, ids: new Ids(clock), log });
      const [spoken] = [await credentials.lease('shop', 'e1'), await credentials.lease('shop', 'e1'), await credentials.lease('shop')];
      for (let second = 0; second < 310; second++) {
        clock.pass(1_000);
        if (second % 20 === 0) credentials.keep('e1', 'shop', [spoken]);
        await vi.advanceTimersByTimeAsync(1_000);
      }
      expect(revoked).toEqual(['h/2']);
      expect(credentials.held).toBe(2);
      credentials.releaseAll('e1');
      await vi.waitFor(() => expect(revoked).toEqual(['h/2', 'h/1']));
      await credentials.close();
      expect(revoked).toEqual(['h/2', 'h/1', 'h/3']);
    } finally {
      vi.useRealTimers();
    }
  });

  test('of an unknown target is refused, also under a name that every object has', async () => {
    const { credentials } = desk(() => Promise.resolve({ user: 'rw', password: 'secret' }));
    for (const target of ['other', 'constructor', '__proto__']) {
      await expect(credentials.lease(target)).rejects.toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
    }
  });
});
