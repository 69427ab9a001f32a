/** Credentials of targets, plugged together: what the configuration refers to, Vault where it is one, and the leases. */
import type { Clock } from '#client/clock';
import type { Ids } from '#client/ids';
import { InterlockError } from '#schemas/errors';
import type { Live } from './base.ts';
import type { SecretSource, TargetConfig, VaultAuthConfig, VaultConfig } from './config/config.ts';
import { readSecret } from './config/secret.ts';
import { resolveUpstream, type ReadSecret, type Upstream } from './config/upstream.ts';
import { openCredentials, type CredentialDesk } from './credentials/credentials.ts';
import { hidingTheNewest, type SecretLog } from './credentials/secret-log.ts';
import { type CredentialSource, readSource } from './credentials/source.ts';
import type { VaultAuth } from './credentials/vault/login.ts';
import { Vault } from './credentials/vault/vault.ts';

export type Upstreams = Readonly<Record<string, Upstream>>;

export interface Leasing {
  readonly desk: CredentialDesk;
  /** Where the targets are. @throws InterlockError CREDENTIAL_UNAVAILABLE, CONFIG_INVALID */
  upstreams(): Promise<Upstreams>;
  /** Where this one is; its user and password, unless they are leased for each session. */
  upstream(target: TargetConfig): Promise<Upstream>;
  /** What was made for sessions of this process is revoked. */
  close(): Promise<void>;
}

export interface LeasingParts {
  readonly live: Live;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: SecretLog;
}

export function openLeasing({ live, clock, ids, log }: LeasingParts): Leasing {
  const { config } = live;
  const vault = config.vault === null ? null : openVault(config.vault, { clock, log });
  const read: ReadSecret = (source) => (source.kind === 'vault' ? vaultOf(vault).secret(source) : readSecret(source));
  // looked up for each lease: a changed reference counts from the next session on
  const targetOf = (name: string): TargetConfig | undefined => (Object.hasOwn(live.config.targets, name) ? live.config.targets[name] : undefined);
  const desk = openCredentials({
    sourceOf: (name) => {
      const target = targetOf(name);
      if (target === undefined) return null;
      if (target.protocol !== 'postgresql') return serviceSource(target, read, log);
      return sourceOf(target, vault, () => resolveUpstream(config, target, read));
    },
    clock,
    ids,
    log,
  });
  return {
    desk,
    upstream: (target) => resolveUpstream(config, target, read),
    upstreams: async () => {
      const databases = Object.values(config.targets).filter(({ protocol }) => protocol === 'postgresql');
      const entries = databases.map(async (target) => {
        const upstream = await resolveUpstream(config, target, read);
        log.hide(upstream.password);
        if (upstream.notice !== null) log.warn({ target: target.name }, upstream.notice);
        return [target.name, upstream] as const;
      });
      return Object.fromEntries(await Promise.all(entries));
    },
    close: async () => {
      await desk.close();
      vault?.close();
    },
  };
}

function sourceOf({ upstream }: TargetConfig, vault: Vault | null, resolve: () => Promise<Upstream>): CredentialSource {
  if (upstream.kind === 'fields' && upstream.vault !== null) return vaultOf(vault).database(upstream.vault);
  return readSource(async () => {
    const { user, password } = await resolve();
    return { user, password };
  });
}

/** A service that asks for no credential has a lease all the same: its session has what to name. */
function serviceSource({ http, mcp }: TargetConfig, read: ReadSecret, log: SecretLog): CredentialSource {
  const credential = (http ?? mcp)?.credential ?? null;
  if (credential === null) return readSource(() => Promise.resolve({ user: '', password: '', scheme: { kind: 'none' } }));
  const { user, scheme, secret } = credential;
  return readSource(async () => {
    const password = await read(secret);
    log.hide(password);
    return { user, password, scheme };
  });
}

function openVault({ auth, ...address }: VaultConfig, parts: { readonly clock: Clock; readonly log: SecretLog }): Vault {
  return new Vault({ ...address, ...parts, auth: authOf(auth, parts.log) });
}

/** Read from their references each time: what was exchanged meanwhile counts. */
function authOf(auth: VaultAuthConfig, log: SecretLog): VaultAuth {
  const reading = (source: SecretSource): (() => Promise<string>) => {
    const hide = hidingTheNewest(log);
    return async () => {
      const secret = await readSecret(source);
      hide(secret);
      return secret;
    };
  };
  switch (auth.kind) {
    case 'token':
      return { kind: 'token', token: reading(auth.token) };
    case 'approle':
      return { ...auth, roleId: reading(auth.roleId), secretId: auth.secretId === null ? null : reading(auth.secretId) };
    case 'kubernetes':
      return { kind: 'kubernetes', mount: auth.mount, role: auth.role, jwt: reading({ kind: 'file', path: auth.jwtFile }) };
  }
}

/** The configuration was checked: whatever refers to Vault stands beside a section `vault`. */
function vaultOf(vault: Vault | null): Vault {
  if (vault === null) throw new InterlockError('CREDENTIAL_UNAVAILABLE', 'section `vault` is missing');
  return vault;
}
