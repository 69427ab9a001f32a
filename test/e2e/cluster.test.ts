/** Three engines, three enforcers, three NATS nodes, all real processes, in small; `npm run cluster` is the whole of it (A5, E6, N1, N2; I2, I3, I4). */
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '#test/support/cluster';
import { Random } from '#test/support/random';
import { troubleOf } from '../cluster/errors.ts';
import { checkUses } from '../cluster/oracles.ts';
import { runRaces } from '../cluster/races.ts';
import { openCluster, reviewerTokens } from '../cluster/run.ts';
import { runUpgrades } from '../cluster/upgrade.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
}, 180_000);
const { signal: enough } = new AbortController(); // never
const reviewers = (): Promise<readonly string[]> => reviewerTokens(cluster, 2);
afterAll(() => cluster[Symbol.asyncDispose]());

test('an engine, an enforcer and a node are killed while clients race: each approval is used once, each race is won', {
  timeout: 180_000,
}, async () => {
  const report = await runRaces({ cluster, races: 3, random: new Random(5), reviewers, onRace: () => {}, enough });
  expect(report.findings).toEqual([]);
  expect(report.kills).toEqual({ engine: 1, enforcer: 1, nats: 1 });
  expect(report.kills_in_flight).toBeGreaterThan(0);
  expect(report.approvals_used).toBeGreaterThanOrEqual(3);
  expect(report.uses_max).toBe(1);
});

test('an engine, an enforcer and a node are drained and started anew under load: clients are told nothing but what they can try again after', {
  timeout: 180_000,
}, async () => {
  const members = (['engine', 'enforcer', 'nats'] as const)
    .map((kind) => cluster.of(kind)[1] ?? cluster.members[0])
    .filter((one) => one !== undefined);
  const report = await runUpgrades({ cluster, members, upgrades: 1, clients: 6, random: new Random(6), reviewers, onRestart: () => {}, enough });
  expect(report.findings).toEqual([]);
  expect(report.restarts.map(({ name }) => name)).toEqual(['engine-2', 'shop-2', 'nats-2']);
  expect(report.restarts.every(({ answered }) => answered > 0)).toBe(true);
  expect(report.approved).toBeGreaterThan(0);
});

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
    ['an engine that gave it twice', [], [book('engine-1', { apr_1: ['rcp_1', 'rcp_9'] })], ['C3 approvals used once']],
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
