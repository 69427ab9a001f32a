/** Where bundles arrive: verified, compared with the newest that was seen, handed to what judges. One at a time; a bad one changes nothing. */
import type { BundleManifest } from '#schemas/bundle';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import type { Clock } from '#client/clock';
import type { HighestSeen } from './highest.ts';
import type { TrustedKey } from './keys.ts';
import type { SignedBundle } from './sign.ts';
import { type VerifiedBundle, verifyBundle } from './verify.ts';

/** What judges by bundles; the composition root plugs it in. */
export interface BundleHome {
  /** Of the policies in force. */
  readonly revision: string;
  /** Whether any are in force: they may be past their time all the same. */
  readonly judging: boolean;
  /**
   * Loads and tests it off to the side, calls `commit`, and judges by it from then on. What it throws, or `commit` throws, leaves the last good
   * one in force; it has recorded `policy.rejected` then.
   */
  activate(bundle: VerifiedBundle, name: string, commit: () => Promise<void>): Promise<void>;
  /** What is in force is current, and may judge until then. */
  confirm(expiresUs: number): void;
  /** Records `policy.rejected` for one that did not get so far. */
  rejected(name: string, error: InterlockError): void;
}

/** What whoever sent it is told. */
export type BundleAnswer =
  | { readonly outcome: 'activated' | 'confirmed'; readonly revision: string; readonly number: number }
  | { readonly outcome: 'rejected'; readonly revision: string; readonly code: ErrorCode; readonly detail: string };

export interface ReceiverOptions {
  /** Asked for each bundle: keys change while an enforcer runs. @throws InterlockError CONFIG_INVALID */
  readonly trusted: () => readonly TrustedKey[];
  readonly highest: HighestSeen;
  readonly home: BundleHome;
  readonly clock: Clock;
  /** Told of each one that was taken: an engine passes it on as it is. */
  readonly taken?: (bundle: SignedBundle) => void;
}

/** It is asked for again after the sixteenth part of what is left, and no sooner than after a minute. */
const RENEW_AGAIN_IN = 16;
const RENEW_AGAIN_US = 60_000_000;

export class BundleReceiver {
  readonly #options: ReceiverOptions;
  #expiresUs = 0;
  /** From then on one that was signed again is asked for. */
  #renewUs = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Never rejects: what is wrong is answered, and stands in the record. `revision` is that in force afterwards. */
  receive(bytes: Uint8Array): Promise<BundleAnswer> {
    const next = this.#last.then(() => this.#receive(bytes));
    this.#last = next;
    return next;
  }

  /**
   * The sender says that this revision is its newest. @returns false: the bundle is needed, because it is not the one in force, or because the one in
   * force is past half of its time, and the sender may have signed it again
   */
  confirm(revision: string): boolean {
    const { home, clock } = this.#options;
    if (!home.judging || home.revision !== revision) return false;
    home.confirm(this.#expiresUs);
    const nowUs = clock.wallUs();
    if (nowUs < this.#renewUs) return true;
    this.#renewUs = nowUs + Math.max(RENEW_AGAIN_US, (this.#expiresUs - nowUs) / RENEW_AGAIN_IN);
    return false;
  }

  async #receive(bytes: Uint8Array): Promise<BundleAnswer> {
    const { trusted, highest, home, clock } = this.#options;
    let bundle: VerifiedBundle;
    try {
      bundle = await verifyBundle(bytes, { trusted: trusted(), nowUs: clock.wallUs() });
      highest.check(bundle.manifest);
    } catch (error) {
      const known = knownError(error);
      home.rejected('bundle', known);
      return this.#refused(known);
    }
    try {
      const answer = await this.#take(bundle);
      this.#options.taken?.({ bytes, manifest: bundle.manifest });
      return answer;
    } catch (error) {
      return this.#refused(knownError(error));
    }
  }

  async #take(bundle: VerifiedBundle): Promise<BundleAnswer> {
    const { highest, home } = this.#options;
    const { number, revision } = bundle.manifest;
    const known = home.judging && home.revision === revision;
    if (known) await highest.raise(bundle.manifest);
    else await home.activate(bundle, nameOf(bundle.manifest), () => highest.raise(bundle.manifest));
    if (!known || bundle.expiresUs > this.#expiresUs) {
      this.#expiresUs = bundle.expiresUs;
      this.#renewUs = (Date.parse(bundle.manifest.made_at) * 1000 + bundle.expiresUs) / 2;
    }
    home.confirm(this.#expiresUs);
    return { outcome: known ? 'confirmed' : 'activated', revision, number };
  }

  #refused({ code, message }: InterlockError): BundleAnswer {
    return { outcome: 'rejected', revision: this.#options.home.revision, code, detail: message };
  }
}

function nameOf({ number }: BundleManifest): string {
  return `bundle ${number}`;
}

function knownError(error: unknown): InterlockError {
  return error instanceof InterlockError
    ? error
    : new InterlockError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}
