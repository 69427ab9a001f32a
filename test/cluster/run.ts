/** Races and upgrades on one cluster, one after the other. */
import { fileURLToPath } from 'node:url';
import { Cluster } from '#test/support/cluster';
import { Random } from '#test/support/random';
import { SCHEMA } from '../chaos/workload.ts';
import type { ClusterRun } from './options.ts';
import { type RacesReport, runRaces } from './races.ts';
import { runUpgrades, type UpgradesReport } from './upgrade.ts';

export interface ClusterReport {
  readonly contract: 1;
  readonly seed: number;
  readonly engines: 3;
  readonly enforcers: 3;
  readonly nats_nodes: 3;
  readonly races: RacesReport | null;
  readonly upgrades: UpgradesReport | null;
}

const REVIEWERS = 6;

export async function openCluster(): Promise<Cluster> {
  const policies = fileURLToPath(new URL('../chaos/policies', import.meta.url));
  return await Cluster.start({ schema: SCHEMA, policies });
}

export async function reviewerTokens(cluster: Cluster, count: number): Promise<readonly string[]> {
  const names = Array.from({ length: count }, (_, n) => `reviewer-${n}`);
  return await Promise.all(names.map((login) => cluster.token({ login, groups: ['reviewers'], scope: 'approve' })));
}

/**
 * @param say is told how it goes on, a line at a time
 * @param enough ends it early: what was done until then is judged
 */
export async function runCluster(
  { races, upgrades, clients, seed }: Omit<ClusterRun, 'json'>,
  say: (line: string) => void,
  enough: AbortSignal,
): Promise<ClusterReport> {
  await using cluster = await openCluster();
  const random = new Random(seed);
  const common = { cluster, random, enough, reviewers: () => reviewerTokens(cluster, REVIEWERS) };
  const raced = races === 0 ? null : await runRaces({ ...common, races, onRace: (race, what) => say(`race ${race + 1}/${races}: ${what}`) });
  const rolled =
    upgrades === 0
      ? null
      : await runUpgrades({
          ...common,
          upgrades,
          clients,
          onRestart: ({ name, in_flight, answered, ms }) =>
            say(
              `${name}: ended after ${ms.down} ms, accepts after ${ms.up}, all caught up after ${ms.whole}, ${in_flight} in flight, ${answered} answered meanwhile`,
            ),
        });
  return { contract: 1, seed, engines: 3, enforcers: 3, nats_nodes: 3, races: raced, upgrades: rolled };
}
