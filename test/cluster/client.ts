/** A client as an application is one: it knows all enforcers, has one connection, connects anew when that is gone, and counts what it is told. */
import pg from 'pg';
import { type Trouble, troubleOf } from './errors.ts';

export interface Told {
  /** How often which. */
  readonly troubles: Map<string, number>;
  /** Of each, the first in full. */
  readonly examples: Map<string, string>;
  /** Those that a client cannot simply try again after. */
  readonly unclean: string[];
}

export function nothingTold(): Told {
  return { troubles: new Map(), examples: new Map(), unclean: [] };
}

export type Answer = { readonly ok: true } | { readonly ok: false; readonly trouble: Trouble };

export interface ClientOptions {
  readonly enforcers: readonly string[];
  /** Which of them is tried first. */
  readonly home: number;
  readonly login: string;
  readonly token: string;
  readonly told: Told;
  readonly onHeld?: () => void;
}

export function isDenial({ sqlstate }: Trouble): boolean {
  return sqlstate === '42501';
}

const CONNECT_MS = 10_000;
/** An answer later than this is none: longer than any statement may be held. */
const ANSWER_MS = 45_000;
const UNCLEAN_KEPT = 50;

export class ClusterClient {
  readonly #options: ClientOptions;
  #next: number;
  #client: pg.Client | null = null;
  /** A statement was sent and is not answered. */
  busy = false;
  statements = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#next = options.home;
  }

  /**
   * Once: on the connection there is, or on a new one.
   * @param denied policy is expected to refuse it: that is an answer, and no trouble
   */
  async ask(sql: string, denied = false): Promise<Answer> {
    let connecting = true;
    try {
      const client = this.#client ?? (await this.#connect());
      connecting = false;
      this.busy = true;
      await client.query(sql);
      this.statements++;
      return { ok: true };
    } catch (error) {
      const trouble = troubleOf(error, connecting);
      const fatal = connecting || !trouble.refused || (error as pg.DatabaseError).severity === 'FATAL';
      if (fatal) this.#gone(connecting);
      if (!(denied && isDenial(trouble))) this.#count(trouble);
      return { ok: false, trouble };
    } finally {
      this.busy = false;
    }
  }

  /** In the middle of whatever it is. */
  destroy(): void {
    const { connection } = (this.#client ?? {}) as { connection?: { stream: { destroy(): void } } };
    this.#client = null;
    connection?.stream.destroy();
  }

  async #connect(): Promise<pg.Client> {
    const { enforcers, login, token, onHeld } = this.#options;
    const [host = '', port] = (enforcers[this.#next % enforcers.length] ?? '').split(':');
    const client = new pg.Client({
      host,
      port: Number(port),
      user: login,
      password: token,
      database: 'postgres',
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
    });
    client.on('error', (error) => this.#ended(client, error));
    client.on('end', () => this.#client === client && this.#gone(false));
    client.on('notice', () => onHeld?.());
    await client.connect();
    this.#client = client;
    return client;
  }

  /** Between two statements. */
  #ended(client: pg.Client, error: Error): void {
    if (this.#client !== client) return;
    this.#count(troubleOf(error, false));
    this.#gone(false);
  }

  /** Where nobody listens, somebody else may. */
  #gone(connecting: boolean): void {
    this.destroy();
    if (connecting) this.#next++;
  }

  #count({ name, clean, message }: Trouble): void {
    const { troubles, examples, unclean } = this.#options.told;
    if (!troubles.has(name)) examples.set(name, message);
    troubles.set(name, (troubles.get(name) ?? 0) + 1);
    if (!clean && unclean.length < UNCLEAN_KEPT) unclean.push(`${name}: ${message}`);
  }
}
