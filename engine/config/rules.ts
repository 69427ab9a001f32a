/** What a JSON Schema cannot say: rules between keys, the protection of what leaves the machine, and what this version does not do yet. */
import type { Config, Target } from '#schemas/config';
import type { Findings } from './places.ts';
import type { LoadedConfig, TargetConfig } from './config.ts';
import { checkNats } from './nats.ts';
import { checkOperations } from './operations.ts';
import { checkApart } from './apart.ts';
import { checkNotify } from './notify-rules.ts';
import { checkOnCall } from './oncall.ts';
import { checkPolicies } from './policies.ts';
import { staysHere } from './stays-here.ts';
import { checkVault } from './vault.ts';

const SEGMENT_BYTES_MIN = 64 * 1024;
const SEGMENT_BYTES_MAX = 1024 ** 3;

/** Mistakes go to `findings`; the answer is what is to be said at start. */
export function checkRules(raw: Config, config: Omit<LoadedConfig, 'places' | 'notices' | 'raw'>, findings: Findings): readonly string[] {
  const notices: string[] = [];
  checkApart(raw, config, findings, notices);
  checkNotYet(raw, findings);
  checkPolicies(raw.policies, findings);
  checkVault(raw, findings);
  checkPorts(raw, config, findings);
  if (config.role !== 'enforcer' || raw.api !== undefined) checkApi(config, findings, notices);
  if (config.role !== 'enforcer') checkIdentity(config, findings, notices);
  checkLogins(config, findings);
  checkNotify(raw, config, findings, notices);
  checkOnCall(raw, config, findings, notices);
  checkNats(raw.nats, config.nats, findings, notices);
  checkOperations(config.operations, findings, notices);
  checkExpansion(raw, notices);
  if (config.journal.segmentBytes < SEGMENT_BYTES_MIN || config.journal.segmentBytes > SEGMENT_BYTES_MAX)
    findings.addAt('journal.segment', `found \`${raw.journal?.segment ?? ''}\`; allowed: 64KiB to 1GiB`);
  for (const target of Object.values(config.targets)) {
    checkUpstream(target.name, raw.targets[target.name] as Target, config, findings);
    if (config.role !== 'engine') checkTargetTls(target, findings, notices);
  }
  return notices;
}

/** Refused by name rather than ignored. */
function checkNotYet(raw: Config, findings: Findings): void {
  const notYet = (path: string, what: string, instead: string): void => findings.addAt(path, `${what} is not supported yet; ${instead}`);
  if (raw.journal?.payloads === 'sealed') notYet('journal.payloads', '`sealed`', 'use `clear` or `redacted`');
  if (hasClientCa(raw.api?.tls)) notYet('api.tls.client_ca', 'a certificate of the client', 'leave it out');
  for (const [name, target] of Object.entries(raw.targets)) {
    const at = `targets.${name}`;
    if (target.audit === 'strict' && raw.nats === undefined)
      findings.addAt(`${at}.audit`, 'found `strict` without an archive; allowed: `standard`, or a section `nats`');
    if (hasClientCa(target.tls)) notYet(`${at}.tls.client_ca`, 'a certificate of the client', 'leave it out');
  }
}

function hasClientCa(tls: Target['tls']): boolean {
  return typeof tls === 'object' && tls.client_ca !== undefined;
}

const NONE = ':0';

/** No two listeners on one address. */
function checkPorts(raw: Config, { role }: Pick<LoadedConfig, 'role'>, findings: Findings): void {
  const seen = new Map<string, string>();
  const listeners = [
    ['api.listen', raw.api?.listen ?? (role === 'enforcer' ? NONE : '127.0.0.1:8400')] as const,
    ['engine.listen', raw.engine?.listen ?? NONE] as const,
    ['operations.listen', raw.operations?.listen ?? NONE] as const,
    ...Object.entries(raw.targets).map(([name, { listen = NONE }]) => [`targets.${name}.listen`, role === 'engine' ? NONE : listen] as const),
  ];
  for (const [path, listen] of listeners) {
    const port = Number(listen.slice(listen.lastIndexOf(':') + 1));
    if (port > 65535) findings.addAt(path, `found the port ${port}; allowed: 0 to 65535`);
    const other = port === 0 ? undefined : seen.get(listen);
    if (other !== undefined) findings.addAt(path, `${listen} is already taken by \`${other}\`; allowed: another port`);
    else seen.set(listen, path);
  }
}

function checkApi({ api }: Pick<LoadedConfig, 'api'>, findings: Findings, notices: string[]): void {
  if (api.publicUrl !== null && !/^https?:\/\/[^/?#@]+$/.test(api.publicUrl))
    findings.addAt('api.public_url', 'is more than a scheme and a host: the console and its links stand at the root; allowed: `https://HOST[:PORT]`');
  if (api.tls !== null) return;
  if (!staysHere(api.listen.host))
    findings.addAt('api.listen', `${api.listen.host} is reached from outside, where tokens need TLS: set \`api.tls\`, or listen on 127.0.0.1`);
  else notices.push(`api: TLS is off, accepted because ${api.listen.host} is loopback`);
}

function checkIdentity({ identity }: Pick<LoadedConfig, 'identity'>, findings: Findings, notices: string[]): void {
  if (identity.issuers.length === 0 && !identity.local.enabled)
    findings.addAt('identity', 'nobody could authenticate: name an issuer in `identity.issuers`, or set `identity.local.enabled: true` to try out');
  if (identity.local.enabled) notices.push('identity: the local issuer is on: whoever can read state.dir can make tokens');
  identity.issuers.forEach((issuer, index) => {
    for (const [key, url] of [
      ['url', issuer.url],
      ['jwks_url', issuer.jwksUrl],
    ] as const) {
      if (url === null) continue;
      const at = `identity.issuers[${index}].${key}`;
      if (!URL.canParse(url)) findings.addAt(at, 'is not an address; allowed: an https:// address');
      else if (new URL(url).username !== '' || new URL(url).password !== '')
        findings.addAt(at, 'contains a credential; allowed: an https:// address without one');
      else if (url.startsWith('http:') && !staysHere(new URL(url).hostname.replace(/^\[|\]$/g, '')))
        findings.addAt(at, 'would fetch keys without TLS; allowed: https:// (http:// on loopback only)');
    }
  });
}

/** Whoever logs in to the console may carry a verdict: that must not make everybody of the company a reader of everything (N6). */
function checkLogins({ api, identity }: Pick<LoadedConfig, 'api' | 'identity'>, findings: Findings): void {
  const seen = new Map<string, number>();
  identity.issuers.forEach(({ login }, index) => {
    if (login === null) return;
    const at = `identity.issuers[${index}].login`;
    const other = seen.get(login.name);
    if (other !== undefined) findings.addAt(at, `is named \`${login.name}\` like that of identity.issuers[${other}]; allowed: a \`name\` of its own`);
    seen.set(login.name, index);
    if (api.readers === null)
      findings.addAt(at, 'everybody who logs in could read everything: name the groups that may in `api.readers` (an empty list: nobody)');
  });
}

function checkUpstream(name: string, target: Target, { role }: Pick<LoadedConfig, 'role'>, findings: Findings): void {
  if (target.protocol !== 'postgresql') return checkService(name, target, findings);
  const { upstream, credential } = target;
  if (upstream === undefined && role !== 'engine') return findings.addAt(`targets.${name}`, '`upstream` missing');
  const at = `targets.${name}.upstream`;
  if (upstream?.url === undefined) {
    if (role !== 'engine' && upstream?.host === undefined) return findings.addAt(at, role === 'up' ? '`url` or `host` missing' : '`host` missing');
    if (role !== 'engine' && upstream?.databases === undefined) findings.addAt(at, '`databases` missing: the databases that clients may name');
    if (role !== 'enforcer' && credential === undefined)
      findings.addAt(`targets.${name}`, '`credential` missing: the gateway’s own account on the target');
    return;
  }
  for (const key of ['host', 'port'] as const)
    if (upstream[key] !== undefined) findings.addAt(`${at}.${key}`, `stands beside \`url\`, which says it too; allowed: one of them`);
  if (credential !== undefined) findings.addAt(`targets.${name}.credential`, 'stands beside `upstream.url`, which says it too; allowed: one of them');
}

/** An API or an MCP server says all in the section of its protocol. */
function checkService(name: string, target: Target, findings: Findings): void {
  const { protocol } = target;
  const at = `targets.${name}`;
  if (protocol === 'postgresql') return;
  if (target[protocol] === undefined) findings.addAt(at, `\`${protocol}\` missing: the section that says where the target is`);
  for (const key of ['upstream', 'credential', 'http', 'mcp'] as const)
    if (key !== protocol && target[key] !== undefined) findings.addAt(`${at}.${key}`, `is not of protocol ${protocol}; allowed: \`${protocol}\``);
  const url = target[protocol]?.url;
  const command = target.mcp?.command;
  if (protocol === 'mcp' && (url === undefined) === (command === undefined)) findings.addAt(`${at}.mcp`, 'allowed: one of `url` and `command`');
  if (protocol === 'http') checkHttp(at, target.http, findings);
  if (url === undefined || !URL.canParse(url)) return;
  const { protocol: scheme, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') findings.addAt(`${at}.${protocol}.url`, 'holds a credential; allowed: `credential`, by reference');
  if (scheme === 'http:' && !staysHere(hostname.replace(/^\[|\]$/g, '')))
    findings.addAt(`${at}.${protocol}.url`, `found http towards ${hostname}; allowed: https (http on loopback only)`);
}

function checkHttp(at: string, http: Target['http'], findings: Findings): void {
  const { url, openapi, routes, credential, headers } = http ?? {};
  if (url !== undefined && !URL.canParse(url)) findings.addAt(`${at}.http.url`, 'is not an address; allowed: https://HOST[:PORT][/PATH]');
  else if (url !== undefined && /[?#]/.test(url)) findings.addAt(`${at}.http.url`, 'has a query or a fragment; allowed: https://HOST[:PORT][/PATH]');
  if (openapi !== undefined && routes !== undefined)
    findings.addAt(`${at}.http.routes`, 'stands beside `openapi`, which describes the same; allowed: one of them');
  if (credential?.env !== undefined)
    findings.addAt(`${at}.http.credential.env`, 'is for programs (MCP over stdio); allowed: bearer, basic, header, oauth_client, sigv4');
  for (const name of Object.keys(headers?.set ?? {}))
    if (/^(host|authorization|content-length|transfer-encoding|connection|cookie)$/i.test(name))
      findings.addAt(`${at}.http.headers.set.${name}`, 'is set by the gateway itself; a credential is named in `credential`');
}

function checkTargetTls({ name, listen, tls, upstream }: TargetConfig, findings: Findings, notices: string[]): void {
  const at = `targets.${name}`;
  if (tls === null && !staysHere(listen.host))
    findings.addAt(
      `${at}.listen`,
      `${listen.host} is reached from outside, where tokens need TLS: set \`tls\` of this target, or listen on 127.0.0.1`,
    );
  else if (tls === null) notices.push(`${at}: TLS from clients is off, accepted because ${listen.host} is loopback`);
  if (upstream.kind === 'url' || upstream.tls.mode !== 'off' || upstream.host === '') return;
  if (!staysHere(upstream.host))
    findings.addAt(`${at}.upstream.tls.mode`, `found \`off\` towards ${upstream.host}; allowed: verify-full (off on loopback and unix sockets only)`);
  else notices.push(`${at}: TLS to the target is off, accepted because ${upstream.host} is local`);
}

/** Taken literally, which is hardly ever meant. */
function checkExpansion(value: unknown, notices: string[], path = ''): void {
  if (typeof value === 'string' && /\$\{[A-Za-z_]/.test(value)) notices.push(`${path}: \`\${…}\` is taken literally: variables are not expanded`);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, child] of Object.entries(value)) checkExpansion(child, notices, path === '' ? key : `${path}.${key}`);
}
