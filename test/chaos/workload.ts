/**
 * Eight clients with work in flight. Every operation carries a marker of its own that says what must become of it, so that nobody has to infer:
 * `op_<round>_<number>_allow`, `_deny`, `_approve` or `_mask`. The marker stands in the text, or in a bind parameter of a prepared statement.
 */
import pg from 'pg';
import type { Random } from '#test/support/random';

export type Label = 'allow' | 'deny' | 'approve' | 'mask';
const MARKER: RegExp = /op_[0-9a-z]+_[0-9]+_(allow|deny|approve|mask)/g;

/** Every occurrence, in order. */
export function markersIn(text: string): readonly string[] {
  return text.match(MARKER) ?? [];
}

export interface Operation {
  readonly marker: string;
  readonly label: Label;
  /** Set when the client was told the end of it; `none`: it was not, or not by all who asked. */
  answer: 'none' | 'ok' | 'refused';
  /** Of an approved write: the row that it changes. */
  readonly row?: number;
}

/** Rows that two statements put into one transaction. */
export interface Transaction {
  readonly operations: readonly Operation[];
  /** BEGIN was answered as done; else its operations stand alone. */
  begun: boolean;
  /** Of its COMMIT. */
  answer: Operation['answer'];
}

export interface Workload {
  readonly operations: readonly Operation[];
  readonly transactions: readonly Transaction[];
  /** Every byte that clients were sent since they were let in. */
  received(): readonly Buffer[];
  /** Sent, and not answered yet. */
  inFlight(): number;
  /** Answers that no question belongs to. */
  extraAnswers(): number;
  /** Resolves once so many operations were answered, or all clients have ended. */
  answered(count: number): Promise<void>;
  /** Resolves once so many operations ran, of this label if one is named, or all clients have ended. */
  succeeded(count: number, label?: Label | null): Promise<void>;
  /** No new operations; connections are torn down. */
  stop(): Promise<void>;
}

const CLIENTS = 8;
const ROWS = 1000;
/** Row 1 is what `resumes` writes to. */
const FIRST_ROW = 2;

/** Of the column that policy masks: what no client, log, record or archive may ever have (C5). */
export const CANARY = 'canary-078-05-1120';

export const SCHEMA = `
  CREATE TABLE items (id int PRIMARY KEY, note text NOT NULL);
  INSERT INTO items SELECT n, 'x' FROM generate_series(1, ${ROWS}) n;
  CREATE TABLE log (note text NOT NULL);
  CREATE TABLE people (id int PRIMARY KEY, ssn text NOT NULL);
  INSERT INTO people SELECT n, '${CANARY}' FROM generate_series(1, ${ROWS}) n;
  CREATE TABLE complaints (note text NOT NULL);
  CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'not %', (SELECT ssn FROM people WHERE id = 1) USING DETAIL = (SELECT ssn FROM people WHERE id = 2); END $$;
  CREATE TRIGGER complain BEFORE INSERT ON complaints FOR EACH ROW EXECUTE FUNCTION complain();`;

/** @param url with a token as its password */
export async function startWorkload(url: string, round: string, random: Random): Promise<Workload> {
  const load = new Load(round, random);
  await Promise.all(Array.from({ length: CLIENTS }, () => load.connect(url)));
  load.start();
  return load;
}

class Load implements Workload {
  readonly operations: Operation[] = [];
  readonly transactions: Transaction[] = [];
  readonly #round: string;
  readonly #random: Random;
  readonly #clients: Client[] = [];
  readonly #watchers: (() => void)[] = [];
  #stopped = false;
  #done: Promise<unknown> = Promise.resolve();
  #ended = 0;

  constructor(round: string, random: Random) {
    this.#round = round;
    this.#random = random;
  }

  async connect(url: string): Promise<void> {
    this.#clients.push(await Client.connect(url));
  }

  start(): void {
    this.#done = Promise.all(this.#clients.map((client, index) => this.#run(client, index)));
  }

  inFlight(): number {
    return this.#clients.filter((client) => client.busy).length;
  }

  received(): readonly Buffer[] {
    return this.#clients.flatMap((client) => client.received);
  }

  extraAnswers(): number {
    return this.#clients.reduce((sum, client) => sum + Math.max(0, client.answers - client.questions), 0);
  }

  answered(count: number): Promise<void> {
    return this.#until(() => this.operations.filter(({ answer }) => answer !== 'none').length >= count);
  }

  succeeded(count: number, label: Label | null = null): Promise<void> {
    return this.#until(() => this.operations.filter((each) => each.answer === 'ok' && (label === null || each.label === label)).length >= count);
  }

  #until(reached: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.#ended === this.#clients.length || reached()) resolve();
        else this.#watchers.push(look);
      };
      look();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const client of this.#clients) client.destroy();
    await this.#done;
  }

  async #run(client: Client, index: number): Promise<void> {
    try {
      while (!this.#stopped && !client.ended) {
        await this.#step(client, index);
        for (const look of this.#watchers.splice(0)) look();
      }
    } finally {
      this.#ended++;
      for (const look of this.#watchers.splice(0)) look();
    }
  }

  /** 68 % allowed, 20 % denied, 5 % masked, 7 % held for approval. */
  async #step(client: Client, index: number): Promise<void> {
    const dice = this.#random.next();
    if (dice < 0.3) return this.#one(client, 'allow', (m) => `SELECT id, '${m}' AS m FROM items WHERE id = ${this.#row()}`);
    if (dice < 0.42) return this.#prepared(client);
    if (dice < 0.5) return this.#pipelined(client);
    if (dice < 0.65) return this.#transaction(client);
    if (dice < 0.68) return this.#one(client, 'allow', (m) => `COPY (SELECT id, '${m}' FROM items WHERE id < 20) TO STDOUT`);
    if (dice < 0.71) return this.#one(client, 'mask', (m) => `SELECT id, ssn, '${m}' AS m FROM people WHERE id = ${this.#row()}`);
    if (dice < 0.73) return this.#one(client, 'mask', (m) => `INSERT INTO complaints VALUES ('${m}')`);
    if (dice < 0.83) return this.#one(client, 'deny', (m) => `DROP TABLE items /* ${m} */`);
    if (dice < 0.88) return this.#one(client, 'deny', (m) => `SELECT '${m}'; TRUNCATE log; SELECT 1`);
    if (dice < 0.93) return this.#deniedTransaction(client);
    return this.#approved(client, index);
  }

  #row(): number {
    return FIRST_ROW + Math.floor(this.#random.next() * (ROWS - FIRST_ROW));
  }

  #operation(label: Label, more: Pick<Operation, 'row'> = {}): Operation {
    const operation: Operation = { marker: `op_${this.#round}_${this.operations.length}_${label}`, label, answer: 'none', ...more };
    this.operations.push(operation);
    return operation;
  }

  async #one(client: Client, label: Label, sql: (marker: string) => string): Promise<void> {
    await this.#asked(client, this.#operation(label), sql);
  }

  async #asked(client: Client, operation: Operation, sql: (marker: string) => string): Promise<void> {
    operation.answer = await client.ask(sql(operation.marker));
  }

  /** The text goes once; each execution carries its marker as a parameter. */
  async #prepared(client: Client): Promise<void> {
    const operation = this.#operation('allow');
    operation.answer = await client.ask({
      name: 'by-id',
      text: "SELECT id FROM items WHERE id = $1 AND $2 <> ''",
      values: [this.#row(), operation.marker],
    });
  }

  /** Sent in one go, each behind its own Sync: a denial among them is nobody else's. */
  async #pipelined(client: Client): Promise<void> {
    await Promise.all([
      this.#prepared(client),
      this.#one(client, 'allow', (m) => `SELECT '${m}'`),
      this.#one(client, 'deny', (m) => `DELETE FROM log WHERE note = '${m}'`),
      this.#prepared(client),
    ]);
  }

  async #transaction(client: Client): Promise<void> {
    const transaction: Transaction = { operations: [this.#operation('allow'), this.#operation('allow')], begun: false, answer: 'none' };
    this.transactions.push(transaction);
    transaction.begun = (await client.ask('BEGIN')) === 'ok';
    for (const operation of transaction.operations) await this.#asked(client, operation, (m) => `INSERT INTO log VALUES ('${m}')`);
    transaction.answer = await client.ask('COMMIT');
  }

  /** What stands behind a denial in its transaction must not reach the target either. */
  async #deniedTransaction(client: Client): Promise<void> {
    await client.ask('BEGIN');
    await this.#one(client, 'deny', (m) => `DELETE FROM log WHERE note = '${m}'`);
    await this.#one(client, 'deny', (m) => `SELECT '${m}'`);
    await client.ask('ROLLBACK');
  }

  /** The same statement on two connections: they join one request, and one of them may use it. */
  async #approved(client: Client, index: number): Promise<void> {
    const row = this.#row();
    const operation = this.#operation('approve', { row });
    const sql = `UPDATE items SET note = '${operation.marker}' WHERE id = ${row}`;
    const rival = this.#clients[(index + 1) % this.#clients.length];
    if (rival === undefined || rival.busy) {
      operation.answer = await client.ask(sql);
      return;
    }
    const [mine, theirs] = await Promise.all([client.ask(sql), rival.ask(sql)]);
    operation.answer = mine === 'ok' || theirs === 'ok' ? 'ok' : mine === 'none' || theirs === 'none' ? 'none' : 'refused';
  }
}

/** One connection that counts questions and answers; questions are sent without waiting for the answers before. */
class Client {
  readonly #client: pg.Client;
  readonly received: Buffer[] = [];
  questions = 0;
  answers = 0;
  ended = false;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async connect(url: string): Promise<Client> {
    // of pg 8.23; its types do not know it yet
    const config = { connectionString: url, connectionTimeoutMillis: 20_000, pipeline: true };
    const connection = new pg.Client(config);
    const client = new Client(connection);
    connection.on('error', () => (client.ended = true));
    connection.on('end', () => (client.ended = true));
    await connection.connect();
    const { connection: wire } = connection as unknown as { connection: NodeJS.EventEmitter & { readonly stream: NodeJS.ReadableStream } };
    wire.on('readyForQuery', () => client.answers++);
    wire.stream.on('data', (bytes: Buffer) => void client.received.push(bytes));
    return client;
  }

  get busy(): boolean {
    return this.questions > this.answers && !this.ended;
  }

  async ask(query: string | pg.QueryConfig): Promise<Operation['answer']> {
    if (this.ended) return 'none';
    this.questions++;
    try {
      await this.#client.query(query);
      return 'ok';
    } catch (error) {
      return error instanceof pg.DatabaseError && error.severity !== 'FATAL' ? 'refused' : 'none';
    }
  }

  destroy(): void {
    const { connection } = this.#client as unknown as { connection: { stream: { destroy(): void } } };
    connection.stream.destroy();
  }
}
