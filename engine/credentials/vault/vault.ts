/** HashiCorp Vault, or OpenBao, as a source of credentials: key-value secrets, and users that its database engine makes. */
import type { Clock } from '#client/clock';
import type { InterlockError } from '#schemas/errors';
import type { SecretLog } from '../secret-log.ts';
import type { Credential, CredentialSource, Grant } from '../source.ts';
import { type VaultAddress, VaultExchange, type VaultAnswer, type VaultQuestion } from './exchange.ts';
import { type VaultAuth, VaultLogin } from './login.ts';
import { record, refusedBy, text, trouble, VaultAnswerOdd } from './trouble.ts';

export interface VaultOptions extends VaultAddress {
  readonly auth: VaultAuth;
  readonly clock: Clock;
  readonly log: SecretLog;
}

/** One field of a key-value secret. */
export interface VaultSecret {
  readonly mount: string;
  readonly path: string;
  readonly field: string;
  /** Version of the engine. */
  readonly kv: 1 | 2;
}

/** A role of the database engine. */
export interface VaultDatabase {
  readonly mount: string;
  readonly role: string;
  /** static: a user that is there, whose password Vault changes; dynamic: made for each lease. */
  readonly kind: 'dynamic' | 'static';
}

export class Vault {
  readonly #exchange: VaultExchange;
  readonly #login: VaultLogin;

  constructor({ auth, clock, log, ...address }: VaultOptions) {
    this.#exchange = new VaultExchange(address);
    this.#login = new VaultLogin({ auth, exchange: this.#exchange, clock, log });
  }

  /** @throws InterlockError CREDENTIAL_UNAVAILABLE, naming the reference and never the value */
  async secret({ mount, path, field, kv }: VaultSecret): Promise<string> {
    const what = `${mount}/${path}#${field}`;
    const { data } = await this.#ask(what, {
      method: 'GET',
      path: kv === 2 ? `${escaped(mount)}/data/${escaped(path)}` : `${escaped(mount)}/${escaped(path)}`,
    });
    const fields = record(kv === 2 ? record(data)['data'] : data);
    const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (!text(value)) throw trouble(what, new VaultAnswerOdd(value === undefined ? 'it has no such field' : 'that field is no text, or empty'));
    return value;
  }

  /** What signs in by a role of the database engine. */
  database({ mount, role, kind }: VaultDatabase): CredentialSource {
    const what = `${mount}/${kind === 'static' ? 'static-creds' : 'creds'}/${role}`;
    const issue = async (): Promise<Credential> => {
      const answer = await this.#ask(what, { method: 'GET', path: escaped(what) });
      const { username, password } = record(answer['data']);
      if (!text(username) || !text(password)) throw trouble(what, new VaultAnswerOdd('its answer has no user and password'));
      if (kind === 'static') return { user: username, password };
      return { user: username, password, role, grant: grantOf(what, answer) };
    };
    if (kind === 'static') return { issue };
    return {
      issue,
      owns: (handle) => handle.startsWith(`${what}/`),
      renew: async (handle) => grantOf(what, await this.#ask(what, { method: 'PUT', path: 'sys/leases/renew', body: { lease_id: handle } })),
      revoke: async (handle) => void (await this.#ask(what, { method: 'PUT', path: 'sys/leases/revoke', body: { lease_id: handle } })),
    };
  }

  close(): void {
    this.#login.close();
    this.#exchange.close();
  }

  /** A token that is refused is tried once more with a new one: it may have ended meanwhile. */
  async #ask(what: string, question: Omit<VaultQuestion, 'token'>): Promise<VaultAnswer['body']> {
    const first = await this.#login.token();
    let answer = await this.#send(what, { ...question, token: first });
    if (answer.status === 403) {
      this.#login.refused(first);
      const second = await this.#login.token();
      if (second !== first) answer = await this.#send(what, { ...question, token: second });
    }
    if (answer.status !== 200 && answer.status !== 204) throw refusedBy(what, answer.status);
    return answer.body;
  }

  async #send(what: string, question: VaultQuestion): Promise<VaultAnswer> {
    return await this.#exchange
      .ask(question)
      .catch((error: unknown): Promise<never> => Promise.reject<never>(trouble(what, error) satisfies InterlockError));
  }
}

function grantOf(what: string, { lease_id: handle, lease_duration: seconds, renewable }: VaultAnswer['body']): Grant {
  if (!text(handle) || !handle.startsWith(`${what}/`) || typeof seconds !== 'number' || !(seconds >= 0))
    throw trouble(what, new VaultAnswerOdd('its answer has no lease'));
  return { handle, lifeMs: seconds * 1000, renewable: renewable === true };
}

function escaped(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
