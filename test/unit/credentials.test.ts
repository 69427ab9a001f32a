/** I7: a target credential is in a lease and nowhere else. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { openCredentials } from '#engine/credentials/credentials';
import { type Credential, readSource } from '#engine/credentials/source';
import { InterlockError } from '#schemas/errors';

function desk(read: () => Promise<Credential>) {
  const said: string[] = [];
  const hidden: string[] = [];
  const write = (fields: object, message: string): void => void said.push(`${message} ${JSON.stringify(fields)}`);
  const log = { debug: write, info: write, warn: write, error: write, hide: (secret: string) => void hidden.push(secret), forget: () => {} };
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

  test('of an unknown target is refused, also under a name that every object has', async () => {
    const { credentials } = desk(() => Promise.resolve({ user: 'rw', password: 'secret' }));
    for (const target of ['other', 'constructor', '__proto__']) {
      await expect(credentials.lease(target)).rejects.toMatchObject({ code: 'CREDENTIAL_UNAVAILABLE' });
    }
  });
});
