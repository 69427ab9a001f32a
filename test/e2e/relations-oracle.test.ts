/**
 * The relations in the facts are held against the locks that the server holds after PREPARE: it parsed the same text, and locks what it found.
 * INTERLOCK_PG_REGRESS: folder with the .sql files of PostgreSQL's regression suite of one major (INTERLOCK_PG_REGRESS_MAJOR, 15 unless told);
 * without it a sample of our own runs.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { parse } from 'yaml';
import { afterAll, describe, expect, it } from 'vitest';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import type { SqlFacts } from '#schemas/sql-facts';
import { POSTGRES_MAJORS, startPostgres, type PostgresMajor, type PostgresServer } from '../support/postgres.ts';
import { statementsOf } from '../support/regress.ts';

const cases = join(fileURLToPath(new URL('.', import.meta.url)), '..', 'cases', 'facts');
const suite = process.env['INTERLOCK_PG_REGRESS'];
const suiteMajor: PostgresMajor = process.env['INTERLOCK_PG_REGRESS_MAJOR'] === '17' ? 17 : 15;
const facts = new PostgresFacts({ majors: POSTGRES_MAJORS });
afterAll(() => facts.close());

/** What PREPARE takes. */
const PREPARABLE = /^(select|values|table|insert|update|delete|merge|with|\()/i;
/** They must come before the others, in this order. */
const FIRST = [
  'test_setup',
  'create_function_c',
  'create_misc',
  'create_operator',
  'create_procedure',
  'create_table',
  'create_type',
  'create_schema',
].concat(['create_index', 'create_view', 'create_function_sql', 'create_cast', 'create_aggregate', 'inherit', 'triggers', 'select', 'join']);

interface Difference {
  readonly file: string;
  readonly at: number;
  readonly text: string;
  readonly onlyFacts: readonly string[];
  readonly onlyLocks: readonly string[];
}

interface Outcome {
  compared: number;
  inTransaction: number;
  readonly differences: Difference[];
}

describe('relations in facts equal the locks after PREPARE (PARSERS, oracle)', () => {
  it.each(POSTGRES_MAJORS)('our own sample on %i', async (major) => {
    const sample = parse(readFileSync(join(cases, 'relations.yaml'), 'utf8')) as { readonly schema: string; readonly statements: readonly string[] };
    await using server = await startPostgres({ major });
    await server.query(sample.schema);
    const outcome = await compare(server, major, 'relations.yaml', sample.statements, fresh());
    expect(outcome.differences).toEqual([]);
    expect(outcome.compared).toBe(sample.statements.length);
  });

  it.skipIf(suite === undefined || !existsSync(suite))(
    `PostgreSQL's own regression suite (INTERLOCK_PG_REGRESS) on ${suiteMajor}`,
    { timeout: 900_000 },
    async () => {
      const folder = suite ?? '';
      const files = readdirSync(folder).filter((name) => name.endsWith('.sql'));
      const rank = (name: string): number => (FIRST.includes(name.slice(0, -4)) ? FIRST.indexOf(name.slice(0, -4)) : FIRST.length);
      files.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
      await using server = await startPostgres({
        major: suiteMajor,
        settings: { statement_timeout: "'1s'", lock_timeout: "'1s'", max_prepared_transactions: '2' },
      });
      await server.query('CREATE DATABASE regression TEMPLATE template0');
      const outcome = fresh();
      for (const file of files)
        await compare(server, suiteMajor, file, statementsOf(readFileSync(join(folder, file), 'utf8')), outcome, 'regression');
      const known = parse(readFileSync(join(cases, 'relations-differences.yaml'), 'utf8')) as readonly {
        readonly file: string;
        readonly reason: string;
        readonly relations: readonly string[];
      }[];
      const unexplained = outcome.differences.filter(
        (each) =>
          ![...each.onlyFacts, ...each.onlyLocks].every((name) => known.some((entry) => entry.file === each.file && entry.relations.includes(name))),
      );
      console.log(
        `relations oracle on ${suiteMajor}: ${outcome.compared} compared (${outcome.inTransaction} inside a transaction), ${outcome.differences.length} differ, ${unexplained.length} unexplained`,
      );
      expect(unexplained).toEqual([]);
      expect(outcome.compared).toBeGreaterThan(5_000);
    },
  );
});

function fresh(): Outcome {
  return { compared: 0, inTransaction: 0, differences: [] };
}

/** Runs a script statement by statement; before each that can be prepared, its facts are compared. */
async function compare(
  server: PostgresServer,
  major: number,
  file: string,
  statements: readonly string[],
  outcome: Outcome,
  database = 'postgres',
): Promise<Outcome> {
  await using observer = await Session.open(server, database);
  let session = await Session.open(server, database);
  for (const [at, text] of statements.entries()) {
    if (session.ended) session = await Session.open(server, database);
    const bare = text.replaceAll(/--[^\n]*(\n|$)/g, ' ').trim();
    if (PREPARABLE.test(bare)) {
      const difference = await prepared(session, observer, text, major, outcome);
      if (difference !== null) outcome.differences.push({ file, at, text: text.slice(0, 200), ...difference });
    }
    if (!/^copy\b.*\b(stdin|stdout)\b/is.test(bare)) await session.try(text);
  }
  await session[Symbol.asyncDispose]();
  return outcome;
}

async function prepared(
  session: Session,
  observer: Session,
  text: string,
  major: number,
  outcome: Outcome,
): Promise<Pick<Difference, 'onlyFacts' | 'onlyLocks'> | null> {
  if (session.status === 'E') return null;
  const settings = (await session.try("SELECT current_setting('search_path') AS search_path"))?.rows[0] as { search_path: string } | undefined;
  if (settings === undefined) return null;
  const inside = session.status === 'T';
  // what is created in this transaction only this session sees, and asking takes locks too
  if (inside) await session.try('SELECT oid, relname FROM pg_class WHERE oid = 0');
  const before = inside ? await locksOf(observer, session) : new Map<string, string>();
  await session.try(inside ? 'SAVEPOINT interlock_oracle' : 'BEGIN');
  const done = await session.try(`PREPARE interlock_oracle AS ${text}`);
  const after = await locksOf(observer, session);
  if (done !== null) await session.try('DEALLOCATE interlock_oracle');
  await session.try(inside ? 'ROLLBACK TO interlock_oracle' : 'ROLLBACK');
  if (inside) await session.try('RELEASE interlock_oracle');
  if (done === null) return null;
  outcome.compared += 1;
  if (inside) outcome.inTransaction += 1;
  const told = await facts.read(Buffer.from(text), {
    major,
    database: session.database,
    settings: { search_path: settings.search_path },
    catalog: null,
  });
  const names = namesOf(told);
  const locked = new Set(after.values());
  const onlyFacts = [...names].filter((name) => !locked.has(name));
  const fresh_ = [...after].filter(([oid, name]) => !before.has(oid) && !names.has(name)).map(([oid]) => oid);
  const behind =
    fresh_.length === 0
      ? new Set<string>()
      : await reachedByRules(
          observer,
          [...after].filter(([, name]) => names.has(name)).map(([oid]) => oid),
        );
  const onlyLocks = fresh_.filter((oid) => !behind.has(oid)).map((oid) => after.get(oid) ?? oid);
  if (told.parsed && onlyFacts.length === 0 && onlyLocks.length === 0) return null;
  return { onlyFacts: told.parsed ? onlyFacts : ['(not parsed)', ...told.opaque.map((each) => each.detail)], onlyLocks };
}

/** Relations by bare name: temporary ones stand in a schema that no text names. */
function namesOf(told: SqlFacts): Set<string> {
  const verbs = new Set(['read', 'insert', 'update', 'delete', 'lock']);
  return new Set(
    told.effects
      .filter((each) => verbs.has(each.verb) && (each.object.kind === 'table' || each.object.kind === 'view') && each.via.length === 0)
      .map((each) => each.object.name),
  );
}

async function locksOf(observer: Session, session: Session): Promise<Map<string, string>> {
  const answer = await observer.try(
    `SELECT l.relation::text AS oid, c.relname AS name FROM pg_locks l LEFT JOIN pg_class c ON c.oid = l.relation
      WHERE l.locktype = 'relation' AND l.pid = ${session.pid} AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
     UNION SELECT l.relation::text, c.relname FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.locktype = 'relation' AND l.pid = ${session.pid} AND l.database = 0`,
  );
  const rows = (answer?.rows ?? []) as { oid: string; name: string | null }[];
  // created in this transaction: the observer does not see its name
  const unseen = rows.filter((row) => row.name === null).map((row) => row.oid);
  const own =
    unseen.length === 0
      ? []
      : (((await session.try(`SELECT oid::text AS oid, relname AS name FROM pg_class WHERE oid IN (${unseen.join()})`))?.rows ?? []) as {
          oid: string;
          name: string;
        }[]);
  return new Map([...rows, ...own].map((row) => [row.oid, row.name ?? row.oid]));
}

/** Views, rules and policies bring relations in that the text does not name. */
async function reachedByRules(observer: Session, oids: readonly string[]): Promise<Set<string>> {
  if (oids.length === 0) return new Set();
  const answer = await observer.try(
    `WITH RECURSIVE owned(classid, objid, relation) AS (
       SELECT 'pg_rewrite'::regclass, oid, ev_class FROM pg_rewrite UNION ALL SELECT 'pg_policy'::regclass, oid, polrelid FROM pg_policy),
     reached(oid) AS (
       SELECT unnest(ARRAY[${oids.join()}]::oid[])
       UNION SELECT d.refobjid FROM reached r JOIN owned o ON o.relation = r.oid JOIN pg_depend d ON d.classid = o.classid AND d.objid = o.objid
             WHERE d.refclassid = 'pg_class'::regclass)
     SELECT oid::text AS oid FROM reached
     -- what the server's own views read is pinned, not recorded
     UNION SELECT s.oid::text FROM reached r JOIN pg_class v ON v.oid = r.oid AND v.relkind = 'v' AND v.oid < 16384 CROSS JOIN pg_class s WHERE s.oid < 16384`,
  );
  return new Set(((answer?.rows ?? []) as { oid: string }[]).map((row) => row.oid));
}

class Session implements AsyncDisposable {
  readonly database: string;
  readonly #client: pg.Client;
  pid = 0;
  /** Of ReadyForQuery: I idle, T in a transaction, E failed. */
  status = 'I';
  ended = false;

  private constructor(client: pg.Client, database: string) {
    this.#client = client;
    this.database = database;
  }

  static async open(server: PostgresServer, database: string): Promise<Session> {
    const client = new pg.Client({ connectionString: server.url(database) });
    const session = new Session(client, database);
    client.on('error', () => (session.ended = true));
    client.on('end', () => (session.ended = true));
    await client.connect();
    (client as unknown as { connection: NodeJS.EventEmitter }).connection.on(
      'readyForQuery',
      (message: { status: string }) => (session.status = message.status),
    );
    session.pid = ((await client.query('SELECT pg_backend_pid() AS pid')).rows[0] as { pid: number }).pid;
    return session;
  }

  /** null: the server refused it. */
  async try(sql: string): Promise<pg.QueryResult | null> {
    try {
      return await this.#client.query(sql);
    } catch {
      return null;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.ended) await this.#client.end().catch(() => undefined);
  }
}
