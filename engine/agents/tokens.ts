/**
 * The token endpoint: an agent's key, a workload's token or a human's consent → a short-lived token.
 * https://www.rfc-editor.org/rfc/rfc6749 §4.4, rfc7523 §2.2, rfc8693, rfc8707
 */
import type { Clock } from '#client/clock';
import type { Principal } from '#client/identity';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { AgentRecord } from '#schemas/event-agent';
import { Assertions, type Client } from './assertion.ts';
import { Buckets } from './buckets.ts';
import { type AgentIssuer, isFresh, TokenRefused } from './issuer.ts';
import { LIMITS, TOKEN_RATE } from './limits.ts';
import type { AgentSettings, OAuthError, TokenAnswer, TokenEndpoint, Workloads } from './parts.ts';
import type { Registry } from './registry.ts';

export interface TokensOptions {
  readonly registry: Registry;
  readonly issuer: AgentIssuer;
  readonly url: () => string;
  readonly targetOf: (resource: string) => string | null;
  readonly settings: AgentSettings;
  readonly workloads: Workloads;
  /** A human's own token, of any scope. @throws InterlockError AUTH_FAILED */
  readonly human: (token: string) => Promise<Principal>;
  /** What was seen of humans until now stands in the registry. */
  readonly settled: () => Promise<void>;
  /** This agent asks: it is written down again if that is long ago. */
  readonly asked: (name: string) => void;
  readonly keys: () => readonly { readonly kid: string; readonly jwk: Readonly<Record<string, unknown>> }[];
  readonly clock: Clock;
  readonly log: Log;
}

const GRANTS = {
  client: 'client_credentials',
  exchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
} as const;
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const TYPE = { access: 'urn:ietf:params:oauth:token-type:access_token', jwt: 'urn:ietf:params:oauth:token-type:jwt' } as const;
const FIELDS = [
  'grant_type',
  'client_id',
  'client_assertion_type',
  'client_assertion',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
  'audience',
  'scope',
];

/** For whom, and until when at the latest. */
interface Granted {
  readonly name: string;
  readonly record: AgentRecord;
  readonly human: { readonly id: string; readonly login: string; readonly groups: readonly string[] };
  readonly untilMs: number;
  readonly exchanged: boolean;
}

/** An answer of the endpoint that is not a token. */
class Denied extends Error {
  readonly status: 400 | 401 | 429 | 503;
  readonly code: OAuthError;
  constructor(code: OAuthError, message: string, status: 400 | 401 | 429 | 503 = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function tokenEndpoint(options: TokensOptions): TokenEndpoint {
  const assertions = new Assertions({ ...options, audiences: () => [options.url(), `${options.url()}/oauth/token`] });
  const rates = new Buckets(TOKEN_RATE, options.clock);
  const grant = async (fields: URLSearchParams): Promise<Granted> => {
    checkFields(fields);
    const type = fields.get('grant_type');
    if (type === GRANTS.client) return await byKey(fields, { ...options, assertions });
    if (type === GRANTS.exchange) return await byExchange(fields, { ...options, assertions });
    throw new Denied('unsupported_grant_type', `grant_type is ${GRANTS.client} or ${GRANTS.exchange}`);
  };
  return {
    answer: async (fields) => {
      try {
        await options.settled();
        const granted = await grant(fields);
        if (!rates.take(granted.name)) throw new Denied('slow_down', 'too many tokens: use the one you have until it expires', 429);
        return await issued(granted, fields, options);
      } catch (error) {
        return refused(error, options.log);
      }
    },
    metadata: () => metadata(options.url()),
    keys: () => ({ keys: options.keys().map(({ kid, jwk }) => ({ ...jwk, kid, alg: 'EdDSA', use: 'sig' })) }),
  };
}

type Asked = TokensOptions & { readonly assertions: Assertions };

/** The agent for itself, on behalf of its owner. */
async function byKey(fields: URLSearchParams, options: Asked): Promise<Granted> {
  const client = await clientOf(fields, options);
  return onBehalfOfOwner(client, options);
}

async function byExchange(fields: URLSearchParams, options: Asked): Promise<Granted> {
  const token = fields.get('subject_token');
  const type = fields.get('subject_token_type');
  if (token === null || token.length > LIMITS.tokenChars || (type !== TYPE.access && type !== TYPE.jwt))
    throw new Denied('invalid_request', `subject_token is needed, with subject_token_type ${TYPE.access} or ${TYPE.jwt}`);
  const requested = fields.get('requested_token_type');
  if (requested !== null && requested !== TYPE.access && requested !== TYPE.jwt) throw new Denied('invalid_request', 'only access tokens are issued');
  if (fields.has('client_assertion')) return await forHuman(await clientOf(fields, options), token, options);
  if (fields.has('actor_token')) throw new Denied('invalid_request', 'the actor is the agent: it shows who it is with client_assertion');
  return await byWorkload(token, options);
}

/** The human's own token says that the agent may act for them, and with which groups. */
async function forHuman({ name, record }: Client, token: string, { human, clock }: Asked): Promise<Granted> {
  const { subject, expiresAtMs } = await human(token);
  const { id, properties } = subject;
  if (subject.type !== 'user' || properties.on_behalf_of !== undefined) throw new Denied('invalid_grant', 'the subject token is not a human’s own');
  if (expiresAtMs <= clock.wallUs() / 1000) throw new Denied('invalid_grant', 'the subject token has expired');
  return { name, record, human: { id, login: properties.login, groups: properties.groups }, untilMs: expiresAtMs, exchanged: true };
}

async function byWorkload(token: string, options: Asked): Promise<Granted> {
  const { agent } = await options.workloads(token);
  const record = options.registry.get(agent)?.record;
  if (!record) throw new Denied('invalid_grant', 'this workload is bound to no agent');
  return { ...onBehalfOfOwner({ name: agent, record }, options), exchanged: true };
}

function onBehalfOfOwner({ name, record }: Client, { settings, clock }: Asked): Granted {
  const { owner } = record;
  const { id, login, groups } = owner;
  if (id === null || groups === null)
    throw new Denied('invalid_grant', `${login}, on whose behalf this agent acts, was never seen here: they must connect or log in once`);
  if (!isFresh(owner, settings.humanMaxAgeMs, clock))
    throw new Denied('invalid_grant', `${login}, on whose behalf this agent acts, was not seen here for too long: they must connect or log in again`);
  return { name, record, human: { id, login, groups }, untilMs: Number.POSITIVE_INFINITY, exchanged: false };
}

async function clientOf(fields: URLSearchParams, { assertions }: Asked): Promise<Client> {
  const assertion = fields.get('client_assertion');
  if (assertion === null || fields.get('client_assertion_type') !== ASSERTION)
    throw new Denied('invalid_client', `client_assertion is needed, with client_assertion_type ${ASSERTION}`, 401);
  try {
    return await assertions.verify(assertion, fields.get('client_id'));
  } catch (error) {
    if (error instanceof TokenRefused && error.message === 'memory') throw new Denied('temporarily_unavailable', 'try again in a moment', 503);
    throw new Denied('invalid_client', 'the assertion was not accepted', 401);
  }
}

async function issued(granted: Granted, fields: URLSearchParams, options: TokensOptions): Promise<TokenAnswer> {
  const { name, record, human, untilMs, exchanged } = granted;
  const resources = resourcesOf(fields, record, options);
  const { clock, settings, issuer, asked } = options;
  const ttlMs = Math.min(settings.tokenTtlMs, untilMs - clock.wallUs() / 1000);
  if (ttlMs < 1000) throw new Denied('invalid_grant', 'the subject token is about to expire');
  const { token, expiresInS } = await issuer.issue({ agent: name, keyId: record.key_id, human, resources, ttlMs });
  asked(name);
  const type = exchanged ? { issued_token_type: TYPE.access } : {};
  return { ok: true, document: { access_token: token, ...type, token_type: 'Bearer', expires_in: expiresInS, scope: 'connect' } };
}

/** https://www.rfc-editor.org/rfc/rfc8707 §2: only what is ours, and this agent's. `audience` (RFC 8693) names targets. */
function resourcesOf(fields: URLSearchParams, { targets }: AgentRecord, { targetOf, url }: TokensOptions): readonly string[] {
  const named = fields.getAll('audience').map((target) => `${url()}/targets/${target}`);
  const resources = [...new Set([...fields.getAll('resource'), ...named])];
  if (resources.length > LIMITS.resourcesPerRequest) throw new Denied('invalid_target', `at most ${LIMITS.resourcesPerRequest} resources`);
  if (resources.includes(url())) return []; // the whole installation: what is named beside it narrows nothing
  for (const resource of resources) {
    const target = targetOf(resource);
    if (target === null || !targets.includes(target))
      throw new Denied('invalid_target', 'this agent has no such resource here; its targets are `interlock skill show`’s');
  }
  return resources;
}

/** Each at most once: of two, one part would read the first and another the last. */
function checkFields(fields: URLSearchParams): void {
  let count = 0;
  for (const name of new Set(fields.keys())) {
    if (++count > LIMITS.fieldsPerRequest) throw new Denied('invalid_request', 'too many fields');
    if (name !== 'resource' && FIELDS.includes(name) && name !== 'audience' && fields.getAll(name).length > 1)
      throw new Denied('invalid_request', `${name} stands there more than once`);
  }
  const scope = fields.get('scope');
  if (scope !== null && scope !== '' && scope !== 'connect')
    throw new Denied('invalid_scope', 'agents connect, and never decide: the scope is `connect`');
}

/** A word for the log, never a value; the client learns no more than the standard's codes and what is no secret. */
function refused(error: unknown, log: Log): TokenAnswer {
  if (error instanceof Denied) {
    log.info({ error: error.code }, 'an agent got no token');
    return { ok: false, status: error.status, error: error.code, description: error.message };
  }
  if (error instanceof InterlockError || error instanceof TokenRefused) {
    log.info({ error: 'invalid_grant' }, 'a token was not exchanged');
    return { ok: false, status: 400, error: 'invalid_grant', description: 'the subject token was not accepted' };
  }
  log.error({ err: error }, 'the token endpoint failed');
  return { ok: false, status: 503, error: 'temporarily_unavailable', description: 'a fault of ours' };
}

/** https://www.rfc-editor.org/rfc/rfc8414 §2 */
function metadata(url: string): Readonly<Record<string, unknown>> {
  return {
    issuer: url,
    token_endpoint: `${url}/oauth/token`,
    jwks_uri: `${url}/oauth/keys`,
    grant_types_supported: Object.values(GRANTS),
    response_types_supported: [],
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['EdDSA', 'ES256'],
    scopes_supported: ['connect'],
    resource_indicators_supported: true,
  };
}
