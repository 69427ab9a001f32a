/**
 * Workloads that show a token of the platform that runs them (a Kubernetes service account's, GitHub's OIDC): verified as strictly as any other, and
 * worth nothing but the agent that the configuration binds its subject to. SECURITY §1.11
 */
import { decodeJwt, decodeProtectedHeader, jwtVerify, type JWSAlgorithm } from 'jose';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { checkIssuer, type IssuerConfig } from './issuer.ts';
import { type KeySource, remoteKeys } from './key-set.ts';
import { Refused } from './refused.ts';

export interface WorkloadIssuer {
  readonly url: string;
  readonly audience: string;
  readonly jwksUrl: string | null;
  readonly caFile: string | null;
  readonly algorithms: readonly string[];
  readonly maxAgeMs: number;
  /** Agents by subject. */
  readonly bind: ReadonlyMap<string, string>;
}

const TOKEN_CHARS_MAX = 16_384;
const TOLERANCE_S = 30;
const HEADERS_REFUSED = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];

/** @throws InterlockError CONFIG_INVALID for an issuer on unsound terms. Keys are fetched when the first token asks for them. */
export function openWorkloads(
  configs: readonly WorkloadIssuer[],
  clock: Clock,
  log: Log,
): (token: string) => Promise<{ readonly agent: string; readonly workload: string }> {
  const issuers = new Map<string, { readonly config: WorkloadIssuer; readonly keys: KeySource }>();
  for (const config of configs) {
    const terms: IssuerConfig = { ...config, tokenTypes: ['JWT'], claims: { login: 'sub', groups: 'groups' } };
    checkIssuer(terms);
    if (issuers.has(config.url)) throw new InterlockError('CONFIG_INVALID', `agents.workloads: ${config.url} is named twice`);
    issuers.set(config.url, { config, keys: remoteKeys(terms, clock, log) });
  }
  return async (token) => {
    try {
      const { config, keys } = issuerOf(token, issuers);
      const { payload } = await jwtVerify(token, keys, {
        issuer: config.url,
        audience: config.audience,
        algorithms: config.algorithms as JWSAlgorithm[],
        requiredClaims: ['sub', 'exp', 'iat', 'aud', 'iss'],
        maxTokenAge: Math.floor(config.maxAgeMs / 1000),
        clockTolerance: TOLERANCE_S,
        currentDate: new Date(clock.wallUs() / 1000),
      });
      const agent = config.bind.get(payload.sub ?? '');
      if (agent === undefined) throw new Refused('sub');
      return { agent, workload: `${config.url}|${payload.sub}` };
    } catch (error) {
      log.warn({ check: error instanceof Refused ? error.check : 'jwt' }, 'a workload’s token was not accepted');
      throw new InterlockError('AUTH_FAILED', 'the token was not accepted');
    }
  };
}

/** A token for several audiences was made for others too: only one for us alone counts. */
function issuerOf<I>(token: string, issuers: ReadonlyMap<string, I>): I {
  if (token.length > TOKEN_CHARS_MAX || token.split('.', 6).length !== 3) throw new Refused('form');
  const header = decodeProtectedHeader(token);
  const odd = HEADERS_REFUSED.find((name) => name in header);
  if (odd !== undefined) throw new Refused(odd);
  // Kubernetes says no `typ` at all, GitHub `JWT`; neither makes any other kind
  if (header.typ !== undefined && !/^(application\/)?jwt$/i.test(header.typ)) throw new Refused('typ');
  const { iss, aud } = decodeJwt(token);
  const issuer = issuers.get(String(iss));
  if (issuer === undefined) throw new Refused('iss');
  if (Array.isArray(aud) && aud.length > 1) throw new Refused('aud');
  return issuer;
}
