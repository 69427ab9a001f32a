/** Tokens of OAuth 2.0 client credentials (RFC 6749 §4.4), for leases that say so: fetched, kept while they are good, renewed before they end. */
import { createHash } from 'node:crypto';
import type { Lease, LeaseScheme } from '#client/credentials';
import { InterlockError } from '#schemas/errors';
import { SERVICE_LIMITS } from './limits.ts';
import { Place } from './place.ts';
import { postForm } from './post-form.ts';

type OAuthClient = Extract<LeaseScheme, { kind: 'oauth_client' }>;

export interface TokensParts {
  readonly target: string;
  readonly ca: string | undefined;
  /** Monotonic, milliseconds. */
  readonly nowMs: () => number;
}

interface Known {
  readonly token: string;
  readonly endsMs: number;
}

/** One for each target: its sessions share a token while they have the same credential. */
export class Tokens {
  readonly #parts: TokensParts;
  readonly #known = new Map<string, Known>();
  readonly #fetching = new Map<string, Promise<Known>>();

  constructor(parts: TokensParts) {
    this.#parts = parts;
  }

  /** A value where one is known that is good a while longer. Rejects CREDENTIAL_UNAVAILABLE, which names the authority and no secret. */
  token(lease: Lease, scheme: OAuthClient): string | Promise<string> {
    const key = keyOf(lease, scheme);
    const known = this.#known.get(key);
    if (known !== undefined && this.#parts.nowMs() < known.endsMs) return known.token;
    let fetching = this.#fetching.get(key);
    if (fetching === undefined) {
      fetching = this.#fetch(lease, scheme).finally(() => this.#fetching.delete(key));
      fetching.then((fresh) => this.#keep(key, fresh)).catch(() => {});
      this.#fetching.set(key, fetching);
    }
    return fetching.then(({ token }) => token);
  }

  /** The target did not take this one: the next request has another, which may be known already. */
  refused(lease: Lease, scheme: OAuthClient, token: string): void {
    const key = keyOf(lease, scheme);
    if (this.#known.get(key)?.token === token) this.#known.delete(key);
  }

  #keep(key: string, fresh: Known): void {
    // a credential that was changed leaves a token behind that nobody asks for
    if (this.#known.size >= 16) this.#known.clear();
    this.#known.set(key, fresh);
  }

  async #fetch(lease: Lease, scheme: OAuthClient): Promise<Known> {
    const { target, ca, nowMs } = this.#parts;
    const place = new Place({ upstream: { url: scheme.tokenUrl, ...(ca !== undefined && { ca }) }, target, nowMs });
    try {
      const { status, body } = await ask(place, lease, scheme);
      const answer = status === 200 ? parsed(body) : {};
      const { access_token: token, expires_in: seconds } = answer;
      if (typeof token !== 'string' || !/^[!-~]{1,8192}$/.test(token))
        throw new Error(status === 200 ? 'its answer holds no token' : `it answered ${status}`);
      const lifeMs = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : 300_000;
      return { token, endsMs: nowMs() + Math.max(0, lifeMs - SERVICE_LIMITS.tokenLeftMs) };
    } catch (error) {
      // no cause: what was sent to the authority may stand in what it says
      throw new InterlockError('CREDENTIAL_UNAVAILABLE', `${place.authority} gave no token: ${(error as Error).message}`);
    }
  }
}

function keyOf({ user, password }: Lease, { tokenUrl, scope = '', audience = '' }: OAuthClient): string {
  return createHash('sha256')
    .update(JSON.stringify([tokenUrl, user, password, scope, audience]))
    .digest('base64');
}

function parsed(body: Buffer): Record<string, unknown> {
  const value: unknown = JSON.parse(body.toString('utf8'));
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

async function ask(place: Place, lease: Lease, { scope, audience }: OAuthClient): Promise<{ readonly status: number; readonly body: Buffer }> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    ...(scope !== undefined && { scope }),
    ...(audience !== undefined && { audience }),
  });
  const basic = Buffer.from(`${encodeURIComponent(lease.user)}:${encodeURIComponent(lease.password)}`, 'utf8').toString('base64');
  return await postForm(place, form, `Basic ${basic}`);
}
