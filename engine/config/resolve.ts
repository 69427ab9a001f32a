/** A configuration of the right form → the object that everything else receives. */
import { isAbsolute, join, resolve as resolvePath } from 'node:path';
import type { Config, Issuer, Target } from '#schemas/config';
import type { LoadedConfig, ServerTlsFiles, TargetConfig, UpstreamConfig, UpstreamTls, IssuerConfig, IssuerLoginConfig } from './config.ts';
import { resolveAgents } from './agents.ts';
import { resolveHttp } from './http.ts';
import { resolveMcp } from './mcp.ts';
import { resolveNats } from './nats.ts';
import { resolveOperations } from './operations.ts';
import { hostPort } from './address.ts';
import { resolveEnforcer, resolveEngine, roleOf } from './apart.ts';
import { resolveChannel } from './notify.ts';
import { resolveOnCall } from './oncall.ts';
import { resolvePolicies } from './policies.ts';
import { type Absolute, secretSource } from './secret-source.ts';
import { durationMs, sizeBytes } from './units.ts';
import { resolveVault, resolveVaultDatabase } from './vault.ts';

type Resolved = Omit<LoadedConfig, 'places' | 'notices' | 'raw'>;

export function resolveConfig(raw: Config, file: string, dir: string): Resolved {
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolvePath(dir, path));
  const stateDir = absolute(raw.state?.dir ?? '.interlock');
  const inTransaction = raw.approvals?.in_transaction ?? 'fresh';
  return {
    file,
    dir,
    contract: 1,
    role: roleOf(raw),
    engine: resolveEngine(raw.engine),
    enforcer: resolveEnforcer(raw.enforcer, stateDir, absolute),
    stateDir,
    api: {
      listen: hostPort(raw.api?.listen ?? '127.0.0.1:8400'),
      publicUrl: raw.api?.public_url?.replace(/\/+$/, '') ?? null,
      tls: serverTls(raw.api?.tls, absolute),
      readers: raw.api?.readers ?? null,
      admins: raw.api?.admins ?? [],
      evaluators: raw.api?.evaluators ?? null,
    },
    identity: {
      issuers: (raw.identity?.issuers ?? []).map((issuer) => resolveIssuer(issuer, absolute)),
      local: { enabled: raw.identity?.local?.enabled ?? false },
    },
    policies: resolvePolicies(raw.policies, stateDir, absolute),
    vault: resolveVault(raw.vault, absolute),
    targets: Object.fromEntries(
      Object.entries(raw.targets).map(([name, target]) => [name, resolveTarget(name, target, { inTransaction, absolute, stateDir, dir })]),
    ),
    approvals: {
      waitMs: durationMs(raw.approvals?.wait ?? '5m'),
      expireMs: durationMs(raw.approvals?.expire ?? '24h'),
      inTransaction,
      rememberDenialMs: durationMs(raw.approvals?.remember_denial ?? '10m'),
      sources: { oncall: mapped(raw.approvals?.sources?.oncall ?? {}, (calendar) => resolveOnCall(calendar, absolute)) },
      notify: (raw.approvals?.notify ?? []).map((channel, at) => resolveChannel(channel, at, absolute)),
    },
    journal: {
      dir: absolute(raw.journal?.dir ?? join(stateDir, 'journal')),
      segmentBytes: sizeBytes(raw.journal?.segment ?? '64MiB'),
      payloads: raw.journal?.payloads === 'redacted' ? 'redacted' : 'clear',
      checkpoint: {
        everyMs: durationMs(raw.journal?.checkpoint?.every ?? '1s'),
        keyFile: absolute(raw.journal?.checkpoint?.key?.file ?? join(stateDir, 'keys', 'checkpoint')),
      },
    },
    nats: resolveNats(raw.nats, stateDir, absolute),
    runbooksDir: absolute(raw.runbooks?.dir ?? './runbooks'),
    operations: resolveOperations(raw.operations, roleOf(raw), absolute),
    agents: resolveAgents(raw.agents, absolute),
    log: { level: raw.log?.level ?? 'info', format: raw.log?.format ?? 'auto' },
  };
}

function mapped<T, U>(of: Readonly<Record<string, T>>, to: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, to(value)]));
}

function resolveIssuer(issuer: Issuer, absolute: Absolute): IssuerConfig {
  return {
    url: issuer.url,
    audience: issuer.audience,
    jwksUrl: issuer.jwks_url ?? null,
    caFile: issuer.ca === undefined ? null : absolute(issuer.ca),
    algorithms: issuer.algorithms ?? ['RS256', 'ES256'],
    tokenTypes: issuer.token_types ?? ['at+jwt'],
    maxAgeMs: durationMs(issuer.max_age ?? '8h'),
    claims: { login: issuer.claims?.login ?? 'preferred_username', groups: issuer.claims?.groups ?? 'groups' },
    login: issuer.login === undefined ? null : resolveLogin(issuer.login, issuer.url, absolute),
  };
}

function resolveLogin(login: NonNullable<Issuer['login']>, url: string, absolute: Absolute): IssuerLoginConfig {
  const host = URL.canParse(url) ? new URL(url).hostname.replace(/[^a-z0-9.-]/g, '') : 'issuer';
  return {
    name: login.name ?? host,
    clientId: login.client_id,
    clientSecret: login.client_secret === undefined ? null : secretSource(login.client_secret, absolute),
    scopes: login.scopes ?? ['openid', 'profile'],
  };
}

interface Around {
  readonly inTransaction: TargetConfig['inTransaction'];
  readonly absolute: Absolute;
  readonly stateDir: string;
  /** Of the configuration's file. */
  readonly dir: string;
}

function resolveTarget(name: string, target: Target, { inTransaction, absolute, stateDir, dir }: Around): TargetConfig {
  const pinsFile = join(stateDir, 'mcp', name, 'tools.lock.json');
  return {
    name,
    protocol: target.protocol,
    listen: hostPort(target.listen ?? '127.0.0.1:0'),
    tls: serverTls(target.tls, absolute),
    upstream: resolveUpstreamConfig(target, absolute),
    http: target.http === undefined ? null : resolveHttp(target.http, absolute),
    mcp: target.mcp === undefined ? null : resolveMcp(target.mcp, absolute, { pinsFile, dir }),
    env: target.env ?? 'development',
    labels: target.labels ?? {},
    audit: target.audit ?? 'standard',
    judging: target.judging ?? 'local',
    inTransaction: target.approvals?.in_transaction ?? inTransaction,
    limits: {
      connections: target.limits?.connections ?? 200,
      statementBytes: sizeBytes(target.limits?.statement_bytes ?? '1MiB'),
      idleMs: durationMs(target.limits?.idle ?? '15m'),
    },
  };
}

function resolveUpstreamConfig(target: Target, absolute: Absolute): UpstreamConfig {
  const { url, host = '', port = 5432, databases, tls } = target.upstream ?? {};
  if (url !== undefined)
    return {
      kind: 'url',
      url: secretSource(url, absolute),
      databases: databases ?? null,
      tls: tls === undefined ? null : upstreamTls(tls, absolute),
    };
  return {
    kind: 'fields',
    host,
    port,
    databases: databases ?? [],
    tls: upstreamTls(tls ?? {}, absolute),
    user: target.credential?.user ?? '',
    password: target.credential?.vault === undefined ? secretSource(target.credential?.password ?? {}, absolute) : null,
    vault: resolveVaultDatabase(target.credential?.vault),
  };
}

function upstreamTls(tls: { mode?: 'verify-full' | 'off'; ca?: string }, absolute: Absolute): UpstreamTls {
  return tls.mode === 'off' ? { mode: 'off' } : { mode: 'verify-full', caFile: tls.ca === undefined ? null : absolute(tls.ca) };
}

function serverTls(tls: Target['tls'], absolute: Absolute): ServerTlsFiles | null {
  if (tls === undefined || tls === 'off') return null;
  return { certFile: absolute(tls.cert), keyFile: absolute(tls.key), caFile: tls.ca === undefined ? null : absolute(tls.ca) };
}
