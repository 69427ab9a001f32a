/** The engine's own certificate for the channel. Its key lives in memory only: each start makes another, and so does each two thirds of its life. */
import { webcrypto } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { TlsIdentity } from '../channel/parts.ts';
import type { Authority } from './authority.ts';
import { makeKey } from './certificate-request.ts';
import { LIMITS, RENEW_AT } from './limits.ts';

export class EngineCertificate {
  readonly #authority: Authority;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #log: Log;
  #tls: TlsIdentity = { cert: '', key: '', ca: '' };
  #renewAtUs = 0;
  #making = false;

  private constructor(authority: Authority, name: string, clock: Clock, log: Log) {
    this.#authority = authority;
    this.#name = name;
    this.#clock = clock;
    this.#log = log;
  }

  static async open(authority: Authority, name: string, clock: Clock, log: Log): Promise<EngineCertificate> {
    const made = new EngineCertificate(authority, name, clock, log);
    await made.#make();
    return made;
  }

  /** The authority stands behind the leaf: who joins looks for it there. */
  get tls(): TlsIdentity {
    return this.#tls;
  }

  renewIfDue(): void {
    if (this.#making || this.#clock.wallUs() < this.#renewAtUs) return;
    this.#making = true;
    void this.#make()
      .catch((error: unknown) => this.#log.error({ error: String(error) }, 'the engine’s certificate could not be renewed; it is tried again'))
      .finally(() => (this.#making = false));
  }

  async #make(): Promise<void> {
    const nowUs = this.#clock.wallUs();
    const { pem: key, pair } = await makeKey();
    const publicKey = new Uint8Array(await webcrypto.subtle.exportKey('spki', pair.publicKey));
    const { pem } = await this.#authority.issue({ holder: { kind: 'engine', name: this.#name }, publicKey, lifeMs: LIMITS.engineCertificateMs });
    this.#tls = { cert: `${pem}${this.#authority.pem}`, key, ca: this.#authority.pem };
    this.#renewAtUs = nowUs + LIMITS.engineCertificateMs * 1000 * RENEW_AT;
  }
}
