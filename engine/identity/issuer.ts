/** Whose tokens are accepted, and on which terms. The shape of `identity.issuers` after the configuration was read. */
import { InterlockError } from '#schemas/errors';

export interface IssuerConfig {
  /** Exactly what the tokens' `iss` says. */
  readonly url: string;
  /** Exactly what `aud` must contain. */
  readonly audience: string;
  /** null: from the discovery document, which must then name the issuer's own host. */
  readonly jwksUrl: string | null;
  /** PEM file that the issuer's TLS certificate is checked with; null: the system's roots. */
  readonly caFile: string | null;
  readonly algorithms: readonly string[];
  /** Accepted `typ` headers. `JWT` also admits ID tokens of many issuers: those are recognised by their own claims and refused. */
  readonly tokenTypes: readonly string[];
  readonly maxAgeMs: number;
  readonly claims: { readonly login: string; readonly groups: string };
  /** The built-in issuer: a human behind an agent without groups is named for approvals, and limits nothing. */
  readonly trial?: true;
}

/** Signatures by a private key only: what verifies can never sign. https://www.iana.org/assignments/jose/jose.xhtml */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/** @throws InterlockError CONFIG_INVALID for terms that would let anybody in. */
export function checkIssuer(issuer: IssuerConfig): void {
  const wrong = (what: string): InterlockError => new InterlockError('CONFIG_INVALID', `identity issuer ${issuer.url}: ${what}`);
  if (!isSecure(issuer.url)) throw wrong('the address must be https:// (http:// on loopback only)');
  // The principal is `iss|sub`: the bar must stand between the two and nowhere before.
  if (issuer.url.includes('|')) throw wrong('the address must not contain `|`');
  if (issuer.jwksUrl !== null && !isSecure(issuer.jwksUrl)) throw wrong('the address of its keys must be https:// (http:// on loopback only)');
  if (issuer.audience === '') throw wrong('an audience is needed');
  const odd = issuer.algorithms.find((algorithm) => !ALGORITHMS.includes(algorithm));
  if (odd !== undefined || issuer.algorithms.length === 0)
    throw wrong(`algorithm ${odd ?? '(none)'} is not accepted; allowed: ${ALGORITHMS.join(', ')}`);
  if (issuer.tokenTypes.length === 0) throw wrong('a token type is needed, such as at+jwt');
  if (!(issuer.maxAgeMs > 0)) throw wrong('the highest age must be above zero');
}

/** Keys fetched over anything else could be anybody's. */
export function isSecure(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname));
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}
