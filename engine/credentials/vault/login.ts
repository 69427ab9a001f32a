/**
 * The token that Vault is asked with. One that we got by logging in is renewed as long as it can be, and replaced before its end; the
 * database users that were made with it end with it, so it is never revoked while they may be in use.
 */
import type { Clock } from '#client/clock';
import { TOKEN_LEFT_MS_MIN, TOKEN_READ_MS } from '../limits.ts';
import { hidingTheNewest, type SecretLog } from '../secret-log.ts';
import type { VaultExchange } from './exchange.ts';
import { record, refusedBy, text, trouble } from './trouble.ts';

/** Secrets are read from their references each time they are needed. */
export type VaultAuth =
  | { readonly kind: 'token'; readonly token: () => Promise<string> }
  | { readonly kind: 'approle'; readonly mount: string; readonly roleId: () => Promise<string>; readonly secretId: (() => Promise<string>) | null }
  | { readonly kind: 'kubernetes'; readonly mount: string; readonly role: string; readonly jwt: () => Promise<string> };

interface Token {
  readonly value: string;
  /** By our monotonic clock. */
  readonly endsUs: number;
  readonly lifeMs: number;
  readonly renewable: boolean;
}

export interface LoginOptions {
  readonly auth: VaultAuth;
  readonly exchange: VaultExchange;
  readonly clock: Clock;
  readonly log: SecretLog;
}

const LIFE_MS_MAX = 2 ** 31 - 1;

export class VaultLogin {
  readonly #options: LoginOptions;
  #token: Token | null = null;
  #getting: Promise<Token> | null = null;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  readonly #hide: (token: string) => void;

  constructor(options: LoginOptions) {
    this.#options = options;
    this.#hide = hidingTheNewest(options.log);
  }

  /** @throws InterlockError CREDENTIAL_UNAVAILABLE */
  async token(): Promise<string> {
    const known = this.#token;
    if (known !== null && this.#leftMs(known) > Math.min(TOKEN_LEFT_MS_MIN, known.lifeMs / 4)) return known.value;
    return (await this.#get()).value;
  }

  /** Vault does not take this one any more: the next question gets another, if there is one. */
  refused(token: string): void {
    if (this.#token?.value === token) this.#token = null;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#token = null;
  }

  /** Whoever asks meanwhile shares it. */
  #get(): Promise<Token> {
    this.#getting ??= this.#login().finally(() => {
      this.#getting = null;
    });
    return this.#getting;
  }

  async #login(): Promise<Token> {
    const { auth, clock } = this.#options;
    switch (auth.kind) {
      case 'token':
        return this.#took({ value: await auth.token(), endsUs: clock.monotonicUs() + TOKEN_READ_MS * 1000, lifeMs: TOKEN_READ_MS, renewable: false });
      case 'approle': {
        const secretId = await auth.secretId?.();
        return await this.#exchanged(auth.mount, { role_id: await auth.roleId(), ...(secretId !== undefined && { secret_id: secretId }) });
      }
      case 'kubernetes':
        return await this.#exchanged(auth.mount, { role: auth.role, jwt: await auth.jwt() });
    }
  }

  async #exchanged(mount: string, body: object): Promise<Token> {
    const answer = await this.#options.exchange
      .ask({ method: 'POST', path: `auth/${mount}/login`, token: null, body })
      .catch((error: unknown) => Promise.reject(trouble(`login at auth/${mount}`, error)));
    if (answer.status !== 200) throw refusedBy(`login at auth/${mount}`, answer.status);
    return this.#took(this.#tokenOf(`login at auth/${mount}`, answer.body['auth']));
  }

  #tokenOf(what: string, auth: unknown): Token {
    const { client_token: value, lease_duration: seconds, renewable } = record(auth);
    if (!text(value) || typeof seconds !== 'number') throw trouble(what, new Error('its answer has no token'));
    // 0: a token without an end
    const lifeMs = seconds > 0 ? Math.min(seconds * 1000, LIFE_MS_MAX) : LIFE_MS_MAX;
    return { value, lifeMs, endsUs: this.#options.clock.monotonicUs() + lifeMs * 1000, renewable: renewable === true };
  }

  #took(token: Token): Token {
    this.#hide(token.value);
    this.#token = token;
    clearTimeout(this.#timer);
    if (token.renewable && !this.#closed) this.#timer = setTimeout(() => void this.#renew(token), Math.min(token.lifeMs / 2, LIFE_MS_MAX)).unref();
    return token;
  }

  /** When it cannot be renewed any more, or not for long, the next question logs in anew. */
  async #renew(token: Token): Promise<void> {
    const { exchange, log } = this.#options;
    try {
      const answer = await exchange.ask({ method: 'PUT', path: 'auth/token/renew-self', token: token.value, body: {} });
      if (answer.status !== 200) throw refusedBy('renewing its token', answer.status);
      const renewed = { ...this.#tokenOf('renewing its token', answer.body['auth']), value: token.value };
      if (this.#token?.value !== token.value) return;
      this.#took(renewed.lifeMs < token.lifeMs / 2 ? { ...renewed, renewable: false } : renewed);
    } catch (error) {
      log.warn({ reason: (error as Error).message }, 'the token of Vault could not be renewed; a new one is got when this one ends');
      if (this.#token === token && !this.#closed)
        this.#timer = setTimeout(() => void this.#renew(token), Math.max(1_000, this.#leftMs(token) / 2)).unref();
    }
  }

  #leftMs({ endsUs }: Token): number {
    return (endsUs - this.#options.clock.monotonicUs()) / 1000;
  }
}
