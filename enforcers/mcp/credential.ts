/** The gateway's own credential, as it goes to the server: headers of each request, or a variable of the process. Never to a client. */
import type { Clock } from '#client/clock';
import type { Lease } from '#client/credentials';
import type { Headers } from '#enforcers/common/service/headers';
import { signIn, tokenOf, type SignedRequest } from '#enforcers/common/service/signing-in';
import type { Tokens } from '#enforcers/common/service/tokens';
import { InterlockError } from '#schemas/errors';

/** Signs what is sent over HTTP. */
export interface Signer {
  /** What has to be fetched is there: signing will not wait. Rejects CREDENTIAL_UNAVAILABLE. */
  ready(): Promise<void> | null;
  sign(request: SignedRequest): Headers | Promise<Headers>;
  /** The server did not take it. @returns whether signing again gives another */
  refused(credential: Headers): boolean;
}

export function signerOf(lease: Lease, tokens: Tokens, clock: Clock): Signer {
  const { scheme } = lease;
  return {
    ready: () => {
      const token = scheme?.kind === 'oauth_client' ? tokens.token(lease, scheme) : '';
      return typeof token === 'string' ? null : token.then(() => {});
    },
    sign: (request) => signIn(request, lease, tokens, clock),
    refused: (credential) => {
      if (scheme?.kind !== 'oauth_client') return false;
      tokens.refused(lease, scheme, tokenOf(credential));
      return true;
    },
  };
}

/** @throws InterlockError CREDENTIAL_UNAVAILABLE: of a kind that a process does not take */
export function environmentOf({ password, scheme }: Lease): Readonly<Record<string, string>> {
  switch (scheme?.kind) {
    case undefined:
    case 'none':
      return {};
    case 'env':
      return { [scheme.name]: password };
    case 'bearer':
    case 'basic':
    case 'header':
    case 'oauth_client':
    case 'sigv4':
      throw new InterlockError(
        'CREDENTIAL_UNAVAILABLE',
        `a credential of kind ${scheme.kind} is for HTTP, and this server is a process: use \`env\``,
      );
  }
}
