/** A rolling upgrade under load: every process is drained, ends, and starts anew, one by one; clients may be told only what they can simply try again after. */
import type { Cluster, Member } from '#test/support/cluster';
import type { Random } from '#test/support/random';
import { nothingTold } from './client.ts';
import { Load } from './load.ts';
import { type Finding, judge, type Judged } from './oracles.ts';
import { startReviewers } from './reviewers.ts';

export interface UpgradesReport extends Judged {
  readonly upgrades: number;
  readonly clients: number;
  readonly restarts: readonly Restart[];
  /** Statements that were answered as they should be: run, or denied. */
  readonly answered: number;
  /** Of these, with an approval. */
  readonly approved: number;
  /** Longest that one statement took with all its tries, what needs an approval apart. */
  readonly slowest_ms: number;
  /** What clients were told, by SQLSTATE and code. */
  readonly troubles: Readonly<Record<string, number>>;
  /** Of each, the first in full. */
  readonly examples: Readonly<Record<string, string>>;
  /** What reviewers were told besides. */
  readonly reviewers: Readonly<Record<string, number>>;
  readonly seconds: number;
}

export interface Restart {
  readonly name: string;
  /** Statements sent and not answered at the moment of the signal. */
  readonly in_flight: number;
  /** Answered while it went down and came up again. */
  readonly answered: number;
  /** Until it had ended, until it accepted again, until all had caught up. */
  readonly ms: { readonly down: number; readonly up: number; readonly whole: number };
}

export interface UpgradesOptions {
  readonly cluster: Cluster;
  readonly upgrades: number;
  /** In this order; by default all nine. */
  readonly members?: readonly Member[];
  readonly clients: number;
  readonly random: Random;
  readonly reviewers: () => Promise<readonly string[]>;
  readonly onRestart: (restart: Restart) => void;
  /** Ends it early, after a whole upgrade. */
  readonly enough: AbortSignal;
}

/** Between two restarts: so much of the load is answered. */
const BETWEEN = 100;

export async function runUpgrades(options: UpgradesOptions): Promise<UpgradesReport> {
  const { cluster, upgrades, clients, random, reviewers: mint, onRestart, enough } = options;
  await cluster.whole();
  cluster.relay.clear();
  const told = nothingTold();
  const reviewers = startReviewers({ apis: () => cluster.of('engine').map((each) => (each.running ? each.address : '')), mint, random });
  const since = performance.now();
  const load = await Load.start({ cluster, name: 'roll', clients, random, login: 'lena', told, approvals: true });
  const restarts: Restart[] = [];
  const findings: Finding[] = [];
  let done = 0;
  for (; done < upgrades && !enough.aborted; done++)
    for (const member of options.members ?? cluster.members) {
      await load.goesOn(BETWEEN);
      const restart = await restarted(member, { cluster, load, findings });
      restarts.push(restart);
      onRestart(restart);
    }
  await load.goesOn(BETWEEN);
  await load.stop();
  await reviewers.stop(); // until the last one was answered
  const seconds = Math.round((performance.now() - since) / 1000);
  for (const detail of told.unclean) findings.push({ check: 'only clean errors', detail });
  for (const detail of load.givenUp) findings.push({ check: 'a statement is answered', detail });
  const judged = await judge(cluster, load.operations);
  return {
    ...judged,
    findings: [...findings, ...judged.findings],
    upgrades: done,
    clients,
    restarts,
    answered: load.answered,
    approved: load.operations.filter(({ label, answer }) => label === 'approve' && answer === 'ok').length,
    slowest_ms: Math.round(load.slowestMs),
    troubles: Object.fromEntries(told.troubles),
    examples: Object.fromEntries(told.examples),
    reviewers: Object.fromEntries(reviewers.troubles),
    seconds,
  };
}

interface Under {
  readonly cluster: Cluster;
  readonly load: Load;
  readonly findings: Finding[];
}

/** As an operator does it: the next one only when this one has caught up. */
async function restarted(member: Member, { cluster, load, findings }: Under): Promise<Restart> {
  const before = load.answered;
  const since = performance.now();
  const inFlight = load.inFlight();
  const elapsed = (): number => Math.round(performance.now() - since);
  const how = await member.end('SIGTERM');
  const down = elapsed();
  if (member.kind !== 'nats' && how !== 0)
    findings.push({
      check: 'a drained process ends well',
      detail: `${member.name} ended with ${String(how)}: ${member.log().trimEnd().split('\n').slice(-3).join(' ')}`,
    });
  await member.start();
  const up = elapsed();
  await cluster.whole();
  return { name: member.name, in_flight: inFlight, answered: load.answered - before, ms: { down, up, whole: elapsed() } };
}
