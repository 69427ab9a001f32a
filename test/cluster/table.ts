/** The report for people. */
import type { ClusterReport } from './run.ts';

export function table({ seed, races, upgrades }: ClusterReport): string {
  const rows: (readonly [string, string])[] = [['three engines, three enforcers, three NATS nodes', `seed ${seed}`]];
  if (races !== null) {
    const { kills } = races;
    rows.push(
      ['races for an approval', `${races.races}, a kill in each: ${kills.engine} engines, ${kills.enforcer} enforcers, ${kills.nats} nodes`],
      ['kills with a racer in flight', String(races.kills_in_flight)],
      ['races won only with the killed one back', String(races.held_up)],
      ['approvals used, most uses of one', `${races.approvals_used}, ${races.uses_max}`],
      ['racers told that another was first', String(races.beaten)],
      ['statements answered beside the races', String(races.answered)],
      ...troubles('told, races', races.troubles),
      ...troubles('reviewers told, races', races.reviewers),
      ['violations, races', String(races.findings.length)],
    );
  }
  if (upgrades !== null)
    rows.push(
      ['rolling upgrades', `${upgrades.upgrades} of nine processes, ${upgrades.clients} clients, ${upgrades.seconds} s`],
      ['statements answered; with an approval', `${upgrades.answered}; ${upgrades.approved}`],
      ['in flight at the moment of a signal, sum', String(upgrades.restarts.reduce((sum, { in_flight }) => sum + in_flight, 0))],
      ['slowest statement with all its tries', `${upgrades.slowest_ms} ms`],
      ...troubles('told, upgrades', upgrades.troubles),
      ...troubles('reviewers told, upgrades', upgrades.reviewers),
      ['violations, upgrades', String(upgrades.findings.length)],
    );
  return rows.map(([name, value]) => `${name.padEnd(50)} ${value}\n`).join('');
}

function troubles(title: string, counted: Readonly<Record<string, number>>): (readonly [string, string])[] {
  return Object.entries(counted)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, times]) => [`${title}: ${name}`, String(times)]);
}
