/** Target credentials as an enforcer has them when the engine is elsewhere: leased for its own targets, kept in memory, spoken of while they are used. */
import type { Credentials, HeldLease, Lease } from '#client/credentials';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import type { Dialer } from '../channel/parts.ts';
import { askEngine, type Engines } from './asking.ts';
import { APART_LIMITS } from './limits.ts';
import { ask } from './messages.ts';

export interface RemoteCredentialsOptions {
  readonly engines: Engines & Pick<Dialer, 'onChange'>;
  /** `hide`: from now on this value is in no line of the log, until it is forgotten. */
  readonly log: Log & { hide(secret: string): void; forget(secret: string): void };
}

/**
 * What was made for a lease is renewed by the engine as long as it hears of it: every `keepMs`, and each new engine at once. What could not be
 * released, because no engine was there, is not spoken of any more, and ends with that.
 */
export class RemoteCredentials implements Credentials {
  readonly #options: RemoteCredentialsOptions;
  /** Those for which something was made, by id; no secret. */
  readonly #held = new Map<string, { readonly target: string; readonly lease: HeldLease }>();
  readonly #timer: NodeJS.Timeout;
  readonly #stop: () => void;
  readonly #telling = new Set<Promise<void>>();
  #keeping = false;

  constructor(options: RemoteCredentialsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.#keep(), APART_LIMITS.keepMs).unref();
    this.#stop = options.engines.onChange(() => void this.#keep());
  }

  async lease(target: string): Promise<Lease> {
    const { engines, log } = this.#options;
    if (this.#held.size >= APART_LIMITS.leasesHeld) throw new InterlockError('CREDENTIAL_UNAVAILABLE', 'too many leases are held here');
    const lease = await askEngine(engines, 'credentials.lease', { target }, { deadlineMs: APART_LIMITS.leaseMs });
    log.hide(lease.password);
    const { id, handle, password } = lease;
    if (handle === undefined) return lease;
    this.#held.set(id, { target, lease: { id, handle } });
    // each session has another: once it signed in nobody holds it, and the log need not look for it for ever
    setTimeout(() => log.forget(password), APART_LIMITS.hiddenMs).unref();
    return lease;
  }

  release({ id }: HeldLease): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    this.#held.delete(id);
    const { engines, log } = this.#options;
    const telling = ask(engines, 'credentials.release', { target: held.target, leases: [held.lease] }, WITHIN).then(
      () => {},
      (error: unknown) =>
        log.warn({ lease: id, err: error }, 'the engine was not told that a lease is over; it ends when it is not spoken of any more'),
    );
    this.#telling.add(telling);
    void telling.finally(() => this.#telling.delete(telling));
  }

  /** Everything is over: waits until the engine was told, and no longer than `leasesOverMs`. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#stop();
    for (const { lease } of this.#held.values()) this.release(lease);
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, APART_LIMITS.leasesOverMs);
    await Promise.race([Promise.all(this.#telling), late.promise]);
    clearTimeout(timer);
  }

  async #keep(): Promise<void> {
    const { engines, log } = this.#options;
    if (this.#keeping || engines.channel === null || this.#held.size === 0) return;
    this.#keeping = true;
    try {
      for (const target of new Set([...this.#held.values()].map((held) => held.target))) await this.#keepOf(target);
    } catch (error) {
      log.warn({ err: error }, 'the engine was not told which leases are held');
    } finally {
      this.#keeping = false;
    }
  }

  async #keepOf(target: string): Promise<void> {
    const leases = [...this.#held.values()].filter((held) => held.target === target).map(({ lease }) => lease);
    for (let at = 0; at < leases.length; at += APART_LIMITS.leasesAtOnce) {
      const some = leases.slice(at, at + APART_LIMITS.leasesAtOnce);
      const { gone } = await ask(this.#options.engines, 'credentials.keep', { target, leases: some }, WITHIN);
      for (const id of gone) this.#held.delete(id);
    }
  }
}

const WITHIN = { deadlineMs: APART_LIMITS.answerMs };
