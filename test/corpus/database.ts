/** The database that cases assume: made once as a template, cloned again after each case that changed anything. */
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { startPostgres, type PostgresMajor } from '#test/support/postgres';
import type { Address } from './wire.ts';

const SCHEMA = fileURLToPath(new URL('./public/schema.sql', import.meta.url));
export const DATABASE = 'corpus';
const ROLE_PASSWORD = 'corpus-role';
const ROLES = { app_rw: 'LOGIN', app_ro: 'LOGIN', admin_role: 'SUPERUSER NOLOGIN' } as const;
const ROLE_DEFAULTS = "NOSUPERUSER NOCREATEDB NOCREATEROLE INHERIT NOREPLICATION NOBYPASSRLS CONNECTION LIMIT -1 VALID UNTIL 'infinity'";

/** `real`: as the schema says. `twin`: the same but for the values of the masked columns. */
export type Contents = 'real' | 'twin';

export interface CorpusDatabase extends AsyncDisposable {
  readonly version: string;
  /** Where a role connects to; null: the superuser that the cases were verified with. */
  address(role: string | null): Address;
  /** What the placeholders of a case stand for. */
  readonly places: Readonly<Record<string, string>>;
  /** Makes the database hold these contents, unspoilt; cheap when it already does. */
  ensure(contents: Contents): Promise<void>;
  /** Whether the expression is true, as the superuser. */
  holds(sql: string): Promise<boolean>;
  oid(signature: string): Promise<number>;
}

export async function openDatabase(from: { readonly url: string } | { readonly major: PostgresMajor }): Promise<CorpusDatabase> {
  const own = 'major' in from ? await startPostgres({ major: from.major, settings: SETTINGS }) : null;
  const url = new URL(own ? own.url() : (from as { url: string }).url);
  const scratch = mkdtempSync(join(tmpdir(), 'interlock-corpus-'));
  chmodSync(scratch, 0o777);
  const database = new Cloned(url, scratch);
  await database.prepare();
  return Object.assign(database, {
    [Symbol.asyncDispose]: async () => {
      await database.end();
      rmSync(scratch, { recursive: true, force: true });
      await own?.stop();
    },
  });
}

const SETTINGS = { autovacuum: 'off', wal_level: 'logical', max_prepared_transactions: '5', max_wal_senders: '4', log_min_messages: 'fatal' };

class Cloned {
  version = '';
  readonly places: Readonly<Record<string, string>>;
  readonly #url: URL;
  readonly #scratch: string;
  #admin: pg.Client | null = null;
  #holds: Contents | null = null;
  /** What the database that was set aside holds. */
  #aside: Contents | null = null;
  #mark = '';

  constructor(url: URL, scratch: string) {
    this.#url = url;
    this.#scratch = scratch;
    this.places = { PGHOST: url.hostname, PGPORT: url.port || '5432', DB: DATABASE, SCRATCH: scratch };
  }

  address(role: string | null): Address {
    const superuser = { user: decodeURIComponent(this.#url.username), password: decodeURIComponent(this.#url.password) };
    const who = role === null ? superuser : { user: role, password: ROLE_PASSWORD };
    return { host: this.#url.hostname, port: Number(this.#url.port || 5432), database: DATABASE, ...who };
  }

  async prepare(): Promise<void> {
    await this.#with('postgres', async (client) => {
      this.version = (await client.query<{ v: string }>("SELECT current_setting('server_version') AS v")).rows[0]?.v ?? '';
      for (const [role, attributes] of Object.entries(ROLES)) {
        await client.query(`DO $$ BEGIN CREATE ROLE ${role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
        await client.query(`ALTER ROLE ${role} ${attributes} PASSWORD '${ROLE_PASSWORD}'`);
      }
      await client.query('GRANT admin_role TO app_rw');
      for (const contents of ['real', 'twin'] as const) {
        for (const name of [template(contents), spare(contents)]) await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      }
      await client.query(`CREATE DATABASE ${template('real')}`);
    });
    await this.#with(template('real'), async (client) => {
      await client.query(readFileSync(SCHEMA, 'utf8'));
      await client.query(
        'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app_rw; GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app_rw; GRANT SELECT ON ALL TABLES IN SCHEMA public TO app_ro',
      );
    });
    await this.#with('postgres', (client) => client.query(`CREATE DATABASE ${template('twin')} TEMPLATE ${template('real')}`));
    await this.#with(template('twin'), async (client) => {
      // other lengths, another order, the same rows in the same places
      await client.query(
        "UPDATE customers SET ssn = left(md5(ssn), 6 + id), card_number = left(md5(card_number), 9 + id), email = left(md5(email), 4 + id) || '@twin.example'",
      );
      await client.query('VACUUM FULL customers');
      await client.query('REFRESH MATERIALIZED VIEW mv_customers');
      await client.query('ANALYZE');
    });
  }

  async ensure(contents: Contents): Promise<void> {
    const clean = this.#holds !== null && (await this.#state()) === this.#mark;
    if (clean && this.#holds === contents) return;
    if (this.#holds !== null && !clean) await this.#mend();
    await this.#drop();
    await this.#with('postgres', async (client) => {
      if (clean) await this.#setAside(client);
      else await discard(client);
      const kept = this.#aside === contents;
      await client.query(
        kept ? `ALTER DATABASE ${spare(contents)} RENAME TO ${DATABASE}` : `CREATE DATABASE ${DATABASE} TEMPLATE ${template(contents)}`,
      );
      if (clean && this.#holds !== null) this.#aside = this.#holds;
      else if (kept) this.#aside = null;
    });
    this.#holds = contents;
    this.#mark = await this.#state();
  }

  /** Runs that compare two contents go back and forth: an unspoilt database is kept for the way back. */
  async #setAside(client: pg.Client): Promise<void> {
    const holds = this.#holds as Contents;
    if (this.#aside === holds) await client.query(`DROP DATABASE ${spare(holds)} WITH (FORCE)`);
    await alone(client);
    await client.query(`ALTER DATABASE ${DATABASE} RENAME TO ${spare(holds)}`);
    await client.query(`ALTER DATABASE ${spare(holds)} ALLOW_CONNECTIONS true`);
  }

  async holds(sql: string): Promise<boolean> {
    const client = await this.#connected();
    try {
      return (await client.query<{ yes: boolean | null }>(`SELECT (${sql}) AS yes`)).rows[0]?.yes === true;
    } catch {
      return true; // the objects that it asks for are gone: no state that was to be kept
    }
  }

  async oid(signature: string): Promise<number> {
    const client = await this.#connected();
    return Number((await client.query<{ oid: string }>('SELECT to_regprocedure($1)::oid AS oid', [signature])).rows[0]?.oid ?? 0);
  }

  async end(): Promise<void> {
    await this.#drop();
  }

  /** Equal as long as nobody wrote anything: transactions that write take a number, ALTER SYSTEM a file. */
  async #state(): Promise<string> {
    const client = await this.#connected();
    const { rows } = await client.query<{ state: string }>(
      "SELECT pg_snapshot_xmax(pg_current_snapshot())::text || coalesce((SELECT string_agg(name || setting, ',') FROM pg_file_settings WHERE sourcefile LIKE '%auto.conf'), '') || coalesce((SELECT string_agg(concat(sequencename, last_value), ',') FROM pg_sequences), '') AS state",
    );
    return `${rows[0]?.state ?? ''} ${readdirSync(this.#scratch).join()}`;
  }

  /** What a clone does not put right: things of the whole server. */
  async #mend(): Promise<void> {
    for (const file of readdirSync(this.#scratch)) rmSync(join(this.#scratch, file), { force: true });
    const client = await this.#connected();
    const attempt = (sql: string): Promise<unknown> => client.query(sql).catch(() => {});
    const names = async (sql: string): Promise<string[]> => (await client.query<{ name: string }>(sql)).rows.map(({ name }) => name);
    for (const gid of await names('SELECT gid AS name FROM pg_prepared_xacts WHERE database = current_database()')) {
      await attempt(`ROLLBACK PREPARED '${gid}'`);
    }
    for (const slot of await names('SELECT slot_name AS name FROM pg_replication_slots')) await attempt(`SELECT pg_drop_replication_slot('${slot}')`);
    for (const name of await names('SELECT subname AS name FROM pg_subscription')) {
      await attempt(`ALTER SUBSCRIPTION ${name} DISABLE`);
      await attempt(`ALTER SUBSCRIPTION ${name} SET (slot_name = NONE)`);
      await attempt(`DROP SUBSCRIPTION ${name}`);
    }
    await attempt('ALTER SYSTEM RESET ALL');
    await attempt('SELECT pg_reload_conf()');
    await attempt(`ALTER ROLE app_rw ${ROLE_DEFAULTS} LOGIN PASSWORD '${ROLE_PASSWORD}'`);
    await attempt(`ALTER ROLE app_ro ${ROLE_DEFAULTS} LOGIN PASSWORD '${ROLE_PASSWORD}'`);
    await this.#drop();
    await this.#with('postgres', async (postgres) => {
      await discard(postgres);
      const { rows } = await postgres.query<{ name: string }>("SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'evil%'");
      for (const { name } of rows) await postgres.query(`DROP ROLE IF EXISTS ${name}`).catch(() => {});
    });
  }

  async #connected(): Promise<pg.Client> {
    if (this.#admin) return this.#admin;
    const client = await this.#open(DATABASE);
    client.on('error', () => {
      if (this.#admin === client) this.#admin = null;
    });
    return (this.#admin = client);
  }

  async #drop(): Promise<void> {
    const client = this.#admin;
    this.#admin = null;
    await client?.end().catch(() => {});
  }

  async #with<T>(database: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
    const client = await this.#open(database);
    try {
      return await use(client);
    } finally {
      await client.end();
    }
  }

  async #open(database: string): Promise<pg.Client> {
    const url = new URL(this.#url);
    url.pathname = `/${database}`;
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    return client;
  }
}

/** Nobody is connected, nor can be. */
async function alone(client: pg.Client): Promise<void> {
  await client.query(`ALTER DATABASE ${DATABASE} ALLOW_CONNECTIONS false`);
  for (;;) {
    await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [DATABASE]);
    const { rows } = await client.query<{ left: boolean }>('SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = $1) AS left', [DATABASE]);
    if (rows[0]?.left !== true) break;
  }
}

/** With somebody connected, FORCE sleeps a tenth of a second before it looks whether they have gone. */
async function discard(client: pg.Client): Promise<void> {
  const { rowCount } = await client.query('SELECT FROM pg_database WHERE datname = $1', [DATABASE]);
  if (rowCount === 0) return;
  await alone(client);
  await client.query(`DROP DATABASE ${DATABASE} WITH (FORCE)`);
}

const spare = (contents: Contents): string => `corpus_spare_${contents}`;
const template = (contents: Contents): string => `corpus_template_${contents}`;
