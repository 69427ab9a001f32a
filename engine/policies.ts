/** Policies that come as signed bundles, plugged together: what an engine signs, what is received, and what judges know nothing of each other. */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { HighestSeen } from './bundles/highest.ts';
import { loadOrMakeSigningKey, loadTrustedKey, type SigningKey, type TrustedKey } from './bundles/keys.ts';
import { BUNDLE_BYTES_MAX } from './bundles/limits.ts';
import { BundlePublisher } from './bundles/publisher.ts';
import { BundleReceiver, type BundleAnswer, type BundleHome } from './bundles/receiver.ts';
import type { SignedBundle } from './bundles/sign.ts';
import type { LoadedConfig } from './config/config.ts';
import type { FreshPolicies } from './decide/bundle.ts';
import { packPolicies, unpackPolicies } from './decide/packed.ts';
import type { PolicyHome, PolicySource } from './decide/policy-source.ts';
import { type SourceWatch, watchStamp } from './decide/watch.ts';

export interface PublishingOptions {
  readonly stateDir: string;
  /** Own key in the state directory, or that of `policies.signing.key_file`. */
  readonly keys: readonly SigningKey[];
  readonly validMs: number;
  readonly maxAgeMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Signs what an engine judges by, for its enforcers. @throws InterlockError BUNDLE_STATE */
export async function openPublisher({ stateDir, ...options }: PublishingOptions): Promise<BundlePublisher> {
  return new BundlePublisher({ ...options, highest: await highestIn(stateDir, 'published.json') });
}

/**
 * What an engine judges by, and what it sends its enforcers: a folder that is compiled and signed here, or a bundle that was signed elsewhere,
 * passed on as it is.
 */
export async function openPublishing(
  { stateDir, policies }: Pick<LoadedConfig, 'stateDir' | 'policies'>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<{
  readonly publisher: BundlePublisher;
  readonly source: Pick<JudgingSource, 'source' | 'publish'>;
  readonly publicKeys: readonly string[];
}> {
  const { bundle, watch, maxAgeMs, signing } = policies;
  const own = bundle === null ? [loadOrMakeSigningKey(signing.keyFile)] : [];
  const publisher = await openPublisher({ stateDir, keys: own, validMs: signing.validMs, maxAgeMs, clock, log });
  if (bundle === null) return { publisher, source: { publish: publishingTo(publisher) }, publicKeys: own.map(({ publicKeyPem }) => publicKeyPem) };
  const publicKeys = await Promise.all(signing.trusted.map((file) => readFile(file, 'utf8')));
  const trusted = trustedIn(signing.trusted);
  const taken = (signed: SignedBundle): void => publisher.forward(signed);
  return { publisher, source: { source: new BundleFileSource(bundle, watch, { stateDir, trusted, clock, taken }) }, publicKeys };
}

/** Read again for each bundle: a key that was added counts from then on. */
export function trustedIn(files: readonly string[]): () => readonly TrustedKey[] {
  return () => files.map((file) => loadTrustedKey(file));
}

/** Of `JudgingOptions`. */
export interface JudgingSource {
  readonly source?: PolicySource;
  readonly publish?: (policies: FreshPolicies) => Promise<void>;
}

/** For `FolderSource`: what cannot be signed does not come into force at the engine either. */
export function publishingTo(publisher: Pick<BundlePublisher, 'publish'>): (policies: FreshPolicies) => Promise<void> {
  return (policies) => publisher.publish({ revision: policies.revision, build: policies.build, files: packPolicies(policies) });
}

/** Judges nothing until a bundle was received: the source of an enforcer that is pushed to. */
export const pushedSource: PolicySource = { name: 'the engine', open: () => Promise.resolve(), reload: () => Promise.resolve(), close: () => {} };

export interface ReceivingOptions {
  readonly stateDir: string;
  /** Pinned at enrolment, or of `policies.signing.trusted`. */
  readonly trusted: () => readonly TrustedKey[];
  readonly clock: Clock;
  readonly taken?: (bundle: SignedBundle) => void;
  /** A command beside a gateway: compares with the newest that was seen, and remembers nothing. */
  readonly readOnly?: boolean;
}

/** @param home a decision service @throws InterlockError BUNDLE_STATE */
export async function openReceiver(home: PolicyHome, { stateDir, readOnly = false, ...options }: ReceivingOptions): Promise<BundleReceiver> {
  return new BundleReceiver({ ...options, highest: await highestIn(stateDir, 'received.json', readOnly), home: bundleHome(home) });
}

/** `policies.source.bundle`: a file that a pipeline replaces. */
export class BundleFileSource implements PolicySource {
  readonly name: string;
  readonly #options: ReceivingOptions;
  readonly #watching: boolean;
  #receiver: BundleReceiver | null = null;
  #watch: SourceWatch | null = null;

  constructor(file: string, watching: boolean, options: ReceivingOptions) {
    this.name = file;
    this.#watching = watching;
    this.#options = options;
  }

  async open(home: PolicyHome): Promise<void> {
    this.#receiver = await openReceiver(home, this.#options);
    const first = await stampOf(this.name).catch(() => '');
    await this.reload();
    const changed = async (): Promise<void> => {
      home.fellBehind();
      // what was wrong stands in the log and in the status
      if (this.#watching) await this.reload().catch(() => {});
    };
    const hints = [{ path: dirname(this.name), recursive: false }];
    this.#watch = watchStamp({ stampOf: () => stampOf(this.name), hints }, first, changed, () => home.confirm());
  }

  async reload(): Promise<void> {
    const answer: BundleAnswer | undefined = await this.#receiver?.receive(await readBundle(this.name));
    if (answer?.outcome === 'rejected') throw new InterlockError(answer.code, `${this.name}: ${answer.detail}`);
  }

  close(): void {
    this.#watch?.close();
    this.#watch = null;
  }
}

/** @throws InterlockError BUNDLE_TOO_LARGE, BUNDLE_MALFORMED when it cannot be read */
export async function readBundle(file: string): Promise<Uint8Array> {
  try {
    if ((await stat(file)).size > BUNDLE_BYTES_MAX) throw new InterlockError('BUNDLE_TOO_LARGE', `${file}: is longer than ${BUNDLE_BYTES_MAX} bytes`);
    return await readFile(file);
  } catch (error) {
    if (error instanceof InterlockError) throw error;
    throw new InterlockError('BUNDLE_MALFORMED', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  }
}

async function stampOf(file: string): Promise<string> {
  const { size, mtimeMs, ino } = await stat(file);
  return `${size} ${mtimeMs} ${ino}`;
}

function bundleHome(home: PolicyHome): BundleHome {
  return {
    get revision() {
      return home.revision;
    },
    get judging() {
      return home.judging;
    },
    activate: ({ manifest, files, expiresUs }, source, commit) =>
      home.offer({
        source,
        load: () => Promise.resolve().then(() => unpackPolicies(files, manifest)),
        commit,
        untilUs: expiresUs,
        ...(manifest.max_age_ms !== undefined && { maxAgeMs: manifest.max_age_ms }),
      }),
    confirm: (untilUs) => home.confirm(untilUs),
    rejected: (source, error) => home.rejected(source, error),
  };
}

async function highestIn(stateDir: string, file: string, readOnly = false): Promise<HighestSeen> {
  const folder = join(stateDir, 'bundles');
  if (readOnly) return await HighestSeen.openReadOnly(join(folder, file));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return await HighestSeen.open(join(folder, file));
}
