/** The configuration as everything else receives it: checked, defaults filled in, paths absolute, units in the names. */
import type { Config, NotifyAbout } from '#schemas/config';
import type { MetricsReaders } from '#schemas/config-operations';
import type { AgentsConfig } from './agents.ts';
import type { HttpTargetConfig } from './http.ts';
import type { McpTargetConfig } from './mcp.ts';
import type { Places } from './places.ts';
import type { SecretSource } from './secret-kinds.ts';

export type { SecretSource, VaultSecretRef } from './secret-kinds.ts';

export interface LoadedConfig {
  /** As it was named on the command line. */
  readonly file: string;
  /** Absolute; what relative paths were resolved against. */
  readonly dir: string;
  /** `targets.shop.listen` → where it stands, so that later trouble (a port that is taken) can still name the line: see `whereIs`. */
  readonly places: Places;
  /** As it stands in the file: what is compared when it is read again. It holds references to secrets, never one. */
  readonly raw: Config;
  readonly contract: 1;
  readonly role: Role;
  /** null: this file is for another process. */
  readonly engine: EngineConfig | null;
  readonly enforcer: EnforcerConfig | null;
  readonly stateDir: string;
  readonly api: ApiConfig;
  readonly identity: { readonly issuers: readonly IssuerConfig[]; readonly local: { readonly enabled: boolean } };
  readonly policies: PoliciesConfig;
  /** null: nothing refers to one. */
  readonly vault: VaultConfig | null;
  readonly targets: Readonly<Record<string, TargetConfig>>;
  readonly approvals: ApprovalsConfig;
  readonly journal: JournalConfig;
  /** null: the local journal alone. */
  readonly nats: NatsConfig | null;
  readonly runbooksDir: string;
  readonly operations: OperationsConfig;
  readonly agents: AgentsConfig;
  readonly log: { readonly level: LogLevel /** auto: pretty on a terminal, else json */; readonly format: 'json' | 'pretty' | 'auto' };
  /** To be said at start: what is weaker than the default, and why it was accepted. */
  readonly notices: readonly string[];
}

/** Which of the three commands a file is for. */
export type Role = 'up' | 'engine' | 'enforcer';

export interface EngineConfig {
  /** Where enforcers connect. */
  readonly listen: Address;
}

export interface EnforcerConfig {
  /** `host:port` */
  readonly engines: readonly string[];
  /** Key and certificate. */
  readonly identityDir: string;
  /** Files of public keys; null: what the engine says. */
  readonly trusted: readonly string[] | null;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Address {
  /** Without brackets. */
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
}

export interface ServerTlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** What clients check with; null: the roots of their system. */
  readonly caFile: string | null;
}

export interface ApiConfig {
  readonly listen: Address;
  /** null: the address that is listened on. */
  readonly publicUrl: string | null;
  readonly tls: ServerTlsFiles | null;
  /** Groups whose members may read everything; null: whoever holds a token with scope `approve`. */
  readonly readers: readonly string[] | null;
  /** Groups whose members may say who is an enforcer; empty: nobody. */
  readonly admins: readonly string[];
  /** Groups of services that ask over AuthZEN for others; null: every service. */
  readonly evaluators: readonly string[] | null;
}

export interface IssuerConfig {
  readonly url: string;
  readonly audience: string;
  /** null: from the discovery document. */
  readonly jwksUrl: string | null;
  readonly caFile: string | null;
  readonly algorithms: readonly string[];
  readonly tokenTypes: readonly string[];
  readonly maxAgeMs: number;
  readonly claims: { readonly login: string; readonly groups: string };
  /** Humans log in to the console here; null: tokens only. */
  readonly login: IssuerLoginConfig | null;
}

export interface IssuerLoginConfig {
  /** Last part of the redirect URI. */
  readonly name: string;
  readonly clientId: string;
  /** null: a public client. */
  readonly clientSecret: SecretSource | null;
  readonly scopes: readonly string[];
}

/** null `caFile`: the system's roots. `off` is accepted towards loopback and unix sockets only. */
export type UpstreamTls = { readonly mode: 'verify-full'; readonly caFile: string | null } | { readonly mode: 'off' };

export type UpstreamConfig =
  | {
      readonly kind: 'url';
      readonly url: SecretSource /** null: the one in the url */;
      readonly databases: readonly string[] | null;
      readonly tls: UpstreamTls | null;
    }
  | {
      readonly kind: 'fields';
      /** A name, an address, or the folder of a unix socket (begins with `/`). */
      readonly host: string;
      readonly port: number;
      readonly databases: readonly string[];
      readonly tls: UpstreamTls;
      readonly user: string;
      /** null: by `vault`. */
      readonly password: SecretSource | null;
      /** User and password by a role of its database engine; null: the two above. */
      readonly vault: VaultDatabaseConfig | null;
    };

export type InTransaction = 'idle' | 'fresh' | 'any';

export interface TargetConfig {
  readonly name: string;
  readonly protocol: 'postgresql' | 'http' | 'mcp';
  readonly listen: Address;
  /** null: off, on loopback only. */
  readonly tls: ServerTlsFiles | null;
  /** Of a database; of a service it is empty. */
  readonly upstream: UpstreamConfig;
  /** null: another protocol. */
  readonly http: HttpTargetConfig | null;
  readonly mcp: McpTargetConfig | null;
  readonly env: string;
  readonly labels: Readonly<Record<string, string>>;
  /** strict: a statement waits for the archive's acknowledgement too. */
  readonly audit: 'standard' | 'strict';
  /** Where an enforcer of its own has it judged. */
  readonly judging: 'local' | 'remote';
  /** The target's own rule, or the general one. */
  readonly inTransaction: InTransaction;
  readonly limits: { readonly connections: number; readonly statementBytes: number; readonly idleMs: number };
}

export interface ApprovalsConfig {
  readonly waitMs: number;
  readonly expireMs: number;
  readonly inTransaction: InTransaction;
  readonly rememberDenialMs: number;
  readonly notify: readonly NotifyConfig[];
  readonly sources: { readonly oncall: Readonly<Record<string, OnCallConfig>> };
}

/** One on-call calendar. */
export interface OnCallConfig {
  readonly from: OnCallFrom;
  readonly refreshMs: number;
  readonly maxAgeMs: number;
  readonly timeoutMs: number;
  readonly timeZone: string | null;
  readonly domain: string | null;
  /** Names in lower case. */
  readonly logins: Readonly<Record<string, string>>;
}

export type OnCallFrom =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string; readonly caFile: string | null }
  | { readonly kind: 'secret'; readonly url: SecretSource; readonly caFile: string | null };

/** One channel of notification; what is null here is not restricted. */
export interface NotifyConfig {
  readonly name: string;
  readonly to: NotifyTo;
  readonly on: readonly NotifyAbout[] | null;
  readonly stages: readonly string[] | null;
  readonly targets: readonly string[] | null;
  readonly groups: readonly string[] | null;
  readonly templates: Readonly<Partial<Record<NotifyAbout, string>>>;
}

export type NotifyTo =
  | { readonly kind: 'slack' | 'teams'; readonly url: SecretSource }
  | { readonly kind: 'webhook'; readonly url: string; readonly secret: SecretSource; readonly caFile: string | null }
  | ({ readonly kind: 'smtp' } & SmtpConfig);

export interface SmtpConfig {
  readonly host: string;
  readonly port: number;
  readonly tls: 'starttls' | 'implicit' | 'off';
  readonly caFile: string | null;
  readonly login: { readonly user: string; readonly password: SecretSource } | null;
  readonly from: string;
  readonly to: readonly string[];
  /** null: nobody but `to`. */
  readonly people: {
    readonly domain: string | null;
    readonly users: Readonly<Record<string, string>>;
    readonly groups: Readonly<Record<string, string>>;
  } | null;
}

export interface JournalConfig {
  readonly dir: string;
  readonly segmentBytes: number;
  readonly payloads: 'clear' | 'redacted';
  readonly checkpoint: { readonly everyMs: number; readonly keyFile: string };
}

/** The archive. */
export interface NatsConfig {
  readonly servers: readonly string[];
  /** null: loopback only. */
  readonly tls: { readonly caFile: string | null; readonly certFile: string | null; readonly keyFile: string | null } | null;
  readonly credentials: SecretSource;
  readonly streams: { readonly audit: string; readonly approvals: string };
  readonly replicas: 1 | 3;
  readonly duplicateWindowMs: number;
  /** Up to this message of the approvals' stream, what was forged is known, and no alarm. */
  readonly lookedInto: number;
  /** How far the journal may be ahead of the archive. */
  readonly backlog: { readonly bytes: number; readonly ageMs: number };
}

export interface OperationsConfig {
  /** null: the API answers, or nobody. */
  readonly listen: Address | null;
  readonly metrics: { readonly readers: MetricsReaders /** For readers `token`. */; readonly token: SecretSource | null };
  /** null: off. */
  readonly traces: TracesConfig | null;
}

export interface TracesConfig {
  readonly url: string;
  readonly caFile: string | null;
  readonly headers: Readonly<Record<string, SecretSource>>;
  readonly oneIn: number;
}

export interface PoliciesConfig {
  /** Counts only without `bundle`. */
  readonly dir: string;
  /** null: `dir`. */
  readonly bundle: string | null;
  readonly data: readonly string[];
  readonly watch: boolean;
  readonly maxAgeMs: number;
  readonly signing: {
    readonly keyFile: string;
    readonly validMs: number;
    /** Files of public keys. */
    readonly trusted: readonly string[];
  };
}

export interface VaultConfig {
  /** Without a `/` at its end. */
  readonly address: string;
  readonly namespace: string | null;
  readonly caFile: string | null;
  readonly timeoutMs: number;
  readonly auth: VaultAuthConfig;
}

export type VaultAuthConfig =
  | { readonly kind: 'token'; readonly token: SecretSource }
  | { readonly kind: 'approle'; readonly mount: string; readonly roleId: SecretSource; readonly secretId: SecretSource | null }
  | { readonly kind: 'kubernetes'; readonly mount: string; readonly role: string; readonly jwtFile: string };

/** Who signs in at a target, by a role of the database engine. */
export interface VaultDatabaseConfig {
  readonly mount: string;
  readonly role: string;
  readonly kind: 'dynamic' | 'static';
}

/** `interlock.yaml:14:5 targets.shop.listen`, or the file alone. */
export function whereIs(config: LoadedConfig, path: string): string {
  const at = config.places.get(path);
  return at === undefined ? `${config.file} ${path}` : `${config.file}:${at.line}:${at.column} ${path}`;
}
