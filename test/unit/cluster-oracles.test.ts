/** The oracles of `npm run cluster`: an oracle that never fired is no evidence (A5, I4). */
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { troubleOf } from '../cluster/errors.ts';
import { checkUses } from '../cluster/oracles.ts';

describe('an oracle that never fired is no evidence', () => {
  const book = (name: string, used: Readonly<Record<string, readonly string[]>>) => ({
    name,
    used: new Map(Object.entries(used).map(([id, receipts]) => [id, new Set(receipts)] as const)),
  });
  const whole = ['engine-1', 'engine-2'].map((name) => book(name, { apr_1: ['rcp_1'], apr_2: ['rcp_2'] }));

  test.each([
    ['nothing', ['apr_1', 'apr_2'], whole, []],
    ['two enforcers that send with one approval', ['apr_1', 'apr_2', 'apr_1'], whole, ['C3 approvals used once']],
    ['an engine that does not know of a use', ['apr_1'], [...whole, book('engine-3', { apr_2: ['rcp_2'] })], ['engines agree']],
    ['engines that gave it to two', ['apr_1'], [book('engine-1', { apr_1: ['rcp_1'] }), book('engine-2', { apr_1: ['rcp_9'] })], ['engines agree']],
    ['an engine that gave it twice', [], [book('engine-1', { apr_1: ['rcp_1', 'rcp_9'] })], ['C3 approvals used once', 'engines agree']],
  ] as const)('uses: %s', (_, uses, books, checks) => {
    expect([...new Set(checkUses(uses, books).map(({ check }) => check))]).toEqual(checks);
  });

  test('a connection that is gone in the middle is nothing that a client can simply try again after', () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    expect(troubleOf(refused, true)).toMatchObject({ name: 'connection refused', clean: true });
    expect(troubleOf(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }), false)).toMatchObject({ clean: false });
    expect(troubleOf(new Error('Connection terminated unexpectedly'), false)).toMatchObject({ clean: false });
    const told = (code: string, detail: string) => Object.assign(new pg.DatabaseError('no', 2, 'error'), { code, detail });
    expect(troubleOf(told('58000', 'code=ENGINE_UNAVAILABLE'), false)).toMatchObject({ name: '58000 ENGINE_UNAVAILABLE', clean: true });
    expect(troubleOf(told('58000', 'code=INTERNAL'), false)).toMatchObject({ clean: false });
    expect(troubleOf(told('42501', 'code=DEFAULT_DENY'), false)).toMatchObject({ clean: false });
  });
});
