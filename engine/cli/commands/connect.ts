import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from 'commander';
import { InterlockError } from '#schemas/errors';
import type { LoadedConfig, TargetConfig } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { described, runs, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { firstDatabase, loginOf, reach, rootCert, targetOf } from '../door.ts';
import { readTokenFile } from '../token-file.ts';

interface Options extends Common {
  readonly tokenFile: string;
  readonly login?: string;
  readonly database?: string;
  readonly host?: string;
}

/** What a client needs, without the token: that goes through a file or the environment, never through argv. */
interface Connection {
  readonly url: string;
  readonly psql: string;
  readonly jdbc: string;
  readonly host: string;
  readonly port: number;
  /** null: the roots of the client's system, or no TLS. */
  readonly sslrootcert: string | null;
}

export function connectCommand(): Command {
  return described({
    name: 'connect',
    summary: 'how to reach a target through the gateway; with a client behind `--`, starts it with the token in its environment',
    examples: [
      ['interlock connect shop --token-file alice.token', 'lines for psql, JDBC and others'],
      ['interlock connect shop --token-file alice.token -- psql', 'an interactive psql'],
      ['interlock connect shop --token-file alice.token -- psql -c "SELECT 1"', 'one statement'],
    ],
  })
    .argument('<target>')
    .argument('[client...]', 'a client and its arguments, behind `--`')
    .requiredOption('--token-file <file>', 'file with your token')
    .option('--login <login>', 'your login, where the token is not a JWT')
    .option('--database <name>', 'default: the first one of the target')
    .option('--host <host>', 'the gateway’s name as you reach it, where that is not what it listens on')
    .action(runs(connect));
}

const connect = async (output: Printing, options: Options, [name = '', ...client]: readonly string[]): Promise<number> => {
  const config = await loadConfig(options.config);
  const target = targetOf(config, name);
  const token = await readTokenFile(options.tokenFile);
  if (target.protocol !== 'postgresql') return await connectService(output, config, target, options);
  const where = {
    ...(await reach(config, target, options.host)),
    login: options.login ?? loginOf(token, config),
    database: options.database ?? (await firstDatabase(config, target)),
    tls: target.tls !== null,
    sslrootcert: await rootCert(target),
  };
  if (client.length > 0) return await start(client, environment(where, token));
  const shown = connection(where, options.tokenFile);
  output.document(shown, () => [
    `psql         ${escapeText(shown.psql)}`,
    `url          ${escapeText(shown.url)}`,
    `jdbc         ${escapeText(shown.jdbc)}`,
    `password     the token in ${escapeText(options.tokenFile)}`,
    ...(shown.sslrootcert === null ? [] : [`sslrootcert  ${escapeText(shown.sslrootcert)}`]),
  ]);
  return 0;
};

/** An API or an MCP server: its address, and how the token goes along. */
async function connectService(output: Printing, config: LoadedConfig, target: TargetConfig, options: Options): Promise<number> {
  const { host, port } = await reach(config, target, options.host);
  const cacert = await rootCert(target);
  const base = `${target.tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const url = target.protocol === 'mcp' ? `${base}/mcp/${target.name}` : base;
  const trusted = cacert === null ? '' : ` --cacert ${quoted(cacert)}`;
  const curl = `curl${trusted} -H "Authorization: Bearer $(cat ${quoted(options.tokenFile)})" ${url}${target.protocol === 'http' ? '/…' : ''}`;
  output.document({ url, host, port, cacert, curl }, () => [
    `url    ${escapeText(url)}`,
    target.protocol === 'mcp' ? `token  Authorization: Bearer, the token in ${escapeText(options.tokenFile)}` : `curl   ${escapeText(curl)}`,
    ...(cacert === null ? [] : [`cacert ${escapeText(cacert)}`]),
  ]);
  return 0;
}

interface Printing {
  document(value: unknown, text: () => readonly string[]): void;
}

interface Where {
  readonly host: string;
  readonly port: number;
  readonly login: string;
  readonly database: string;
  readonly tls: boolean;
  readonly sslrootcert: string | null;
}

function connection({ host, port, login, database, tls, sslrootcert }: Where, tokenFile: string): Connection {
  const parameters = new URLSearchParams(tls ? { sslmode: 'verify-full', sslrootcert: sslrootcert ?? 'system' } : { sslmode: 'disable' });
  const at = `${host.includes(':') ? `[${host}]` : host}:${port}/${encodeURIComponent(database)}`;
  const url = `postgresql://${encodeURIComponent(login)}@${at}?${parameters.toString()}`;
  const ofJdbc = new URLSearchParams({ user: login, sslmode: tls ? 'verify-full' : 'disable', ...(sslrootcert === null ? {} : { sslrootcert }) });
  return {
    url,
    psql: `PGPASSWORD="$(cat ${quoted(tokenFile)})" psql ${quoted(url)}`,
    jdbc: `jdbc:postgresql://${at}?${ofJdbc.toString()}`,
    host,
    port,
    sslrootcert,
  };
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return /^[\w./@:-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

const KEPT = ['PGCLIENTENCODING', 'PGTZ', 'PGDATESTYLE', 'PGAPPNAME', 'PGCONNECT_TIMEOUT'];

/** libpq's own variables (https://www.postgresql.org/docs/17/libpq-envars.html); inherited ones could send the token elsewhere. */
function environment({ host, port, login, database, tls, sslrootcert }: Where, token: string): NodeJS.ProcessEnv {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('PG') || KEPT.includes(name)));
  const secured = tls ? { PGSSLMODE: 'verify-full', PGSSLROOTCERT: sslrootcert ?? 'system' } : { PGSSLMODE: 'disable' };
  // node-postgres has no PGSSLROOTCERT; one that was inherited is of other authorities
  const node = sslrootcert === null ? {} : { NODE_EXTRA_CA_CERTS: sslrootcert };
  return {
    ...inherited,
    ...node,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: login,
    PGDATABASE: database,
    PGPASSWORD: token,
    PGGSSENCMODE: 'disable',
    ...secured,
  };
}

/** The client owns the terminal until it ends; its exit code is ours. */
async function start([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit', env });
  const leave = (): void => {}; // the terminal sends Ctrl-C to both: the client decides what it means
  const pass = (signal: NodeJS.Signals): boolean => child.kill(signal);
  process.on('SIGINT', leave);
  for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.on(signal, pass);
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
    return code ?? (signal === 'SIGINT' ? 130 : 143);
  } catch (error) {
    throw new InterlockError('TOOL_MISSING', `${program} cannot be started (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, {
      cause: error,
      hint: `Install ${program}, or connect with the lines that \`interlock connect\` prints without \`--\`.`,
    });
  } finally {
    process.off('SIGINT', leave);
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) process.off(signal, pass);
  }
}
