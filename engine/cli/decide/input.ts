/** What was asked on the command line, or in a case, as the dry run takes it. */
import { type AskedHttp, askedHttp, type AskedMcp, askedMcp } from '#client/asked-message';
import { readPins } from '#enforcers/mcp/pins';
import { CLIENT_REQUESTS } from '#enforcers/mcp/protocol';
import type { McpTool } from '#schemas/knowledge';
import { TRANSACTION_STATES, type Resource, type Subject, type TransactionState } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { Param } from '#schemas/sql-facts';
import type { LoadedConfig, TargetConfig } from '../../config/config.ts';
import type { DryRunInput } from '../../decide/dry-run.ts';
import { usageOf } from '../../decide/usage.ts';
import { withResources } from '../../mcp-target.ts';
import { FULFILLED } from '../../obligations.ts';
import { targetOf } from '../door.ts';
import type { CaseLine } from './cases.ts';
import { httpBytes, mcpBytes } from './message-file.ts';
import type { DecideOptions } from './options.ts';

/** What a new session of PostgreSQL has. */
const SETTINGS = { search_path: '"$user", public' };
/** Subjects that are only imagined have an issuer that no token can have. */
const ISSUER = 'https://dry-run.interlock.invalid';

export function askedInput(config: LoadedConfig, statement: string, options: DecideOptions): DryRunInput {
  const { target, login } = options;
  if (target === undefined || login === undefined) throw new InterlockError('USAGE', '--target and --login are needed (or --cases)');
  const params = options.params === undefined ? null : parseParams(options.params);
  return {
    subject: subjectOf(login, options),
    resource: resourceOf(config, target, options.database, options.major),
    action: options.prepare === true ? 'sql.prepare' : 'sql.execute',
    statement,
    transaction: options.transaction,
    settings: { ...SETTINGS, ...Object.fromEntries((options.setting ?? []).map(setting)) },
    supportedObligations: FULFILLED.postgresql,
    ...(params === null || options.prepare === true ? {} : { params: paramsOf(params, '--params') }),
  };
}

/** A request or a call instead of a statement. */
export function isMessage({ path, tool, requestFile }: DecideOptions): boolean {
  return path !== undefined || tool !== undefined || requestFile !== undefined;
}

/**
 * With what is known of the target from its configuration: the description of an API, the pinned tools of a server.
 * @param file the content of `--request-file`; null: there is none
 */
export async function messageInput(config: LoadedConfig, options: DecideOptions, file: Uint8Array | null = null): Promise<DryRunInput> {
  const { target: name, login } = options;
  if (name === undefined || login === undefined) throw new InterlockError('USAGE', '--target and --login are needed');
  const target = targetOf(config, name);
  const asked = file === null ? askedOf(target, options) : filedOf(target, file);
  return {
    subject: subjectOf(login, options),
    resource: { type: target.protocol, id: name, properties: { env: target.env, labels: { ...target.labels } } },
    action: asked.action,
    statement: asked.statement,
    supportedObligations: FULFILLED[target.protocol],
    ...(await knownOf(withResources(target, config))),
  };
}

type Asked = Pick<DryRunInput, 'action' | 'statement'>;

function filedOf({ name, protocol, http }: TargetConfig, file: Uint8Array): Asked {
  switch (protocol) {
    case 'http':
      return { action: 'http.request', statement: httpBytes(file, http?.headers ?? {}) };
    case 'mcp':
      return mcpFile(file);
    case 'postgresql':
      throw new InterlockError('USAGE', `\`${name}\` speaks postgresql: a database takes --statement-file`);
  }
}

function mcpFile(file: Uint8Array): Asked {
  const { method, bytes } = mcpBytes(file);
  const known = Object.hasOwn(CLIENT_REQUESTS, method) ? CLIENT_REQUESTS[method] : undefined;
  if (known?.kind !== 'judged')
    throw new InterlockError('USAGE', method === '' ? 'the file is no message of JSON-RPC' : `\`${method}\` of MCP is not judged`);
  return { action: known.action, statement: bytes };
}

function askedOf({ name, protocol }: TargetConfig, { method = 'GET', path, header = [], body, tool, arguments: given = '{}' }: DecideOptions): Asked {
  if (path !== undefined && protocol === 'http') {
    const headers = Object.fromEntries(header.map((text) => [text.slice(0, text.indexOf(':')).trim(), text.slice(text.indexOf(':') + 1).trim()]));
    return askedHttp({ method, path, headers, ...(body === undefined ? {} : { body }) });
  }
  if (tool !== undefined && protocol === 'mcp') return askedMcp({ tool, arguments: objectOf(given) });
  throw new InterlockError(
    'USAGE',
    `\`${name}\` speaks ${protocol}: a database takes --statement, an API --path, an MCP server --tool, and both --request-file`,
  );
}

function objectOf(text: string): Record<string, unknown> {
  try {
    return fields(JSON.parse(text), '--arguments');
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    throw new InterlockError('USAGE', '--arguments: not JSON', { cause: error });
  }
}

export async function knownOf({ http, mcp }: TargetConfig): Promise<Pick<DryRunInput, 'knowledge'>> {
  if (http !== null) return { knowledge: (await import('../../http-target.ts')).httpCatalogOf(http) };
  const pins = mcp === null ? null : readPins(mcp.pinsFile);
  if (mcp === null || pins === null) return {};
  const tools = pins.tools.map(({ name, digest, definition }): McpTool => {
    return { name, digest, state: 'pinned', inputSchema: definition['inputSchema'], arguments: mcp.arguments[name] ?? [] };
  });
  return { knowledge: { kind: 'mcp', fingerprint: '', tools } };
}

export async function caseInput(config: LoadedConfig, line: CaseLine, options: DecideOptions): Promise<DryRunInput> {
  const { where, statement, params, transaction = 'idle', settings = {}, action = 'sql.execute' } = line;
  const usage = line.usage === undefined ? {} : { usage: usageOf(line.usage, where) };
  if (statement === undefined) return { ...(await caseMessage(config, line)), ...usage };
  if (!TRANSACTION_STATES.includes(transaction as TransactionState)) throw wrong(where, `\`transaction\` is one of ${TRANSACTION_STATES.join(', ')}`);
  if (action !== 'sql.execute' && action !== 'sql.prepare') throw wrong(where, '`action` is sql.execute or sql.prepare');
  if (!isTexts(settings)) throw wrong(where, '`settings` is a map of texts');
  return {
    subject: caseSubject(line.subject, where),
    resource: caseResource(config, line.resource, where, options.major),
    action,
    statement,
    transaction: transaction as TransactionState,
    settings: { ...SETTINGS, ...settings },
    supportedObligations: FULFILLED.postgresql,
    ...(params === undefined ? {} : { params: paramsOf(params, where) }),
    ...usage,
  };
}

/** A request or a call, of a target of the configuration. */
async function caseMessage(config: LoadedConfig, { where, http, mcp, subject, resource }: CaseLine): Promise<DryRunInput> {
  const name = typeof resource === 'string' ? resource : fields(resource, `${where}: \`resource\``)['id'];
  if (typeof name !== 'string') throw wrong(where, '`resource` needs the name of a target, or an `id` that is one');
  const target = targetOf(config, name);
  const { protocol: type, env, labels } = target;
  if (type !== (http === undefined ? 'mcp' : 'http')) throw wrong(where, `\`${name}\` speaks ${type}`);
  const asked = http === undefined ? askedMcp(fields(mcp, `${where}: \`mcp\``) as AskedMcp) : askedHttp(requestOf(http, where));
  return {
    subject: caseSubject(subject, where),
    resource: { type, id: name, properties: { env, labels: { ...labels } } },
    action: asked.action,
    statement: asked.statement,
    supportedObligations: FULFILLED[type],
    ...(await knownOf(withResources(target, config))),
  };
}

function requestOf(value: unknown, where: string): AskedHttp {
  const { method, path, headers = {}, body } = fields(value, `${where}: \`http\``);
  if (typeof path !== 'string' || (method !== undefined && typeof method !== 'string') || !isTexts(headers))
    throw wrong(where, '`http` is {method?, path, headers?, body?}');
  return { path, headers, body, ...(method !== undefined && { method }) };
}

function subjectOf(login: string, { group, type, for: owner, forGroup }: Pick<DecideOptions, 'group' | 'type' | 'for' | 'forGroup'>): Subject {
  const human = forGroup === undefined ? { groups: [], named_only: true as const } : { groups: [...forGroup] };
  const behalf = owner === undefined ? {} : { on_behalf_of: { id: `${ISSUER}|${owner}`, login: owner, ...human } };
  return { type, id: `${ISSUER}|${login}`, properties: { login, groups: [...(group ?? [])], ...behalf } };
}

function resourceOf(config: LoadedConfig, name: string, database: string | undefined, major: string): Resource {
  const target = Object.hasOwn(config.targets, name) ? (config.targets[name] as TargetConfig) : null;
  if (target === null) throw new InterlockError('USAGE', `there is no target \`${name}\`; there are: ${Object.keys(config.targets).join(', ')}`);
  const { upstream, env, labels } = target;
  const named = database ?? upstream.databases?.[0];
  const known = { ...(named === undefined ? {} : { database: named }), ...(upstream.kind === 'fields' ? { role: upstream.user } : {}) };
  return { type: target.protocol, id: name, properties: { env, labels: { ...labels }, ...known, server_version: major } };
}

/** CONTRACT §2's form, or short: `{login, groups}`. */
function caseSubject(value: unknown, where: string): Subject {
  const { type = 'user', id, properties, ...short } = fields(value, `${where}: \`subject\``);
  const { login, groups = [], ...rest } = fields(properties ?? short, `${where}: \`subject.properties\``);
  if (typeof login !== 'string' || !Array.isArray(groups) || !groups.every((group) => typeof group === 'string'))
    throw wrong(where, '`subject` needs a `login` and a list of `groups`');
  if (type !== 'user' && type !== 'service' && type !== 'agent') throw wrong(where, '`subject.type` is user, service or agent');
  return { type, id: typeof id === 'string' ? id : `${ISSUER}|${login}`, properties: { login, groups, ...rest } };
}

/** CONTRACT §2's form, or the name of a target, whose properties then count where nothing else is said. */
function caseResource(config: LoadedConfig, value: unknown, where: string, major: string): Resource {
  if (typeof value === 'string') return resourceOf(config, value, undefined, major);
  const { type = 'postgresql', id, properties = {} } = fields(value, `${where}: \`resource\``);
  if (typeof id !== 'string' || type !== 'postgresql') throw wrong(where, '`resource` needs an `id`, and `type` postgresql');
  const known = Object.hasOwn(config.targets, id)
    ? resourceOf(config, id, undefined, major).properties
    : { env: 'development', labels: {}, server_version: major };
  return { type, id, properties: { ...known, ...fields(properties, `${where}: \`resource.properties\``) } };
}

/** The whole request is held against the contract before it is judged; this is only for a readable message. */
function fields(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new InterlockError('USAGE', `${what} is not an object`);
}

function isTexts(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every((one) => typeof one === 'string');
}

function parseParams(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InterlockError('USAGE', '--params: not JSON', { cause: error });
  }
}

/** In the text format, as drivers send them; types as PostgreSQL names them, `unknown` where nothing is said. */
function paramsOf(value: unknown, where: string): readonly Param[] {
  if (!Array.isArray(value)) throw wrong(where, 'parameters are a list');
  return value.map((one: unknown, at): Param => {
    const given = typeof one === 'object' && one !== null ? (one as Record<string, unknown>) : { value: one };
    const { type = 'unknown', value: inner = null } = given;
    const plain = inner === null || typeof inner === 'string' || typeof inner === 'number' || typeof inner === 'boolean';
    if (!plain || typeof type !== 'string') throw wrong(where, `parameter ${at + 1} is not a text, number, boolean, null or {type, value}`);
    return { index: at + 1, type, value: inner === null ? null : String(inner), encoding: 'text', flows_to_code: false };
  });
}

function setting(text: string): [string, string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new InterlockError('USAGE', `--setting ${text}: allowed is NAME=VALUE`);
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function wrong(where: string, what: string): InterlockError {
  return new InterlockError('USAGE', `${where}: ${what}`);
}
