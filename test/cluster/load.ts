/**
 * Constant load of clients that do again what may be done again. Every statement carries a marker that says what must become of it
 * (test/chaos/workload.ts); what was refused by a clean error runs again under the same marker, for none of it has run.
 */
import type { Cluster } from '#test/support/cluster';
import type { Random } from '#test/support/random';
import { after } from '../chaos/under-load.ts';
import type { Label, Operation } from '../chaos/workload.ts';
import { type Answer, ClusterClient, isDenial, type Told } from './client.ts';

export interface LoadOptions {
  readonly cluster: Cluster;
  /** Stands in every marker. */
  readonly name: string;
  readonly clients: number;
  readonly random: Random;
  /** With a token for connecting. */
  readonly login: string;
  readonly told: Told;
  /** Whether some statements need an approval. */
  readonly approvals: boolean;
}

const RETRY_MS = 25;
/** A client that tried for so long gives up, and that is a violation. */
const PATIENCE_MS = 60_000;
const THINK_MS = 25;

export class Load {
  readonly operations: Operation[] = [];
  /** Operations that clients gave up. */
  readonly givenUp: string[] = [];
  readonly #options: LoadOptions;
  readonly #clients: readonly ClusterClient[];
  readonly #done: Promise<unknown>;
  #stopped = false;
  #answered = 0;
  /** The longest that one statement took with all its tries, what needs an approval apart. */
  slowestMs = 0;

  private constructor(options: LoadOptions, token: string) {
    this.#options = options;
    const { cluster, clients, login, told } = options;
    const enforcers = cluster.of('enforcer').map(({ address }) => address);
    this.#clients = Array.from({ length: clients }, (_, home) => new ClusterClient({ enforcers, home, login, token, told }));
    this.#done = Promise.all(this.#clients.map((client) => this.#run(client)));
  }

  static async start(options: LoadOptions): Promise<Load> {
    return new Load(options, await options.cluster.token({ login: options.login, groups: ['clients'], ttl: '8h' }));
  }

  /** Of whatever kind, with the answer that it should have. */
  get answered(): number {
    return this.#answered;
  }

  inFlight(): number {
    return this.#clients.filter(({ busy }) => busy).length;
  }

  /** Resolves when so many more were answered. */
  async goesOn(more: number): Promise<void> {
    const enough = this.#answered + more;
    while (this.#answered < enough && !this.#stopped) await after(RETRY_MS, null);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
    for (const client of this.#clients) client.destroy();
  }

  async #run(client: ClusterClient): Promise<void> {
    while (!this.#stopped) {
      await this.#step(client);
      await after(this.#options.random.between(0, THINK_MS), null);
    }
  }

  async #step(client: ClusterClient): Promise<void> {
    const { random, approvals } = this.#options;
    const dice = random.next();
    const row = 1 + random.below(1000);
    if (approvals && dice < 0.05) return this.#until(client, 'approve', (marker) => `UPDATE items SET note = '${marker}' WHERE id = ${row}`);
    if (dice < 0.07) return this.#until(client, 'allow', (marker) => `SELECT '${marker}', pg_sleep(${random.between(0.2, 1).toFixed(2)})`);
    if (dice < 0.17) return this.#until(client, 'deny', (marker) => `DELETE FROM log WHERE note = '${marker}'`);
    if (dice < 0.3) return this.#until(client, 'allow', (marker) => `INSERT INTO log VALUES ('${marker}')`);
    return this.#until(client, 'allow', (marker) => `SELECT id, '${marker}' AS m FROM items WHERE id = ${row}`);
  }

  async #until(client: ClusterClient, label: Label, sql: (marker: string) => string): Promise<void> {
    const operation: Operation = { marker: `op_${this.#options.name}_${this.operations.length}_${label}`, label, answer: 'none' };
    this.operations.push(operation);
    const since = performance.now();
    for (;;) {
      const answer = await client.ask(sql(operation.marker), label === 'deny');
      if (settled(answer, label)) {
        operation.answer = answer.ok ? 'ok' : 'refused';
        this.#answered++;
        if (label !== 'approve') this.slowestMs = Math.max(this.slowestMs, performance.now() - since);
        return;
      }
      if (answer.ok || !answer.trouble.clean) return; // what became of it is not known: never again under this marker
      if (performance.now() - since > PATIENCE_MS) return void this.givenUp.push(`${operation.marker}: ${answer.trouble.name}`);
      await after(RETRY_MS, null);
    }
  }
}

function settled(answer: Answer, label: Label): boolean {
  return label === 'deny' ? !answer.ok && isDenial(answer.trouble) : answer.ok;
}
