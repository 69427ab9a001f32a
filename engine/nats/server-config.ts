/**
 * The server's configuration as text (https://docs.nats.io/running-a-nats-service/configuration): accounts, nkeys, allow-lists, and a store that syncs.
 *
 * Each enforcer has an account of its own, without JetStream, into which exactly its journal's subjects are imported. Allow-lists alone are not enough:
 * a server sends its answers, acknowledgements and stored messages among them, to whatever subject the request names for them, and asks no list.
 * In one account an enforcer could thus have the server itself write to another's journal, to the approvals, or into another's inbox.
 */
import { type Allowed, type Grant, permissionsOf } from './permissions.ts';
import { LIMITS } from './limits.ts';

export interface ServerPlan {
  readonly name: string;
  /** `host:port` */
  readonly listen: string;
  readonly storeDir: string;
  /** null: none; then only on loopback. */
  readonly tls: ServerFiles | null;
  /** null: one node. */
  readonly cluster: { readonly name: string; readonly listen: string; readonly routes: readonly string[]; readonly tls: ServerFiles | null } | null;
  /** Public nkeys of who may see the server from inside ($SYS); none: nobody. */
  readonly system: readonly string[];
  readonly grants: readonly Grant[];
  readonly streams: { readonly audit: string; readonly approvals: string };
}

export interface ServerFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export function serverConfig(plan: ServerPlan): string {
  const { name, listen, storeDir, tls, cluster, system, grants, streams } = plan;
  const allowed = (grant: Grant): Allowed => permissionsOf(grant, streams);
  const user = (grant: Grant): string => userBlock(grant, allowed(grant));
  const exported = (grant: Grant): string[] =>
    allowed(grant).publish.map((subject) => `\n      { service: ${quoted(subject)}, accounts: [${accountOf(grant)}] }`);
  const imported = (grant: Grant): string[] =>
    allowed(grant).publish.map((subject) => `\n      { service: { account: INTERLOCK, subject: ${quoted(subject)} } }`);
  const account = (grant: Grant): string =>
    `  ${accountOf(grant)} {\n    imports: [${imported(grant).join('')}\n    ]\n    users: [\n${user(grant)}\n    ]\n  }`;
  return `# Written by \`interlock nats setup --print-config\`. Nobody may do what no list allows: there is no user without a key,
# no websocket, no MQTT, no leaf node, and no list that denies.
server_name: ${quoted(name)}
listen: ${quoted(listen)}
max_payload: ${LIMITS.messageBytesMax}
${tls === null ? '# No TLS: on loopback only.' : `tls {\n${files(tls, 2)}\n  handshake_first: true\n  timeout: 5\n}`}

jetstream {
  store_dir: ${quoted(storeDir)}
  # An acknowledged message is written, and only with this also on stable storage (default: every two minutes).
  sync_interval: always
}
${cluster === null ? '' : clusterBlock(cluster)}
accounts {
  SYS {
    users: [${system.map((key) => `\n      { nkey: ${key} }`).join('')}${system.length === 0 ? '' : '\n    '}]
  }
  INTERLOCK {
    jetstream: enabled
    exports: [${grants.filter(isEnforcer).flatMap(exported).join('')}
    ]
    users: [
${grants
  .filter((grant) => !isEnforcer(grant))
  .map(user)
  .join('\n')}
    ]
  }
${grants.filter(isEnforcer).map(account).join('\n')}
}
system_account: SYS
`;
}

function isEnforcer({ role }: Grant): boolean {
  return role === 'enforcer';
}

/** One for each key: a name may stand twice. */
function accountOf({ publicKey }: Grant): string {
  return `ENFORCER_${publicKey}`;
}

function userBlock(grant: Grant, { publish, subscribe }: Allowed): string {
  const list = (subjects: readonly string[]): string => subjects.map((subject) => `\n            ${quoted(subject)}`).join('');
  return `      # ${grant.role} ${grant.name.replaceAll(/[^A-Za-z0-9._-]/g, '_')}
      {
        nkey: ${grant.publicKey}
        permissions {
          publish { allow: [${list(publish)}
          ] }
          subscribe { allow: [${list(subscribe)}
          ] }
        }
      }`;
}

function clusterBlock({ name, listen, routes, tls }: NonNullable<ServerPlan['cluster']>): string {
  return `
cluster {
  name: ${quoted(name)}
  listen: ${quoted(listen)}
  routes: [${routes.map((route) => `\n    ${quoted(route)}`).join('')}
  ]
${tls === null ? '  # No TLS: on loopback only.' : `  tls {\n${files(tls, 4)}\n    verify: true\n    timeout: 5\n  }`}
}
`;
}

function files({ cert, key, ca }: ServerFiles, indent: number): string {
  const pad = ' '.repeat(indent);
  return `${pad}cert_file: ${quoted(cert)}\n${pad}key_file: ${quoted(key)}\n${pad}ca_file: ${quoted(ca)}\n${pad}min_version: "1.3"`;
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
