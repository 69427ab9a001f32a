/**
 * When checkpoints are signed, and the newest of them as a file for anybody who keeps copies. Only what is durable is signed: a checkpoint never
 * claims what a power cut could take back.
 */
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#client/clock';
import { type Checkpoint, CheckpointSigner, readNote } from './checkpoint.ts';
import { CHECKPOINT_FILE } from './format.ts';
import type { RecordLog } from './record-log.ts';

/** Without anything else to sign, so that silence is visible too. */
const HEARTBEAT_MS = 60_000;

export interface CheckpointOptions {
  readonly dir: string;
  /** Ed25519, private. */
  readonly key: KeyObject;
  readonly origin: string;
  readonly everyMs: number;
  readonly clock: Clock;
  /** A checkpoint in its time could not be signed or written. */
  readonly onFailed: (error: Error) => void;
}

export class Checkpoints {
  readonly #options: CheckpointOptions;
  readonly #records: RecordLog;
  readonly #signer: CheckpointSigner;
  #timer: NodeJS.Timeout | null = null;
  #signing: Promise<void> = Promise.resolve();
  #signedSize = -1;
  #signedAtUs = 0;

  constructor(options: CheckpointOptions, records: RecordLog) {
    this.#options = options;
    this.#records = records;
    this.#signer = new CheckpointSigner(options.key, options.origin);
  }

  start(): void {
    this.#timer = setInterval(() => this.#signIfDue(), this.#options.everyMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Signs what was placed so far, records it, and replaces the file, which then covers the checkpoint's own record too. */
  sign(): Promise<void> {
    this.#signing = this.#signing.catch(() => undefined).then(() => this.#sign()); // each caller has its own outcome
    return this.#signing;
  }

  /** The file alone, for a journal whose last record is written. */
  async signFile(): Promise<void> {
    await this.#signing.catch(() => undefined);
    await this.#writeFile(await this.#signDurable());
  }

  #signIfDue(): void {
    const idleMs = (this.#options.clock.monotonicUs() - this.#signedAtUs) / 1000;
    if (this.#records.last + 1 <= this.#signedSize && idleMs < HEARTBEAT_MS) return;
    this.sign().catch((error: unknown) => this.#options.onFailed(error as Error));
  }

  async #sign(): Promise<void> {
    const signed = await this.#signDurable();
    this.#records.place({ type: 'checkpoint.signed', ...signed }, null);
    const own = await this.#signDurable();
    await this.#writeFile(own);
    this.#signedSize = own.size;
    this.#signedAtUs = this.#options.clock.monotonicUs();
  }

  async #signDurable(): Promise<Checkpoint> {
    this.#records.seal();
    const { tree } = this.#records;
    const size = tree.size;
    const root = tree.root();
    await this.#records.durable(size - 1);
    return this.#signer.sign(size, root);
  }

  /** By rename: a reader sees the old one or the new one. */
  async #writeFile(checkpoint: Checkpoint): Promise<void> {
    const path = join(this.#options.dir, CHECKPOINT_FILE);
    await writeFile(`${path}.new`, this.#signer.note(checkpoint), { mode: 0o644 });
    await rename(`${path}.new`, path);
  }
}

/** Size and root of the newest checkpoint; null when there is none, or a power cut left the file empty. */
export function newestCheckpoint(dir: string): { readonly size: number; readonly root: string } | null {
  try {
    return readNote(readFileSync(join(dir, CHECKPOINT_FILE), 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
