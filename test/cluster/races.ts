/** Clients beside each enforcer race for one approval while one of the nine processes is killed; it starts anew before the next race. */
import { type Cluster, type Kind, KINDS, type Member } from '#test/support/cluster';
import type { Random } from '#test/support/random';
import { after } from '../chaos/under-load.ts';
import type { Operation } from '../chaos/workload.ts';
import { ClusterClient, nothingTold, type Told } from './client.ts';
import { Load } from './load.ts';
import { type Finding, judge, type Judged } from './oracles.ts';
import { startReviewers } from './reviewers.ts';

export interface RacesReport extends Judged {
  readonly races: number;
  readonly kills: Readonly<Record<Kind, number>>;
  /** Kills while a racer waited for its answer. */
  readonly kills_in_flight: number;
  /** Races that were won only when the one that was killed had started anew. */
  readonly held_up: number;
  /** Racers that were told that somebody else had used the approval. */
  readonly beaten: number;
  /** Beside the races: statements answered as they should be. */
  readonly answered: number;
  readonly troubles: Readonly<Record<string, number>>;
  /** Of each, the first in full. */
  readonly examples: Readonly<Record<string, string>>;
  /** What reviewers were told besides. */
  readonly reviewers: Readonly<Record<string, number>>;
}

export interface RacesOptions {
  readonly cluster: Cluster;
  readonly races: number;
  readonly random: Random;
  readonly reviewers: () => Promise<readonly string[]>;
  readonly onRace: (race: number, what: string) => void;
  /** Ends it early: what was done until then is judged. */
  readonly enough: AbortSignal;
}

const RACER = { login: 'alice', groups: ['clients'], ttl: '8h' } as const;
const BESIDE = 4;
/** An approval from before an interruption of the stream may wait for the engine that died (ADR 0018): no longer than until it is back. */
const PATIENCE_MS = 10_000;
const RACE_MS = 60_000;
const LATEST_MS = 400;
const RETRY_MS = 20;
const USED_UP = 'IL003';

export async function runRaces(options: RacesOptions): Promise<RacesReport> {
  const { cluster, races, random, reviewers: mint, onRace, enough } = options;
  const told = nothingTold();
  const load = await Load.start({ cluster, name: 'beside', clients: BESIDE, random, login: 'lena', told, approvals: false });
  const reviewers = startReviewers({ apis: () => cluster.of('engine').map((each) => (each.running ? each.address : '')), mint, random });
  const track = new Track(cluster, await cluster.token(RACER), told);
  const kills = { engine: 0, enforcer: 0, nats: 0 };
  const findings: Finding[] = [];
  let inFlight = 0;
  let heldUp = 0;
  await load.goesOn(20);
  for (let race = 0; race < races && !enough.aborted; race++) {
    const victim = victimOf(cluster, race);
    const since = performance.now();
    const { marker, over } = track.race(race);
    await moment(track, marker, random);
    if (track.inFlight) inFlight++;
    kills[victim.kind]++;
    await victim.end('SIGKILL');
    if ((await Promise.race([over, after(PATIENCE_MS, 'not yet')])) === 'not yet') heldUp++;
    await cluster.whole();
    if (!(await over))
      findings.push({ check: 'a statement is answered', detail: `${marker}: nobody won within ${RACE_MS} ms; ${victim.name} was killed` });
    onRace(race, `${victim.name} killed; ${Math.round(performance.now() - since)} ms with its restart`);
  }
  await load.stop();
  await reviewers.stop(); // until the last one was answered
  track.close();
  const judged = await judge(cluster, [...load.operations, ...track.operations]);
  return {
    ...judged,
    findings: [...findings, ...judged.findings],
    races: track.operations.length,
    kills,
    kills_in_flight: inFlight,
    held_up: heldUp,
    beaten: track.beaten,
    answered: load.answered,
    troubles: Object.fromEntries(told.troubles),
    examples: Object.fromEntries(told.examples),
    reviewers: Object.fromEntries(reviewers.troubles),
  };
}

/** In turn: an engine, an enforcer, a node, the next engine … */
function victimOf(cluster: Cluster, race: number): Member {
  const kind = KINDS[race % KINDS.length] as Kind;
  const members = cluster.of(kind);
  return members[Math.floor(race / KINDS.length) % members.length] as Member;
}

/** Some moment; a third of the time when somebody begins to wait, or when the statement is on its way to the target. */
async function moment(track: Track, marker: string, random: Random): Promise<void> {
  const dice = random.next();
  const chance = after(random.between(0, LATEST_MS), null);
  if (dice < 0.33) return void (await chance);
  await Promise.race([dice < 0.66 ? track.held() : track.arrives(marker), after(LATEST_MS * 5, null)]);
  if (random.chance(0.5)) await after(random.between(0, 10), null);
}

/** A racer beside each enforcer, the same person with the same statement: they join one request. */
class Track {
  readonly operations: Operation[] = [];
  beaten = 0;
  readonly #cluster: Cluster;
  readonly #racers: readonly ClusterClient[];
  #onHeld: () => void = () => {};

  constructor(cluster: Cluster, token: string, told: Told) {
    this.#cluster = cluster;
    const enforcers = cluster.of('enforcer').map(({ address }) => address);
    const onHeld = (): void => this.#onHeld();
    this.#racers = enforcers.map((_, home) => new ClusterClient({ enforcers, home, login: RACER.login, token, told, onHeld }));
  }

  get inFlight(): boolean {
    return this.#racers.some(({ busy }) => busy);
  }

  held(): Promise<void> {
    return new Promise((resolve) => (this.#onHeld = resolve));
  }

  arrives(marker: string): Promise<void> {
    return this.#cluster.arrives(marker);
  }

  /** `over` says whether anybody won: until then all try again, whatever they are told. */
  race(number: number): { readonly marker: string; readonly over: Promise<boolean> } {
    const operation: Operation = { marker: `op_race_${number}_approve`, label: 'approve', answer: 'none' };
    this.operations.push(operation);
    const sql = `UPDATE items SET note = '${operation.marker}' WHERE id = ${1 + (number % 1000)}`;
    const end = performance.now() + RACE_MS;
    const run = async (racer: ClusterClient): Promise<void> => {
      while (operation.answer !== 'ok' && performance.now() < end) {
        const answer = await racer.ask(sql);
        if (answer.ok) operation.answer = 'ok';
        else if (answer.trouble.sqlstate === USED_UP) this.beaten++;
        if (!answer.ok) await after(RETRY_MS, null);
      }
    };
    const over = Promise.all(this.#racers.map(run)).then(() => operation.answer === 'ok');
    return { marker: operation.marker, over };
  }

  close(): void {
    for (const racer of this.#racers) racer.destroy();
  }
}
