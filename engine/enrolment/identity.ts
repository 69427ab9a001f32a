/** The enforcer's half: its certificate on the channel, and another one in time. */
import { join } from 'node:path';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { admitEngine } from './admission.ts';
import { makeKey, makeRequest } from './certificate-request.ts';
import { checkKept, type Identity, publicKeys, readIdentity, writeIdentity } from './identity-file.ts';
import { RENEW_METHOD } from './issuing.ts';
import { isCertified } from './join-protocol.ts';
import { LIMITS, RENEW_AT, RENEW_EVERY_MIN } from './limits.ts';
import type { EnforcerIdentity, RenewalCaller } from './parts.ts';

export interface IdentityOptions {
  /** The enforcer's own folder, as `join` left it. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** In `dir`. */
export function identityFile(dir: string): string {
  return join(dir, 'identity.pem');
}

/** Whether somebody joined here. @throws InterlockError STATE_MODE, CONFIG_INVALID */
export async function hasJoined(dir: string): Promise<boolean> {
  return (await readIdentity(identityFile(dir))) !== null;
}

/** @throws InterlockError CONFIG_INVALID when nobody joined here, or the certificate has ended; STATE_MODE */
export async function openIdentity(options: IdentityOptions): Promise<EnforcerIdentity> {
  const file = identityFile(options.dir);
  const identity = await readIdentity(file);
  if (identity === null)
    throw new InterlockError('CONFIG_INVALID', `${options.dir}: no enforcer has joined here`, {
      hint: 'Get a code with `interlock enforcer add NAME --target TARGET` on the engine, and start with --join CODE.',
    });
  if (options.clock.wallUs() / 1000 > identity.own.validToDate.getTime())
    throw new InterlockError(
      'CERTIFICATE_REFUSED',
      `${file}: the certificate ended at ${identity.own.validToDate.toISOString()}, and with it the enrolment`,
      {
        hint: 'Join anew: `interlock enforcer add NAME --target TARGET --replace` on the engine, then `interlock enforcer join CODE --replace` here.',
      },
    );
  return new RenewedIdentity(options, identity);
}

const LOOK_MS_MAX = 60_000;
const LOOK_MS_MIN = 100;

class RenewedIdentity implements EnforcerIdentity {
  readonly #options: IdentityOptions;
  readonly #listeners = new Set<() => void>();
  readonly #stop = new AbortController();
  #identity: Identity;
  #timer: NodeJS.Timeout | null = null;
  #renewing = false;
  #tryAgainUs = 0;

  constructor(options: IdentityOptions, identity: Identity) {
    this.#options = options;
    this.#identity = identity;
  }

  get name(): string {
    return this.#identity.holder.name;
  }

  get targets(): readonly string[] {
    return this.#identity.holder.targets;
  }

  get trusted(): readonly string[] {
    return publicKeys(this.#identity.trusted);
  }

  get expiresAtMs(): number {
    return this.#identity.own.validToDate.getTime();
  }

  tls(): ReturnType<EnforcerIdentity['tls']> {
    const { key, certificate, authority } = this.#identity;
    return { key, cert: certificate, ca: authority };
  }

  readonly authorise: EnforcerIdentity['authorise'] = (certificate) => admitEngine(certificate, this.#identity.ca, this.#options.clock);

  onRenewed(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(engine: RenewalCaller): void {
    const lookMs = Math.max(LOOK_MS_MIN, Math.min(LOOK_MS_MAX, this.#lifeMs() * RENEW_EVERY_MIN));
    this.#timer ??= setInterval(() => void this.#renewIfDue(engine), lookMs);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
    this.#stop.abort();
  }

  /** The certificate begins a little before it was made, for other clocks: that part is not lived. */
  #lifeMs(): number {
    const { validFromDate, validToDate } = this.#identity.own;
    return Math.max(1, validToDate.getTime() - validFromDate.getTime() - LIMITS.skewMs);
  }

  async #renewIfDue(engine: RenewalCaller): Promise<void> {
    const { clock, log } = this.#options;
    const dueMs = this.expiresAtMs - this.#lifeMs() * (1 - RENEW_AT);
    if (this.#renewing || clock.wallUs() / 1000 < dueMs || clock.monotonicUs() < this.#tryAgainUs) return;
    this.#renewing = true;
    try {
      await this.#renew(engine);
      log.info({ enforcer: this.name, until: new Date(this.expiresAtMs).toISOString() }, 'the certificate was renewed');
    } catch (error) {
      this.#tryAgainUs = clock.monotonicUs() + this.#lifeMs() * RENEW_EVERY_MIN * 1000;
      const until = new Date(this.expiresAtMs).toISOString();
      if (!this.#stop.signal.aborted) log.warn({ error: String(error), until }, 'the certificate could not be renewed; it is tried again');
    } finally {
      this.#renewing = false;
    }
  }

  async #renew(engine: RenewalCaller): Promise<void> {
    const { name, targets } = this.#identity.holder;
    const key = await makeKey();
    const answer: unknown = JSON.parse(
      Buffer.from(await engine.call(RENEW_METHOD, await makeRequest(name, key), { deadlineMs: LIMITS.joinMs, signal: this.#stop.signal })).toString(),
    );
    const next = isCertified(answer) ? checkKept({ ...answer, key: key.pem, authority: this.#identity.authority }) : null;
    if (next === null || next.holder.name !== name || next.holder.targets.join() !== targets.join())
      throw new InterlockError('CERTIFICATE_REFUSED', 'the engine answered with something that is no certificate for this enforcer and key');
    await writeIdentity(identityFile(this.#options.dir), next);
    this.#identity = next;
    for (const listener of this.#listeners) listener();
  }
}
