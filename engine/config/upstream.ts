import { resolve } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { whereIs, type LoadedConfig, type SecretSource, type TargetConfig, type UpstreamTls } from './config.ts';
import { staysHere } from './stays-here.ts';
import { describeSecret, readSecret } from './secret.ts';

/** Where a target is and how the gateway signs in there. Holds a secret: never logged, never in an event. */
export interface Upstream {
  /** A name, an address, or the folder of a unix socket (begins with `/`). */
  readonly host: string;
  readonly port: number;
  /** Databases that clients may name; the first one is the default. */
  readonly databases: readonly string[];
  readonly tls: UpstreamTls;
  readonly user: string;
  /** Empty, as the user: both are leased of Vault's database engine. */
  readonly password: string;
  /** To be said at start, or null. */
  readonly notice: string | null;
}

/** `readSecret`, or what also asks Vault. */
export type ReadSecret = (source: SecretSource) => Promise<string>;

/**
 * Reads the references of one target.
 * @throws InterlockError CREDENTIAL_UNAVAILABLE when a reference cannot be read; CONFIG_INVALID when what it names is not an address
 * that may be used. Neither repeats the value.
 */
export async function resolveUpstream(config: LoadedConfig, target: TargetConfig, read: ReadSecret = readSecret): Promise<Upstream> {
  const { upstream } = target;
  if (upstream.kind === 'fields') {
    const { host, port, databases, tls, user, password } = upstream;
    return { host, port, databases, tls, user, password: password === null ? '' : await read(password), notice: null };
  }
  const at = `${whereIs(config, `targets.${target.name}.upstream.url`)} (${describeSecret(upstream.url)})`;
  const parsed = parseUrl(await read(upstream.url), at);
  const tls = upstream.tls ?? inFolder(parsed.tls, config.dir);
  if (tls.mode === 'off' && !staysHere(parsed.host)) throw invalid(at, `would leave TLS off towards ${parsed.host}; allowed: sslmode=verify-full`);
  const notice = tls.mode === 'off' ? `targets.${target.name}: TLS to the target is off, accepted because ${parsed.host} is local` : null;
  return { ...parsed, databases: upstream.databases ?? [parsed.database], tls, notice };
}

/** Relative paths are relative to the configuration, wherever they are written. */
function inFolder(tls: UpstreamTls, dir: string): UpstreamTls {
  return tls.mode === 'verify-full' && tls.caFile !== null ? { mode: tls.mode, caFile: resolve(dir, tls.caFile) } : tls;
}

interface ParsedUrl {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: UpstreamTls;
}

const PARAMETERS = ['sslmode', 'sslrootcert', 'host', 'port', 'dbname', 'user', 'password', 'application_name', 'connect_timeout'];

/** `postgresql://user:password@host:port/database?sslmode=…` as libpq reads it: https://www.postgresql.org/docs/17/libpq-connect.html#LIBPQ-CONNSTRING-URIS */
function parseUrl(text: string, at: string): ParsedUrl {
  const url = /^postgres(ql)?:\/\//.test(text) && URL.canParse(text) ? new URL(text) : null;
  if (url === null) throw invalid(at, 'is not a postgresql:// address');
  const given = url.searchParams;
  for (const name of given.keys()) if (!PARAMETERS.includes(name)) throw invalid(at, parameterTrouble(name));
  const user = decode(url.username, at) || given.get('user') || '';
  const password = decode(url.password, at) || given.get('password') || '';
  const host = decode(url.hostname.replace(/^\[|\]$/g, ''), at) || given.get('host') || '';
  const port = Number(url.port || given.get('port') || 5432);
  if (host === '' || host.includes(',')) throw invalid(at, 'must name one host');
  if (user === '' || password === '') throw invalid(at, 'must name user and password: the gateway’s own account on the target');
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid(at, 'has a port outside 1 to 65535');
  const database = decode(url.pathname.slice(1), at) || given.get('dbname') || user;
  return { host, port, database, user, password, tls: tlsOf(given.get('sslmode'), given.get('sslrootcert'), host, at) };
}

const IGNORED = [
  'options',
  'sslcert',
  'sslkey',
  'sslcrl',
  'sslpassword',
  'channel_binding',
  'gssencmode',
  'target_session_attrs',
  'service',
  'passfile',
  'hostaddr',
  'client_encoding',
  'keepalives',
  'replication',
];

/** Only a name that libpq knows is repeated: what stands behind a `?` could be the rest of a password. */
function parameterTrouble(name: string): string {
  const what = IGNORED.includes(name) ? `has the parameter \`${name}\`` : 'has a parameter that is not known (in a password, `?` is written %3F)';
  return `${what}; allowed: ${PARAMETERS.join(', ')}`;
}

function decode(text: string, at: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(at, 'has a `%` that is not followed by two hexadecimal digits'); // the cause would repeat the text
  }
}

/** What does not check who answers is as good as nothing, so it is refused rather than raised or lowered silently. */
function tlsOf(mode: string | null, rootCert: string | null, host: string, at: string): UpstreamTls {
  const chosen = mode ?? (staysHere(host) ? 'disable' : 'verify-full');
  if (chosen === 'disable') return { mode: 'off' };
  if (chosen === 'verify-full') return { mode: 'verify-full', caFile: rootCert === 'system' ? null : rootCert };
  if (staysHere(host) && (chosen === 'prefer' || chosen === 'allow')) return { mode: 'off' };
  throw invalid(
    at,
    `has sslmode=${chosen.slice(0, 20)}, which does not check who answers; allowed: verify-full (with sslrootcert=FILE for an authority of your own)`,
  );
}

function invalid(at: string, why: string): InterlockError {
  return new InterlockError('CONFIG_INVALID', `${at}: ${why}`);
}
