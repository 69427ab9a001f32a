/** Asks about statements over the gateway's own connections: one for each database, one statement after the other. */
import type { Lease } from '#client/credentials';
import { roleOfLease } from '#enforcers/common/leased';
import { LIMITS } from '#enforcers/common/limits';
import type { Survey } from '#enforcers/common/survey';
import { InterlockError } from '#schemas/errors';
import type { SqlFacts } from '#schemas/sql-facts';
import { estimateOf } from './estimate.ts';
import { openOwnClient, type OwnClient } from './own-client.ts';
import { literal } from './survey-sql.ts';
import { documentOf, questionOf, surveyOf } from './survey.ts';
import type { Settings } from './settings.ts';
import type { Upstream } from './target.ts';

export interface Surveyed {
  readonly database: string;
  /** Of the session: names are read under its search_path and role, literals under its DateStyle. */
  readonly settings: Settings;
  readonly facts: SqlFacts;
  readonly text: Uint8Array;
  readonly bound: Bound | null;
}

/** Parameters as the client bound them: the types of Parse, formats and values of Bind. */
export interface Bound {
  readonly types: readonly number[];
  readonly params: Uint8Array;
}

export class Surveyor {
  readonly #options: { readonly upstream: Upstream; readonly lease: () => Promise<Lease> };
  readonly #clients: Map<string, { readonly client: OwnClient; readonly user: string }> = new Map();
  readonly #last: Map<string, Promise<unknown>> = new Map();
  #waiting = 0;

  constructor(options: { readonly upstream: Upstream; readonly lease: () => Promise<Lease> }) {
    this.#options = options;
  }

  /** @throws InterlockError CATALOG_UNAVAILABLE, BUDGET_TEXT */
  async survey(asked: Surveyed, purpose: 'asking' | 'using'): Promise<Survey> {
    const question = questionOf(asked.facts);
    if (this.#waiting >= LIMITS.surveysWaiting) throw new InterlockError('CATALOG_UNAVAILABLE', 'too many statements are being looked at');
    this.#waiting++;
    const before = this.#last.get(asked.database) ?? Promise.resolve();
    const mine = before.then(
      () => this.#survey(asked, question, purpose),
      () => this.#survey(asked, question, purpose),
    );
    this.#last.set(asked.database, mine);
    return mine.finally(() => this.#waiting--);
  }

  close(): void {
    for (const { client } of this.#clients.values()) client.close();
    this.#clients.clear();
  }

  async #survey(asked: Surveyed, question: string, purpose: 'asking' | 'using'): Promise<Survey> {
    const held = this.#clients.has(asked.database);
    try {
      return await this.#surveyOver(asked, question, purpose).catch((error: unknown) => {
        this.#drop(asked.database);
        // the target may have ended a connection that idled: one opened just now tells the truth
        if (!held) throw error;
        return this.#surveyOver(asked, question, purpose);
      });
    } catch (error) {
      this.#drop(asked.database);
      throw new InterlockError('CATALOG_UNAVAILABLE', 'what the names of the statement mean could not be asked of the target', { cause: error });
    }
  }

  async #surveyOver(asked: Surveyed, question: string, purpose: 'asking' | 'using'): Promise<Survey> {
    const { client, user } = await this.#client(asked.database);
    await client.query(`BEGIN READ ONLY; SET LOCAL statement_timeout = ${LIMITS.surveyMs}; ${settingsSql(asked.settings, user)}`);
    const document = documentOf((await client.query(question))[0]?.[0]);
    const estimate = purpose === 'using' ? null : await this.#estimate(client, asked, document);
    await client.query('ROLLBACK');
    return surveyOf(document, estimate);
  }

  async #estimate(client: OwnClient, { facts, text, bound }: Surveyed, document: Parameters<typeof estimateOf>[2]): ReturnType<typeof estimateOf> {
    await client.query(`SET LOCAL statement_timeout = ${LIMITS.explainMs}`);
    return estimateOf(facts, text, document, (sql) => client.bound(sql, bound));
  }

  #drop(database: string): void {
    this.#clients.get(database)?.client.close();
    this.#clients.delete(database);
  }

  async #client(database: string): Promise<{ readonly client: OwnClient; readonly user: string }> {
    const known = this.#clients.get(database);
    if (known && !known.client.connection.socket.destroyed) return known;
    const lease = await this.#options.lease();
    const client = await openOwnClient(this.#options.upstream, lease, database);
    client.connection.socket.unref();
    const made = { client, user: roleOfLease(lease) };
    this.#clients.set(database, made);
    return made;
  }
}

/** What makes this connection read names and literals as the session does; who it is comes first. */
function settingsSql(settings: Settings, user: string): string {
  const set = (name: string): string => `pg_catalog.set_config('${name}', ${literal(settings[name] ?? '')}, true)`;
  const other = (name: string, usual: string): string[] => ((settings[name] ?? usual) === usual ? [] : [set(name)]);
  const who = [...other('session_authorization', user), ...other('role', 'none'), ...other('session_replication_role', 'origin')];
  const how = ['search_path', 'row_security', 'datestyle', 'intervalstyle', 'timezone'].flatMap((name) =>
    settings[name] === undefined ? [] : [set(name)],
  );
  return [...who, ...how].map((one) => `SELECT ${one}`).join('; ');
}
