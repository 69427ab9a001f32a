/** Ordinary clients with ordinary work: each is run once directly and once through the gateway, and both are recorded byte by byte. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import Cursor from 'pg-cursor';

const run = promisify(execFile);

export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface ClientScript {
  readonly name: string;
  /** The program that must be installed; null: part of the project. */
  readonly needs: 'psql' | 'pgbench' | 'python3' | null;
  run(endpoint: Endpoint): Promise<void>;
}

const psql = (name: string, ...commands: readonly string[]): ClientScript => ({
  name: `psql ${name}`,
  needs: 'psql',
  run: async (endpoint) => {
    await run('psql', ['-X', '-v', 'ON_ERROR_STOP=0', ...commands.flatMap((command) => ['-c', command])], { env: environment(endpoint) }).catch(
      ignoreExit,
    );
  },
});

const pgbench = (mode: string): ClientScript => ({
  name: `pgbench -S -M ${mode}`,
  needs: 'pgbench',
  run: async (endpoint) => {
    await run('pgbench', ['-n', '-S', '-c', '1', '-t', '20', '--random-seed', '7', '-M', mode], { env: environment(endpoint) });
  },
});

const nodePostgres = (name: string, work: (client: pg.Client) => Promise<void>): ClientScript => ({
  name: `node-postgres ${name}`,
  needs: null,
  run: async (endpoint) => {
    const client = new pg.Client({ ...endpoint, ssl: false });
    await client.connect();
    try {
      await work(client);
    } finally {
      await client.end();
    }
  },
});

const PSYCOPG = `
import psycopg
with psycopg.connect() as connection:
    with connection.cursor() as cursor:
        for _ in range(8):
            cursor.execute("SELECT id, item FROM orders WHERE id = %s", (2,))
            cursor.fetchall()
        cursor.execute("UPDATE orders SET qty = qty WHERE id = %s", (1,))
    connection.commit()
    with connection.pipeline():
        connection.execute("INSERT INTO notes (body) VALUES (%s)", ("a",))
        connection.execute("INSERT INTO notes (body) VALUES (%s)", ("b",))
    try:
        connection.execute("SELECT 1/0")
    except psycopg.Error:
        connection.rollback()
    connection.execute("DEALLOCATE ALL")
`;

export const CLIENTS: readonly ClientScript[] = [
  psql(
    'queries',
    'SELECT * FROM orders ORDER BY id',
    'SELECT 1; SELECT 2',
    'SELECT 1/0',
    'SELEC 1',
    "SELECT 'é', NULL, 1.5::numeric",
    'SELECT FROM orders',
    '',
  ),
  psql('\\d', '\\d', '\\d orders', '\\dt', '\\df', '\\dn', '\\l', '\\du'),
  psql('\\copy out', '\\copy orders to stdout', '\\copy (SELECT id FROM orders) to stdout csv header'),
  // \watch ends at the first error; psql 15 knows no other end
  {
    name: 'psql \\watch',
    needs: 'psql',
    run: async (endpoint) => {
      const watching = run('psql', ['-X'], { env: environment(endpoint) });
      watching.child.stdin?.end("SELECT 1 / (3 - nextval('ticks')) \\watch 0.05\n");
      await watching.catch(ignoreExit);
    },
  },
  psql(
    'transactions',
    'BEGIN',
    'INSERT INTO notes (body) VALUES (1)',
    'SAVEPOINT s',
    'SELECT 1/0',
    'ROLLBACK TO s',
    'COMMIT',
    'BEGIN; SELECT 1; ROLLBACK',
  ),
  psql('settings', "SET TimeZone TO 'UTC'", 'SHOW TimeZone', "SET application_name TO 'x'", 'SET search_path TO public', 'RESET ALL', 'DISCARD ALL'),
  psql('notices', "DO $$ BEGIN RAISE NOTICE 'hello'; END $$", 'DROP TABLE IF EXISTS does_not_exist'),
  ...['simple', 'extended', 'prepared'].map(pgbench),
  nodePostgres('queries and parameters', async (client) => {
    await client.query('SELECT id, item FROM orders WHERE id = $1', [1]);
    await client.query({ name: 'by-id', text: 'SELECT id, item FROM orders WHERE id = $1', values: [2] });
    await client.query({ name: 'by-id', text: 'SELECT id, item FROM orders WHERE id = $1', values: [3] });
    await client.query('SELECT 1/$1::int', [0]).catch(ignoreExit);
    await client.query('SELECT $1::bytea', [Buffer.from([0, 1, 2])]);
  }),
  nodePostgres('pipelining', async (client) => {
    await Promise.all([1, 2, 3, 4].map((id) => client.query('SELECT item FROM orders WHERE id = $1', [id])));
  }),
  nodePostgres('cursor', async (client) => {
    const cursor = client.query(new Cursor('SELECT generate_series(1, 25) AS n'));
    while ((await cursor.read(10)).length > 0);
    await cursor.close();
  }),
  {
    name: 'psycopg',
    needs: 'python3',
    run: async (endpoint) => {
      await run(await psycopgPython(), ['-c', PSYCOPG], { env: environment(endpoint) });
    },
  },
];

/** A virtual environment of its own, made once for a user of the machine. */
export async function psycopgPython(): Promise<string> {
  const home = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'interlock', 'psycopg-3.2');
  const python = join(home, 'bin', 'python');
  if (existsSync(join(home, 'ready'))) return python;
  mkdirSync(home, { recursive: true });
  await run('python3', ['-m', 'venv', home]);
  await run(python, ['-m', 'pip', 'install', '-q', 'psycopg[binary]==3.2.*']);
  await run('touch', [join(home, 'ready')]);
  return python;
}

function environment({ host, port, user, password, database }: Endpoint): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGSSLMODE: 'disable',
    PGAPPNAME: 'conformance',
    PGTZ: 'UTC',
  };
}

/** An error that the server answers is part of what is compared. */
function ignoreExit(): void {}
