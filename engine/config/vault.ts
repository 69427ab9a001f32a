/** Section `vault`, resolved and checked, and who may refer to it. */
import type { Config } from '#schemas/config';
import type { Vault, VaultAuth, VaultDatabase } from '#schemas/config-vault';
import type { VaultAuthConfig, VaultConfig, VaultDatabaseConfig } from './config.ts';
import type { Findings } from './places.ts';
import { type Absolute, secretSource } from './secret-source.ts';
import { staysHere } from './stays-here.ts';
import { durationMs } from './units.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount/token';

export function resolveVault(raw: Vault | undefined, absolute: Absolute): VaultConfig | null {
  if (raw === undefined) return null;
  return {
    address: raw.address.replace(/\/+$/, ''),
    namespace: raw.namespace ?? null,
    caFile: raw.ca === undefined ? null : absolute(raw.ca),
    timeoutMs: durationMs(raw.timeout ?? '5s'),
    auth: resolveAuth(raw.auth, absolute),
  };
}

function resolveAuth({ token, approle, kubernetes }: VaultAuth, absolute: Absolute): VaultAuthConfig {
  if (approle !== undefined) {
    const { role_id: roleId, secret_id: secretId, mount = 'approle' } = approle;
    const secret = secretId === undefined ? null : secretSource(secretId, absolute);
    return { kind: 'approle', mount, roleId: secretSource(roleId, absolute), secretId: secret };
  }
  if (kubernetes !== undefined) {
    const { role, jwt, mount = 'kubernetes' } = kubernetes;
    return { kind: 'kubernetes', mount, role, jwtFile: jwt === undefined ? SERVICE_ACCOUNT : absolute(jwt) };
  }
  return { kind: 'token', token: secretSource(token ?? {}, absolute) };
}

export function resolveVaultDatabase(raw: VaultDatabase | undefined): VaultDatabaseConfig | null {
  return raw === undefined ? null : { mount: raw.mount ?? 'database', role: raw.role, kind: raw.kind ?? 'dynamic' };
}

/** Vault gives what signs in at targets, and nothing else: whatever a gateway needs to start must not wait for it. */
export function checkVault(raw: Config, findings: Findings): void {
  checkAddress(raw.vault, findings);
  for (const path of references(raw, ''))
    if (!OF_TARGETS.test(path)) findings.addAt(path, 'Vault is asked for what signs in at targets alone; use `file`, `env` or `exec`');
  for (const [name, { upstream, credential }] of Object.entries(raw.targets)) {
    const at = `targets.${name}`;
    if (raw.vault === undefined)
      for (const [path, refers] of [
        [`${at}.upstream.url.vault`, upstream?.url?.vault],
        [`${at}.credential.password.vault`, credential?.password?.vault],
        [`${at}.credential.vault`, credential?.vault],
      ] as const)
        if (refers !== undefined) findings.addAt(path, 'refers to Vault; say where that is in a section `vault`');
    if (credential === undefined) continue;
    const own = credential.user !== undefined || credential.password !== undefined;
    if (credential.vault !== undefined && own)
      findings.addAt(`${at}.credential.vault`, 'stands beside `user` or `password`, which it brings; allowed: one of them');
    if (credential.vault === undefined && (credential.user === undefined || credential.password === undefined))
      findings.addAt(`${at}.credential`, '`user` and `password` missing, or `vault`');
  }
}

const OF_TARGETS = /^targets\.[^.]+\.(upstream\.url|credential\.password)\.vault$/;

/** Every key-value secret that is referred to. */
function references(value: unknown, at: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, child]: [string, unknown]) => {
    const path = at === '' ? key : Array.isArray(value) ? `${at}[${key}]` : `${at}.${key}`;
    return key === 'vault' && isReference(child) ? [path] : references(child, path);
  });
}

/** A target, or a label, may be called so, too. */
function isReference(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'path' in value && 'field' in value;
}

function checkAddress(vault: Vault | undefined, findings: Findings): void {
  if (vault === undefined) return;
  const url = URL.canParse(vault.address) ? new URL(vault.address) : null;
  if (url === null || url.search !== '' || url.hash !== '') findings.addAt('vault.address', 'is not an address; allowed: `https://HOST:PORT`');
  else if (url.username !== '' || url.password !== '') findings.addAt('vault.address', 'contains a credential; allowed: an address without one');
  else if (url.protocol === 'http:' && !staysHere(url.hostname.replace(/^\[|\]$/g, '')))
    findings.addAt('vault.address', 'would carry secrets without TLS; allowed: https:// (http:// on loopback only)');
}
