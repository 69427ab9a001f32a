/** `interlock nats`: the archive's server, streams and identities. */
import { Command, Option } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import type { LoadedConfig, NatsConfig } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import type { Role } from '../../nats/permissions.ts';
import type { ServerFiles, ServerPlan } from '../../nats/server-config.ts';
import { described, list, runs, type Common } from '../command.ts';
import type { Output } from '../output.ts';

interface SetupOptions extends Common {
  readonly printConfig?: boolean;
  readonly identity?: readonly string[];
  readonly systemKey?: readonly string[];
  readonly serverName: string;
  readonly listen?: string;
  readonly storeDir: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly clusterName: string;
  readonly clusterListen?: string;
  readonly route?: readonly string[];
  readonly timeout: string;
}

interface IdentityOptions extends Common {
  readonly role: Role;
  readonly name?: string;
}

export function natsCommand(): Command {
  const identity = described({
    name: 'identity',
    summary: 'this process’ nkey, made when there is none, and its journal’s id: what `nats setup --identity` reads; nothing secret',
    examples: [
      ['interlock nats identity -c shop.yaml --role enforcer --name shop-1 --json > shop-1.json', 'beside the target'],
      ['interlock nats identity -c setup.yaml --role setup --json > setup.json', 'the identity that makes the streams'],
    ],
  })
    .addOption(new Option('--role <role>', 'what it will be allowed').choices(['enforcer', 'engine', 'auditor', 'setup']).default('enforcer'))
    .option('--name <name>', 'what the configuration calls it; else its role')
    .action(runs(tellIdentity));
  const setup = described({
    name: 'setup',
    summary: 'makes the streams of the archive that are missing and compares those that are there; exit 1 when one differs',
    examples: [
      ['interlock nats setup -c setup.yaml', 'as the identity with the role setup; changes nothing that exists'],
      [
        'interlock nats setup --print-config --identity setup.json --identity engine.json --identity shop-1.json > nats.conf',
        'the server’s configuration',
      ],
    ],
  })
    .option('--print-config', 'the configuration of a nats-server on stdout: accounts, keys, allow-lists; reaches no server')
    .option('--identity <file>', 'what `nats identity --json` printed; as often as there are identities', list)
    .option('--system-key <key>', 'public nkey of who may see the server from inside ($SYS)', list)
    .option('--server-name <name>', 'of the printed server', 'nats-1')
    .option('--listen <address>', 'of the printed server; else the first of `nats.servers`')
    .option('--store-dir <dir>', 'where the printed server keeps the streams', '/var/lib/nats')
    .option('--tls-cert <file>', 'the printed server’s certificate, PEM; with --tls-key and --tls-ca')
    .option('--tls-key <file>', 'its private key, PEM')
    .option('--tls-ca <file>', 'the authority of its clients and of the other nodes, PEM')
    .option('--cluster-name <name>', 'of the printed server’s cluster', 'interlock')
    .option('--cluster-listen <address>', 'where the printed server meets the other nodes; with --route')
    .option('--route <address>', 'another node of the cluster; as often as there are others', list)
    .option('--timeout <seconds>', 'how long to wait for a server', '10')
    .action(runs(setUp));
  return new Command('nats').description('the archive over NATS JetStream: setup, identity').addCommand(setup).addCommand(identity);
}

async function tellIdentity(output: Output, { config: file, role, name = role }: IdentityOptions): Promise<number> {
  const config = await loadConfig(file);
  const { credentials } = requireNats(config);
  const { journalIdIn } = await import('../../journal/journal-id.ts');
  const { ownIdentity } = await import('../../nats/own-identity.ts');
  const { readIdentity } = await import('../../nats/identity.ts');
  const { readSecret } = await import('../../config/secret.ts');
  const publicKey = credentials.kind === 'file' ? ownIdentity(credentials.path).publicKey : readIdentity(await readSecret(credentials)).publicKey;
  const journals = role === 'enforcer' || role === 'engine' ? [journalIdIn(config.journal.dir)] : [];
  output.document({ role, name, public_key: publicKey, journals }, () => [
    `${role} ${name}`,
    `key ${publicKey}`,
    ...journals.map((id) => `journal ${id}`),
  ]);
  return EXIT.ok;
}

async function setUp(output: Output, options: SetupOptions): Promise<number> {
  const config = await loadConfig(options.config);
  return options.printConfig === true ? await printConfig(output, config, options) : await setUpNow(output, config, options);
}

async function printConfig(output: Output, config: LoadedConfig, options: SetupOptions): Promise<number> {
  const nats = requireNats(config);
  const { serverConfig } = await import('../../nats/server-config.ts');
  const { readIdentityDocument } = await import('../../nats/identity-document.ts');
  const grants = (options.identity ?? []).map(readIdentityDocument);
  if (!grants.some(({ role }) => role === 'setup'))
    throw new InterlockError('USAGE', 'none of the identities has the role setup: nobody could make the streams', {
      hint: 'interlock nats identity --role setup',
    });
  const text = serverConfig(planOf(nats, options, grants));
  output.document({ config: text }, () => text.trimEnd().split('\n'));
  return EXIT.ok;
}

function planOf(nats: NatsConfig, options: SetupOptions, grants: ServerPlan['grants']): ServerPlan {
  const tls = filesOf(options);
  const [first = ''] = nats.servers;
  const encrypted = nats.tls !== null;
  if (encrypted && tls === null) throw new InterlockError('USAGE', '`nats.servers` are reached by TLS: name --tls-cert, --tls-key and --tls-ca');
  const { clusterListen, route = [] } = options;
  if ((clusterListen === undefined) !== (route.length === 0)) throw new InterlockError('USAGE', '--cluster-listen and --route belong together');
  if (nats.replicas === 3 && clusterListen === undefined)
    throw new InterlockError('USAGE', '`nats.replicas` is 3: name --cluster-listen, and a --route for each other node');
  return {
    name: options.serverName,
    listen: options.listen ?? first.replace(/^[a-z]+:\/\//, ''),
    storeDir: options.storeDir,
    tls,
    cluster: clusterListen === undefined ? null : { name: options.clusterName, listen: clusterListen, routes: route.map(withScheme), tls },
    system: options.systemKey ?? [],
    grants,
    streams: nats.streams,
  };
}

function filesOf({ tlsCert: cert, tlsKey: key, tlsCa: ca }: SetupOptions): ServerFiles | null {
  if (cert === undefined && key === undefined && ca === undefined) return null;
  if (cert === undefined || key === undefined || ca === undefined)
    throw new InterlockError('USAGE', '--tls-cert, --tls-key and --tls-ca belong together');
  return { cert, key, ca };
}

function withScheme(route: string): string {
  return route.includes('://') ? route : `nats-route://${route}`;
}

async function setUpNow(output: Output, config: LoadedConfig, { timeout }: SetupOptions): Promise<number> {
  const nats = requireNats(config);
  const ms = Number(timeout) * 1000;
  if (!(ms > 0 && ms <= 600_000)) throw new InterlockError('USAGE', '--timeout takes seconds, at most 600');
  const [{ natsSettings }, { openNats }, { setUpStreams }, { openLog }, { systemClock }] = await Promise.all([
    import('../../archiving.ts'),
    import('../../nats/connection.ts'),
    import('../../nats/setup.ts'),
    import('../../config/log.ts'),
    import('#client/clock'),
  ]);
  const log = openLog({ level: 'error', format: 'json', secrets: [] });
  await using link = openNats(natsSettings(nats, log), { identity: 'setup', log, clock: systemClock });
  const reached = Promise.race([link.connection().then(() => true), new Promise<false>((resolve) => setTimeout(() => resolve(false), ms).unref())]);
  if (!(await reached))
    throw new InterlockError('NOT_REACHABLE', `no NATS server answers: ${link.status().error ?? ''}`, {
      hint: 'Start nats-server; `nats.servers` and `nats.tls` say where it is looked for.',
    });
  const reports = await setUpStreams(link);
  const same = reports.every(({ state }) => state !== 'different');
  output.document({ ok: same, streams: reports }, () =>
    reports.flatMap(({ stream, state, differences }) => [`${stream}: ${state}`, ...differences.map((difference) => `  ${difference}`)]),
  );
  return same ? EXIT.ok : EXIT.no;
}

function requireNats({ nats, file }: LoadedConfig): NatsConfig {
  if (nats === null) throw new InterlockError('CONFIG_INVALID', `${file} has no section \`nats\``);
  return nats;
}
