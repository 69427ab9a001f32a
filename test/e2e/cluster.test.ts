/** Three engines, three enforcers, three NATS nodes, all real processes, in small; `npm run cluster` is the whole of it (A5, E6, N1, N2; I2, I3, I4). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '#test/support/cluster';
import { Random } from '#test/support/random';
import { runRaces } from '../cluster/races.ts';
import { openCluster, reviewerTokens } from '../cluster/run.ts';
import { runUpgrades } from '../cluster/upgrade.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
}, 300_000);
const { signal: enough } = new AbortController(); // never
const reviewers = (): Promise<readonly string[]> => reviewerTokens(cluster, 2);
afterAll(() => cluster[Symbol.asyncDispose]());

test('an engine, an enforcer and a node are killed while clients race: each approval is used once, each race is won', {
  timeout: 300_000,
}, async () => {
  const report = await runRaces({ cluster, races: 3, random: new Random(5), reviewers, onRace: () => {}, enough });
  expect(report.findings).toEqual([]);
  expect(report.kills).toEqual({ engine: 1, enforcer: 1, nats: 1 });
  expect(report.kills_in_flight).toBeGreaterThan(0);
  expect(report.approvals_used).toBeGreaterThanOrEqual(3);
  expect(report.uses_max).toBe(1);
});

test('an engine, an enforcer and a node are drained and started anew under load: clients are told nothing but what they can try again after', {
  timeout: 300_000,
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
