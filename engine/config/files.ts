import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { InterlockError } from '#schemas/errors';
import { whereIs, type LoadedConfig, type SecretSource, type ServerTlsFiles } from './config.ts';

/**
 * Whether everything that the configuration points to is there and readable: called before a gateway starts, not by commands that need less.
 * @throws InterlockError CONFIG_INVALID with a line for each thing that is missing.
 */
export async function checkFiles(config: LoadedConfig): Promise<void> {
  const wanted = [
    ...(config.role === 'enforcer' ? trustedFiles(config) : policyFiles(config)),
    ...traceFiles(config),
    ...vaultFiles(config),
    ...tlsFiles('api.tls', config.api.tls),
    ...Object.values(config.targets).flatMap((target) => [
      ...(config.role === 'engine' ? [] : tlsFiles(`targets.${target.name}.tls`, target.tls)),
      ...upstreamFiles(config, target.name),
    ]),
    ...config.identity.issuers.flatMap(({ caFile }, index) =>
      caFile === null ? [] : [{ path: `identity.issuers[${index}].ca`, file: caFile, folder: false }],
    ),
  ];
  const troubles = (await Promise.all(wanted.map(async ({ path, file, folder }) => await trouble(whereIs(config, path), file, folder)))).filter(
    (line) => line !== null,
  );
  for (const { path, source } of secrets(config))
    if (source.kind === 'env' && process.env[source.name] === undefined)
      troubles.push(`${whereIs(config, path)}: the environment variable ${source.name} is not set`);
  if (troubles.length > 0) throw new InterlockError('CONFIG_INVALID', troubles.join('\n'));
}

interface Wanted {
  readonly path: string;
  readonly file: string;
  readonly folder: boolean;
}

function trustedFiles({ enforcer }: LoadedConfig): readonly Wanted[] {
  return (enforcer?.trusted ?? []).map((file, index) => ({ path: `enforcer.trusted[${index}]`, file, folder: false }));
}

function policyFiles({ policies }: LoadedConfig): readonly Wanted[] {
  const { bundle, dir, data, signing } = policies;
  return [
    bundle === null ? { path: 'policies.source.dir', file: dir, folder: true } : { path: 'policies.source.bundle', file: bundle, folder: false },
    ...data.map((file, index) => ({ path: `policies.data[${index}]`, file, folder: false })),
    ...signing.trusted.map((file, index) => ({ path: `policies.signing.trusted[${index}]`, file, folder: false })),
  ];
}

function vaultFiles({ vault, role }: LoadedConfig): readonly Wanted[] {
  if (vault === null || role === 'enforcer') return [];
  const { caFile, auth } = vault;
  const sources = auth.kind === 'token' ? [['token', auth.token] as const] : [];
  const approle = auth.kind === 'approle' ? [['approle.role_id', auth.roleId] as const, ['approle.secret_id', auth.secretId] as const] : [];
  const files = [...sources, ...approle].flatMap(([key, source]) =>
    source?.kind === 'file' ? [{ path: `vault.auth.${key}`, file: source.path, folder: false }] : [],
  );
  const jwt = auth.kind === 'kubernetes' ? [{ path: 'vault.auth.kubernetes.jwt', file: auth.jwtFile, folder: false }] : [];
  return [...files, ...jwt, ...(caFile === null ? [] : [{ path: 'vault.ca', file: caFile, folder: false }])];
}

function traceFiles({ operations }: LoadedConfig): readonly Wanted[] {
  const file = operations.traces?.caFile ?? null;
  return file === null ? [] : [{ path: 'operations.traces.ca', file, folder: false }];
}

function tlsFiles(path: string, tls: ServerTlsFiles | null): readonly Wanted[] {
  if (tls === null) return [];
  const files = [
    { path: `${path}.cert`, file: tls.certFile, folder: false },
    { path: `${path}.key`, file: tls.keyFile, folder: false },
  ];
  return tls.caFile === null ? files : [...files, { path: `${path}.ca`, file: tls.caFile, folder: false }];
}

function upstreamFiles(config: LoadedConfig, name: string): readonly Wanted[] {
  const upstream = config.targets[name]?.upstream;
  const ca = config.role !== 'engine' && upstream?.tls?.mode === 'verify-full' ? upstream.tls.caFile : null;
  const files = ca === null ? [] : [{ path: `targets.${name}.upstream.tls.ca`, file: ca, folder: false }];
  return [
    ...files,
    ...secrets(config).flatMap(({ path, source }) =>
      source.kind === 'file' && path.startsWith(`targets.${name}.`) ? [{ path, file: source.path, folder: false }] : [],
    ),
  ];
}

function secrets(config: LoadedConfig): readonly { readonly path: string; readonly source: SecretSource }[] {
  if (config.role === 'enforcer') return []; // the engine leases
  return Object.values(config.targets).flatMap(({ name, protocol, upstream, http, mcp }) => {
    const credential = (http ?? mcp)?.credential ?? null;
    if (protocol !== 'postgresql')
      return credential === null ? [] : [{ path: `targets.${name}.${protocol}.credential.${credential.path}`, source: credential.secret }];
    if (upstream.kind === 'url') return [{ path: `targets.${name}.upstream.url`, source: upstream.url }];
    return upstream.password === null ? [] : [{ path: `targets.${name}.credential.password`, source: upstream.password }];
  });
}

async function trouble(where: string, file: string, folder: boolean): Promise<string | null> {
  try {
    const isFolder = (await stat(file)).isDirectory();
    if (isFolder !== folder) return `${where}: ${file} is ${isFolder ? 'a folder' : 'a file'}; allowed: a ${folder ? 'folder' : 'file'}`;
    await access(file, folder ? constants.R_OK | constants.X_OK : constants.R_OK);
    return null;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return `${where}: ${file} ${code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'unknown'})`}`;
  }
}
