/** CONTRACT §5: `interlock.yaml`. `title` is the short phrase that errors use for what is allowed, `description` what editors show. */
import type { Static } from 'typebox';
import { Agents } from './config-agents.ts';
import { HttpSection } from './config-http.ts';
import { McpSection } from './config-mcp.ts';
import { Nats } from './config-nats.ts';
import { Policies } from './config-policies.ts';
import { Operations } from './config-operations.ts';
import { Enforcer, Engine, Judging } from './config-apart.ts';
import { Vault, VaultDatabase } from './config-vault.ts';
import { Duration, HostPort, HttpUrl, Path, SecretRef, Size, Text } from './config-values.ts';

export { SecretRef } from './config-values.ts';

const ServerTls = {
  anyOf: [
    { const: 'off', title: '`off`' },
    {
      type: 'object',
      additionalProperties: false,
      required: ['cert', 'key'],
      title: 'a map with `cert` and `key`',
      properties: {
        cert: { ...Path, description: 'Certificate chain, PEM.' },
        key: { ...Path, description: 'Private key, PEM; readable by the gateway only.' },
        ca: { ...Path, description: 'What clients check the certificate with; `interlock connect` names it. Default: the roots of their system.' },
        client_ca: { ...Path, description: 'Clients must also show a certificate of this authority.' },
      },
    },
  ],
  description: 'TLS towards clients. `off` (or left out) is accepted on loopback only, and said at start.',
} as const;

const UpstreamTls = {
  type: 'object',
  additionalProperties: false,
  properties: {
    mode: {
      enum: ['verify-full', 'off'],
      description: 'verify-full: encrypted, certificate and name checked. off: only towards loopback and unix sockets. Default: verify-full.',
    },
    ca: { ...Path, description: 'Authority that the target’s certificate is checked with. Default: the system’s roots.' },
  },
  description: 'TLS from the gateway to the target.',
} as const;

export const Target = {
  type: 'object',
  additionalProperties: false,
  required: ['protocol'],
  properties: {
    protocol: { enum: ['postgresql', 'http', 'mcp'], description: 'What the target speaks.' },
    listen: { ...HostPort, description: 'Where clients connect.' },
    tls: ServerTls,
    upstream: {
      type: 'object',
      additionalProperties: false,
      description: 'The target: `url` (a reference to one postgresql:// address with credential), or `host` and `databases` beside `credential`.',
      properties: {
        url: {
          ...SecretRef,
          description: 'A reference to one postgresql:// address for host, port, database and credential: `{ env: SHOP_URL }`.',
        },
        host: {
          type: 'string',
          pattern: '^([A-Za-z0-9._-]+|[0-9A-Fa-f:.]+|/[^\\s]+)$',
          title: 'a host name, an address, or the folder of a unix socket',
        },
        port: { type: 'integer', minimum: 1, maximum: 65535, title: 'a port from 1 to 65535', description: 'Default: 5432.' },
        databases: {
          type: 'array',
          minItems: 1,
          items: Text,
          title: 'a list of names',
          description: 'Databases that clients may name; the first one is the default.',
        },
        tls: UpstreamTls,
      },
    },
    credential: {
      type: 'object',
      additionalProperties: false,
      description: 'The gateway’s own account on the target: `user` and `password`, or `vault`. Clients never see it.',
      properties: { user: Text, password: SecretRef, vault: VaultDatabase },
    },
    http: HttpSection,
    mcp: McpSection,
    env: { ...Text, description: 'Read by policies as `input.resource.properties.env`. Default: development.' },
    labels: {
      type: 'object',
      additionalProperties: { type: 'string', title: 'a text' },
      description: 'Read by policies as `input.resource.properties.labels`.',
    },
    audit: {
      enum: ['standard', 'strict'],
      description:
        'standard: on local stable storage before anything is forwarded; with `nats`, the archive follows. strict: acknowledged by the archive too, or refused within a second. Default: standard.',
    },
    approvals: {
      type: 'object',
      additionalProperties: false,
      description: 'Overrides `approvals` for this target.',
      properties: { in_transaction: { enum: ['idle', 'fresh', 'any'] } },
    },
    judging: Judging,
    limits: {
      type: 'object',
      additionalProperties: false,
      properties: {
        connections: {
          type: 'integer',
          minimum: 1,
          maximum: 10000,
          title: 'a number from 1 to 10000',
          description: 'Client connections at a time. Default: 200.',
        },
        statement_bytes: { ...Size, description: 'Longest statement. Default: 1MiB.' },
        idle: { ...Duration, description: 'A session that is silent for so long is closed. Default: 15m.' },
      },
    },
  },
} as const;
export type Target = Static<typeof Target>;

export const Issuer = {
  type: 'object',
  additionalProperties: false,
  required: ['url', 'audience'],
  properties: {
    url: { ...HttpUrl, description: 'The issuer, exactly as it stands in `iss`.' },
    audience: { ...Text, description: 'What `aud` must name.' },
    jwks_url: { ...HttpUrl, description: 'Where its keys are. Default: what its discovery document says.' },
    ca: { ...Path, description: 'Authority that the issuer’s certificate is checked with. Default: the system’s roots.' },
    algorithms: {
      type: 'array',
      minItems: 1,
      items: { enum: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'] },
      title: 'a list of signature algorithms',
      description: 'Default: [RS256, ES256]. Never `none` or a shared secret.',
    },
    token_types: {
      type: 'array',
      minItems: 1,
      items: Text,
      title: 'a list of `typ` values',
      description: 'Accepted `typ` headers. Default: [at+jwt].',
    },
    max_age: { ...Duration, description: 'Tokens older than this are refused. Default: 8h.' },
    claims: {
      type: 'object',
      additionalProperties: false,
      properties: {
        login: { ...Text, description: 'Claim with the login name. Default: preferred_username.' },
        groups: { ...Text, description: 'Claim with the list of groups. Default: groups.' },
      },
    },
    login: {
      type: 'object',
      additionalProperties: false,
      required: ['client_id'],
      title: 'a map with `client_id`',
      description:
        'Humans log in to the console here (OpenID Connect, authorization code with PKCE). Register the redirect URI `PUBLIC_URL/login/callback/NAME` with the issuer. The claims of `claims` must stand in its ID tokens.',
      properties: {
        name: {
          type: 'string',
          pattern: '^[a-z0-9][a-z0-9._-]{0,62}$',
          title: 'a name of lower-case letters, digits, `.`, `-` and `_`',
          description: 'Last part of the redirect URI, and shown on the login page. Default: the issuer’s host name.',
        },
        client_id: { ...Text, description: 'What the issuer calls the console.' },
        client_secret: { ...SecretRef, description: 'Of a confidential client. Left out: a public client, held by PKCE alone.' },
        scopes: {
          type: 'array',
          items: { type: 'string', pattern: '^[\\x21\\x23-\\x5B\\x5D-\\x7E]{1,128}$', title: 'a scope without spaces' },
          title: 'a list of scopes',
          description: 'What is asked for. Default: [openid, profile]; `openid` is always among them.',
        },
      },
    },
  },
} as const;
export type Issuer = Static<typeof Issuer>;

/** What a channel may be told of. */
export const NOTIFY_ABOUT = ['requested', 'escalated', 'settled', 'glass_broken', 'glass_reviewed', 'delegated'] as const;
export type NotifyAbout = (typeof NOTIFY_ABOUT)[number];
/** What templates may name. */
export const NOTIFY_FIELDS = ['who', 'target', 'summary', 'expires', 'stage', 'outcome', 'by', 'to', 'codes', 'count', 'id'] as const;
export type NotifyField = (typeof NOTIFY_FIELDS)[number];

const Names = { type: 'array', minItems: 1, items: Text, title: 'a list of names' } as const;
const Mail = { type: 'string', pattern: '^[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}$', title: 'an e-mail address' } as const;
const MailMap = { type: 'object', additionalProperties: Mail } as const;

export const NotifyChannel = {
  type: 'object',
  additionalProperties: false,
  title: 'a map with one of `slack`, `teams`, `smtp`, `webhook`',
  properties: {
    name: {
      type: 'string',
      pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
      title: 'a name of lower-case letters, digits, `-` and `_`',
      description: 'What the journal and `interlock notify` call it. Default: its kind and its place in the list, such as `slack-1`.',
    },
    slack: {
      type: 'object',
      additionalProperties: false,
      required: ['webhook'],
      properties: { webhook: { ...SecretRef, description: 'The address of an incoming webhook: whoever knows it can post, so it is a secret.' } },
      description: 'Slack, by an incoming webhook.',
    },
    teams: {
      type: 'object',
      additionalProperties: false,
      required: ['url'],
      properties: {
        url: { ...SecretRef, description: 'The address of a workflow that posts to a channel: whoever knows it can post, so it is a secret.' },
      },
      description: 'Microsoft Teams, by the address of a workflow ("when a webhook request is received").',
    },
    smtp: {
      type: 'object',
      additionalProperties: false,
      required: ['host', 'from'],
      properties: {
        host: { type: 'string', pattern: '^([A-Za-z0-9._-]+|[0-9A-Fa-f:.]+)$', title: 'a host name or an address' },
        port: {
          type: 'integer',
          minimum: 1,
          maximum: 65535,
          title: 'a port from 1 to 65535',
          description: 'Default: 587, with `tls: implicit` 465.',
        },
        tls: {
          enum: ['starttls', 'implicit', 'off'],
          description: 'starttls: refused where the server does not offer it. off: on loopback only. Default: starttls.',
        },
        ca: { ...Path, description: 'Authority that the server’s certificate is checked with. Default: the system’s roots.' },
        user: Text,
        password: SecretRef,
        from: { ...Mail, description: 'Sender of the messages.' },
        to: {
          type: 'array',
          minItems: 1,
          items: Mail,
          title: 'a list of e-mail addresses',
          description: 'Told of everything that this channel is told of.',
        },
        to_approvers: {
          type: 'object',
          additionalProperties: false,
          description:
            'Tells those who are asked, and the requester of the outcome. Addresses: of `users`, else the login if it is one, else login@domain.',
          properties: {
            domain: { type: 'string', pattern: '^[A-Za-z0-9.-]{1,253}$', title: 'a domain', description: 'Appended to logins.' },
            users: { ...MailMap, description: 'Addresses by login.' },
            groups: { ...MailMap, description: 'Addresses (of lists) by group.' },
          },
        },
      },
      description: 'E-mail.',
    },
    webhook: {
      type: 'object',
      additionalProperties: false,
      required: ['url', 'secret'],
      properties: {
        url: { ...HttpUrl, description: 'https; http on loopback only.' },
        secret: { ...SecretRef, description: 'Signs what is sent (Standard Webhooks): `whsec_…`, base64 of 24 to 64 bytes.' },
        ca: { ...Path, description: 'Authority that the receiver’s certificate is checked with. Default: the system’s roots.' },
      },
      description: 'JSON by POST, signed as standardwebhooks.com describes.',
    },
    on: {
      type: 'array',
      minItems: 1,
      items: { enum: NOTIFY_ABOUT },
      title: 'a list of events',
      description: `What it is told of. Default: everything. A broken glass is told to every channel, whatever stands here.`,
    },
    stages: { ...Names, description: 'Only where one of these stages is asked.' },
    targets: { ...Names, description: 'Only requests for these targets.' },
    groups: { ...Names, description: 'Only where one of these groups is asked.' },
    templates: {
      type: 'object',
      additionalProperties: false,
      properties: Object.fromEntries(NOTIFY_ABOUT.map((about) => [about, Text])) as Record<NotifyAbout, typeof Text>,
      description:
        'First line of the message by event, with fields such as {{who}}, {{target}}, {{summary}}, {{expires}}, {{stage}}, {{outcome}}, {{by}}, {{to}}, {{codes}}.',
    },
  },
} as const;
export type NotifyChannel = Static<typeof NotifyChannel>;

/** An on-call calendar: stages name it as `oncall:NAME`. */
export const OnCall = {
  type: 'object',
  additionalProperties: false,
  properties: {
    file: { ...Path, description: 'The calendar (iCalendar), read again and again.' },
    url: { ...HttpUrl, description: 'Where the calendar is; https (http on loopback only).' },
    url_from: { ...SecretRef, description: 'The same by reference, where whoever knows the address may read it.' },
    ca: { ...Path, description: 'Authority that the address’ certificate is checked with. Default: the system’s roots.' },
    refresh: { ...Duration, description: 'Read again after this. Default: 5m.' },
    max_age: { ...Duration, description: 'A copy that could not be renewed counts so long; then nobody is on call. Default: 1h.' },
    timeout: { ...Duration, description: 'For one answer. Default: 5s.' },
    time_zone: { ...Text, description: 'Of whole days and times without a zone: `Europe/Zurich`. Default: what the calendar says, else UTC.' },
    domain: {
      type: 'string',
      pattern: '^[A-Za-z0-9.-]{1,253}$',
      title: 'a domain',
      description: 'Addresses of this domain are logins with it behind.',
    },
    logins: {
      type: 'object',
      additionalProperties: Text,
      title: 'a map from names to logins',
      description: 'Logins by what the calendar calls people: the address of an attendee, or the title where there is none.',
    },
  },
} as const;
export type OnCall = Static<typeof OnCall>;

export const Config = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'interlock.yaml',
  description:
    'Configuration of Interlock. Sizes: KiB MiB GiB; durations: ms s m h d. Relative paths are relative to this file. ${VAR} is not expanded.',
  type: 'object',
  additionalProperties: false,
  required: ['contract', 'targets'],
  properties: {
    contract: { const: 1, description: 'Version of this file’s form.' },
    state: {
      type: 'object',
      additionalProperties: false,
      properties: { dir: { ...Path, description: 'Keys, journal, projection; mode 0700. Default: .interlock beside this file.' } },
    },
    api: {
      type: 'object',
      additionalProperties: false,
      properties: {
        listen: { ...HostPort, description: 'HTTP API. Default: 127.0.0.1:8400.' },
        public_url: { ...HttpUrl, description: 'What refusals and notices point to. Default: the address of `listen`.' },
        tls: ServerTls,
        readers: {
          type: 'array',
          items: Text,
          title: 'a list of groups',
          description:
            'Members of these groups may read everybody’s sessions, events and approvals; others only their own, and the requests that name them. Default: whoever holds a token with scope `approve` reads everything.',
        },
        admins: {
          type: 'array',
          items: Text,
          title: 'a list of groups',
          description:
            'Members of these groups, each with a token of scope `approve`, may say who is an enforcer (`interlock enforcer`). Default: nobody.',
        },
        evaluators: {
          type: 'array',
          items: Text,
          title: 'a list of groups',
          description:
            'Services in these groups may ask over AuthZEN for decisions about others, as enforcement points of their own; humans and agents ask for themselves alone. Default: every service.',
        },
      },
    },
    identity: {
      type: 'object',
      additionalProperties: false,
      properties: {
        issuers: { type: 'array', items: Issuer, title: 'a list of issuers', description: 'OpenID Connect issuers whose tokens are accepted.' },
        local: {
          type: 'object',
          additionalProperties: false,
          properties: {
            enabled: { type: 'boolean', description: 'The built-in issuer behind `interlock token`: for trying out and for tests. Default: false.' },
          },
        },
      },
    },
    policies: Policies,
    vault: Vault,
    targets: {
      type: 'object',
      additionalProperties: Target,
      minProperties: 1,
      propertyNames: { pattern: '^[a-z0-9][a-z0-9_-]{0,62}$', title: 'a name of lower-case letters, digits, `-` and `_`' },
      title: 'a map from names to targets',
      description: 'What is governed, by name.',
    },
    approvals: {
      type: 'object',
      additionalProperties: false,
      properties: {
        wait: { ...Duration, description: 'The client is held at most so long. Default: 5m.' },
        expire: { ...Duration, description: 'An undecided request ends after this. Default: 24h.' },
        in_transaction: { enum: ['idle', 'fresh', 'any'], description: 'Where in a transaction a statement may wait for approval. Default: fresh.' },
        remember_denial: { ...Duration, description: 'After a denial the same statement is refused at once for so long. Default: 10m.' },
        sources: {
          type: 'object',
          additionalProperties: false,
          properties: {
            oncall: {
              type: 'object',
              additionalProperties: OnCall,
              propertyNames: { pattern: '^[a-z0-9][a-z0-9_-]{0,62}$', title: 'a name of lower-case letters, digits, `-` and `_`' },
              title: 'a map from names to calendars',
              description: 'On-call calendars by name. Whoever can write one decides who may approve what asks for it.',
            },
          },
          description: 'Whom stages may ask beside groups, users and the data documents of the policies.',
        },
        notify: {
          type: 'array',
          items: NotifyChannel,
          title: 'a list of channels',
          description:
            'Who is told of approval requests, and how. A message is a pointer: who asks, where, one sentence and the address of the page where it is decided.',
        },
      },
    },
    journal: {
      type: 'object',
      additionalProperties: false,
      properties: {
        dir: { ...Path, description: 'Own disk if you can: its fdatasync is your added latency. Default: `journal` in `state.dir`.' },
        segment: { ...Size, description: 'A file of the journal is closed at this size. Default: 64MiB.' },
        payloads: {
          enum: ['clear', 'redacted', 'sealed'],
          description: 'How texts and parameters are stored: clear; redacted: texts without their literals, parameters not at all. Default: clear.',
        },
        checkpoint: {
          type: 'object',
          additionalProperties: false,
          properties: {
            every: { ...Duration, description: 'A signed checkpoint at least this often. Default: 1s.' },
            key: {
              type: 'object',
              additionalProperties: false,
              required: ['file'],
              title: '`{ file: PATH }`',
              properties: { file: Path },
              description: 'Ed25519 key; made at the first start. Default: keys/checkpoint in `state.dir`.',
            },
          },
        },
      },
    },
    runbooks: {
      type: 'object',
      additionalProperties: false,
      properties: { dir: { ...Path, description: 'Runbooks, one YAML file each (`interlock run`). Default: ./runbooks.' } },
    },
    engine: Engine,
    enforcer: Enforcer,
    nats: Nats,
    operations: Operations,
    agents: Agents,
    log: {
      type: 'object',
      additionalProperties: false,
      properties: {
        level: { enum: ['debug', 'info', 'warn', 'error'], description: 'Default: info.' },
        format: { enum: ['json', 'pretty'], description: 'Default: json; pretty on a terminal.' },
      },
    },
  },
} as const;
export type Config = Static<typeof Config>;
