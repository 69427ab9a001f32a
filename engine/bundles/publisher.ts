/** The engine's side: what is in force there is signed, numbered, and signed again in time; whoever pushes it to enforcers is told of each. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { HighestSeen } from './highest.ts';
import type { SigningKey } from './keys.ts';
import { type BundleContents, type SignedBundle, signBundle } from './sign.ts';

export interface PublisherOptions {
  readonly keys: readonly SigningKey[];
  /** Numbers go on where they stood, also after a restart. */
  readonly highest: HighestSeen;
  /** A bundle is good for so long; it is signed again at half of it. */
  readonly validMs: number;
  /** Enforcers judge by it so long without a word of an engine. */
  readonly maxAgeMs?: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** How often it is looked whether a bundle must be signed again. */
const LOOK_MS = 30_000;

export class BundlePublisher {
  readonly #options: PublisherOptions;
  readonly #listeners = new Set<(bundle: SignedBundle) => void>();
  readonly #timer: NodeJS.Timeout;
  #contents: BundleContents | null = null;
  #current: SignedBundle | null = null;
  #signedUs = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.renew(), Math.min(LOOK_MS, options.validMs / 4)).unref();
  }

  /** The newest; null: none yet. */
  get current(): SignedBundle | null {
    return this.#current;
  }

  onChange(listener: (bundle: SignedBundle) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** @throws InterlockError BUNDLE_MALFORMED, BUNDLE_TOO_LARGE, BUNDLE_STATE: the one before stays the newest */
  publish(contents: BundleContents): Promise<void> {
    const next = this.#last.then(() => this.#sign(contents));
    this.#last = next.catch(() => {});
    return next;
  }

  /** One that was signed elsewhere goes on as it is. */
  forward(bundle: SignedBundle): void {
    this.#contents = null;
    this.#tell(bundle);
  }

  /** Signs again what is past half of its time. */
  async renew(): Promise<void> {
    const { clock, validMs, log } = this.#options;
    const contents = this.#contents;
    // a wall clock that was set, either way, must not leave an expired bundle as the newest
    if (contents === null || Math.abs(clock.wallUs() - this.#signedUs) < (validMs * 1000) / 2) return;
    await this.publish(contents).catch((error: unknown) => log.error({ problem: String(error) }, 'the policies could not be signed again'));
  }

  close(): void {
    clearInterval(this.#timer);
    this.#listeners.clear();
  }

  async #sign(contents: BundleContents): Promise<void> {
    const { highest, clock, keys, validMs, maxAgeMs } = this.#options;
    const { seen } = highest;
    const nowUs = clock.wallUs();
    // milliseconds since the epoch, so that engines that know nothing of each other number in the order of time
    const number = seen?.revision === contents.revision ? seen.number : Math.max((seen?.number ?? 0) + 1, Math.floor(nowUs / 1000));
    const age = maxAgeMs === undefined ? {} : { maxAgeMs };
    const bundle = signBundle(contents, { number, madeAtUs: nowUs, expiresUs: nowUs + validMs * 1000, keys, ...age });
    await highest.raise(bundle.manifest);
    this.#contents = contents;
    this.#signedUs = nowUs;
    this.#tell(bundle);
  }

  #tell(bundle: SignedBundle): void {
    this.#current = bundle;
    for (const listener of this.#listeners) listener(bundle);
  }
}
