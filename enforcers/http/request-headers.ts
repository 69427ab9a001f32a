/** Which headers of a client's request go to the target: by our own lists, never by what the client's `Connection` names (SECURITY H1, H4). */
import { boundedMemo } from '#client/bounded-memo';
import { HTTP_INCIDENTAL } from '#client/http-message';
import type { HeaderList } from './answer.ts';
import type { HeaderRules } from './target.ts';

export interface ScreenedHeaders {
  /** Part of what is judged, in order. */
  readonly judged: HeaderList;
  /** Beside it: they say nothing of what is asked for. */
  readonly incidental: HeaderList;
}

export interface Screening {
  readonly rules: HeaderRules;
  /** The header by which the gateway signs in; what a client says there goes nowhere. Lower case. */
  readonly credential: string;
}

export function screenHeaders(headers: HeaderList, { rules, credential }: Screening): ScreenedHeaders {
  const judged: (readonly [string, string])[] = [];
  const incidental: (readonly [string, string])[] = [];
  for (const header of headers) {
    const [name] = header;
    if (isDropped(name) || name === credential) continue;
    if ((name === 'cookie' || name === 'cookie2') && rules.cookies !== true) continue;
    if (rules.drop?.includes(name) === true || (rules.set !== undefined && Object.hasOwn(rules.set, name))) continue;
    if (HTTP_INCIDENTAL.has(name)) incidental.push(header);
    else judged.push(header);
  }
  return { judged, incidental };
}

/** Nothing is run: the approval that the request needs is asked for. */
export const ASK_ONLY = 'interlock-ask-only';

/** Of one connection, of the client's own signing in, of framing, and those by which frameworks take method or path from elsewhere. */
const OWN: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'expect',
  'forwarded',
  'host',
  'http2-settings',
  ASK_ONLY,
  'keep-alive',
  'prefer',
  'remote-user',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade-insecure-requests',
  'via',
  'x-method',
  'x-tunnel-method',
]);

/** Who somebody is, or where they come from: whoever reads one of these believes a proxy, and the proxy is the gateway. */
const IDENTITY =
  /^(?:proxy-|impersonate-|x-forwarded|x-original-|x-rewrite-|x-real-|x-remote-|x-auth|x-user|x-client-(?:ip|cert|dn|verify|cn|principal|id)|x-ssl-|ssl-client|x-webauth-|x-ms-client-principal|x-goog-(?:authenticated|iap)|x-amzn-(?:oidc|mtls)|x-amz-security-token|x-pomerium-|x-envoy-|x-api-key$|api-key$|x-access-token$|x-jwt|x-cluster-client-ip$|x-host$|x-url$|true-client-ip$|cf-|fastly-|client-ip$|client-cert|x-interlock-)|^x-(?:.*-)?(?:user|username|userid|user-id|login|email|groups?|roles?|tenant|identity|principal|subject|scopes?|admin)$/;

/**
 * What a proxy or framework says to itself: which path or host is meant, what was checked already (Next.js took `x-middleware-subrequest` from
 * anybody), where files are, who the gateway in front found (Kong, Hasura). And secrets of the target's own: with one of them somebody signs in past the
 * gateway's credential, and it would stand in the record.
 */
const INTERNAL =
  /^(?:x-http-|x-override-|x-middleware-|x-invoke-|x-matched-path$|x-now-|x-vercel-|x-accel-|x-sendfile|x-forward|x-istio-|l5d-|akamai-|x-akamai-|x-cf-|x-originating-|x-proxyuser-|x-custom-ip-|x-consumer-|x-credential-|x-anonymous-consumer$|x-hasura-|x-parse-|early-data$|cdn-loop$|max-forwards$|set-cookie$)|-override$|^(?:apikey|authentication|www-authorization|private-token|job-token|deploy-token|dapr-api-token|x-gitlab-token|x-vault-token|x-consul-token|x-nomad-token|x-shopify-access-token|x-aws-ec2-metadata-token(?:-ttl-seconds)?|metadata|metadata-flavor)$/;

/**
 * Who somebody is, as other proxies, single sign-on modules and clouds say it to what stands behind them; and where a gateway of a cloud puts what it
 * found of a request.
 */
const PRODUCTS =
  /^(?:remote-|tailscale-|teleport-|shib-|oidc-|saml-|mellon-|sm-|x-(?:azure-|appengine-|arr-|apigateway-|apisix-|authentik-|backend-|edge-|gateway-|gfe-|id-token$|ingress-|internal-|kong-|ldap-|lb-|nginx-|oauth|oidc-|php-ob-level$|proxy-|saml-|shib-|token$|trusted-|vouch-|wso2-|clientip$|amzn-(?!trace-id$)))|^(?:affiliation|entitlement|eppn|persistent-id|targeted-id|unscoped-affiliation|z-forwarded-for)$/;

/** Names are few, and said with every request: each is looked at once. Past this they are forgotten. */
const NAMES = 1_024;
const isDropped = boundedMemo(NAMES, saysWhatIsOurs);

/** Names with `_` are told from those with `-` by some servers only (CGI). */
function saysWhatIsOurs(name: string): boolean {
  return OWN.has(name) || name.includes('_') || IDENTITY.test(name) || INTERNAL.test(name) || PRODUCTS.test(name);
}

/** What a client's `Prefer: wait=N` says, in milliseconds; null: nothing (RFC 7240). */
export function preferredWaitMs(headers: HeaderList): number | null {
  for (const [name, value] of headers) {
    if (name !== 'prefer') continue;
    const seconds = /(?:^|[,;])[ \t]*wait[ \t]*=[ \t]*"?(\d{1,6})"?[ \t]*(?=$|[,;])/i.exec(value)?.[1];
    if (seconds !== undefined) return Number(seconds) * 1000;
  }
  return null;
}
