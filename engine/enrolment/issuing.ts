/** Certificates for enforcers: for whoever shows a code, and for whoever has one already. The event stands before the certificate leaves. */
import { timingSafeEqual } from 'node:crypto';
import { type Clock, timestamp } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import type { EnrolledPeer } from './admission.ts';
import type { Authority, Issued } from './authority.ts';
import { checkRequest, type Requested } from './certificate-request.ts';
import { hashOf } from './join-code.ts';
import type { Certified, JoinQuestion } from './join-protocol.ts';
import { RENEW_EVERY_MIN } from './limits.ts';
import type { EnforcerRecord } from './registry.ts';
import type { RegistryStore } from './registry-store.ts';

export interface IssuingOptions {
  readonly store: RegistryStore;
  readonly authority: Authority;
  readonly clock: Clock;
  readonly certificateMs: number;
  /** PEM of the keys that sign policies. */
  readonly trusted: () => readonly string[];
}

export class Issuing {
  readonly #options: IssuingOptions;
  /** Monotonic µs of the last certificate, by enforcer: as many as the registry has names. */
  readonly #lastIssuedUs = new Map<string, number>();

  constructor(options: IssuingOptions) {
    this.#options = options;
  }

  /**
   * The same key may ask again with the same code while that is valid: the answer may have been lost.
   * @throws InterlockError JOIN_REFUSED: one answer for every wrong code; CERTIFICATE_REFUSED
   */
  join({ name, secret, request }: JoinQuestion): Promise<Certified> {
    const { store } = this.#options;
    const codeHash = hashOf(Buffer.from(secret, 'base64url'));
    return store.alone(async () => {
      this.#invited(codeHash, name);
      const requested = await checkRequest(Buffer.from(request, 'base64'), name);
      // looked at again: making sure of the request took a moment
      const { targets, enrolment, usedBy } = this.#invited(codeHash, name);
      if (usedBy !== null && usedBy !== requested.keyDigest) throw refusedCode();
      const issued = await this.#issue({ name, targets, enrolment }, requested);
      await store.append({ type: 'enforcer.joined', enforcer: name, enrolment_id: enrolment, ...told(issued, requested) });
      return this.#certified(issued);
    });
  }

  /**
   * For the enforcer behind a channel; the enrolment by which it was let in must still be in force.
   * @throws InterlockError CERTIFICATE_REFUSED
   */
  renew(peer: EnrolledPeer, request: Uint8Array): Promise<Certified> {
    const { store, clock, certificateMs } = this.#options;
    const der = Buffer.from(request); // the channel's buffer is its own
    return store.alone(async () => {
      const { name, targets } = this.#enrolled(peer);
      const sinceUs = clock.monotonicUs() - (this.#lastIssuedUs.get(name) ?? -Infinity);
      if (sinceUs < certificateMs * 1000 * RENEW_EVERY_MIN)
        throw new InterlockError('CERTIFICATE_REFUSED', `${name} was given a certificate just now`);
      const requested = await checkRequest(der, name);
      const { enrolment } = peer;
      const issued = await this.#issue({ name, targets, enrolment }, requested);
      await store.append({ type: 'enforcer.renewed', enforcer: name, enrolment_id: enrolment, ...told(issued, requested) });
      this.#lastIssuedUs.set(name, clock.monotonicUs());
      return this.#certified(issued);
    });
  }

  #invited(codeHash: string, name: string): NonNullable<EnforcerRecord['invitation']> {
    const record = this.#options.store.registry.byCode(codeHash);
    const invitation = record?.invitation;
    if (!record || !invitation || !sameText(invitation.codeHash, codeHash) || record.name !== name) throw refusedCode();
    if (timestamp(this.#options.clock.wallUs()) > invitation.expiresAt) throw refusedCode();
    return invitation;
  }

  #enrolled(peer: EnrolledPeer): EnforcerRecord {
    const record = this.#options.store.registry.get(peer.name);
    if (record?.state !== 'joined' || record.enrolment !== peer.enrolment)
      throw new InterlockError('CERTIFICATE_REFUSED', `${peer.name} is no enforcer of this installation any more`);
    return record;
  }

  #issue(
    holder: { readonly name: string; readonly targets: readonly string[]; readonly enrolment: string },
    { publicKey }: Requested,
  ): Promise<Issued> {
    const { authority, certificateMs } = this.#options;
    return authority.issue({ holder: { kind: 'enforcer', ...holder }, publicKey, lifeMs: certificateMs });
  }

  #certified({ pem }: Issued): Certified {
    const { authority, trusted } = this.#options;
    return { certificate: pem, authority: authority.pem, trusted: trusted().join('') };
  }
}

/** What enforcers call over the channel: a request (PKCS #10, DER) → `Certified` as JSON. */
export const RENEW_METHOD = 'enrolment.renew';

function told({ serial, notAfterMs }: Issued, { keyDigest }: Requested): { serial: string; key: string; not_after: string } {
  return { serial, key: keyDigest, not_after: timestamp(notAfterMs * 1000) };
}

function sameText(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

function refusedCode(): InterlockError {
  return new InterlockError('JOIN_REFUSED', 'the join code is unknown, used, expired, or made for another enforcer');
}
