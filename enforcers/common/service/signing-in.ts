/** How the gateway signs in at the target: what a lease says, as headers of a request (invariant 7: they stand in no payload, no record, no answer). */
import type { Clock } from '#client/clock';
import type { Lease } from '#client/credentials';
import { InterlockError } from '#schemas/errors';
import type { Headers } from './headers.ts';
import { amzDate, sha256, signature } from './sigv4.ts';
import type { Tokens } from './tokens.ts';

export interface SignedRequest {
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** The header by which this lease signs in, in lower case: what a client says there goes nowhere. */
export function credentialHeader({ scheme }: Pick<Lease, 'scheme'>): string {
  return scheme?.kind === 'header' ? scheme.name.toLowerCase() : 'authorization';
}

/** Headers to be added. A value where nothing has to be fetched. Rejects CREDENTIAL_UNAVAILABLE. */
export function signIn(request: SignedRequest, lease: Lease, tokens: Tokens, clock: Clock): Headers | Promise<Headers> {
  const { scheme = { kind: 'none' } } = lease;
  switch (scheme.kind) {
    case 'none':
      return [];
    case 'bearer':
      return authorization(`Bearer ${plain(lease.password)}`);
    case 'basic':
      return authorization(`Basic ${Buffer.from(`${lease.user}:${lease.password}`, 'utf8').toString('base64')}`);
    case 'header':
      return [[scheme.name.toLowerCase(), plain(lease.password)]];
    case 'oauth_client': {
      const token = tokens.token(lease, scheme);
      return typeof token === 'string' ? authorization(`Bearer ${token}`) : token.then((fetched) => authorization(`Bearer ${fetched}`));
    }
    case 'sigv4':
      return signed(request, lease, scheme, clock);
    case 'env':
      throw new InterlockError('CREDENTIAL_UNAVAILABLE', 'a credential in the environment is for programs, not for services');
  }
}

/** Of a credential that is a token. */
export function tokenOf(credential: Headers): string {
  return credential.find(([name]) => name === 'authorization')?.[1].replace(/^Bearer /, '') ?? '';
}

function authorization(value: string): Headers {
  return [['authorization', value]];
}

/** What would end a header and begin another is no credential. */
function plain(secret: string): string {
  if (!/^[\t -~]+$/.test(secret)) throw new InterlockError('CREDENTIAL_UNAVAILABLE', 'the credential holds characters that no header takes');
  return secret;
}

function signed(
  { method, target, authority, headers, body }: SignedRequest,
  lease: Lease,
  scheme: { readonly region: string; readonly service: string },
  clock: Clock,
): Headers {
  const added: (readonly [string, string])[] = [['x-amz-date', amzDate(clock.wallUs())]];
  if (scheme.service === 's3') added.push(['x-amz-content-sha256', sha256(body)]);
  const type = headers.filter(([name]) => name === 'content-type' || name.startsWith('x-amz-'));
  const key = { accessKeyId: lease.user, secret: lease.password, region: scheme.region, service: scheme.service };
  const value = signature({ method, target, headers: [['host', authority], ...type, ...added], body }, key);
  return [...added, ['authorization', value]];
}
