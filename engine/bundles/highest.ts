/** The newest bundle that was ever taken: one that is older is refused, also after a restart. One small file, replaced whole, durable before it counts. */
import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Compile } from 'typebox/compile';
import type { BundleManifest } from '#schemas/bundle';
import { Digest } from '#schemas/common';
import { InterlockError } from '#schemas/errors';

export type Seen = Pick<BundleManifest, 'number' | 'revision'>;

const check: { Check(value: unknown): boolean } = Compile({
  type: 'object',
  additionalProperties: false,
  required: ['number', 'revision'],
  properties: { number: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER }, revision: Digest },
});
const FILE_BYTES_MAX = 4_096;

export class HighestSeen {
  readonly #file: string;
  #seen: Seen | null;
  #readOnly = false;

  private constructor(file: string, seen: Seen | null) {
    this.#file = file;
    this.#seen = seen;
  }

  /** @throws InterlockError BUNDLE_STATE when the file is there and says nothing: it must not be taken for a first start */
  static async open(file: string): Promise<HighestSeen> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null;
      throw unusable(file, `cannot be read (${error.code ?? 'unknown'})`);
    });
    return new HighestSeen(file, text === null ? null : parsed(file, text));
  }

  get seen(): Seen | null {
    return this.#seen;
  }

  /** The same revision may come again, from an engine that numbers otherwise; another one must be newer. @throws InterlockError BUNDLE_ROLLBACK */
  check({ number, revision }: Seen): void {
    const seen = this.#seen;
    if (seen === null || seen.revision === revision || number > seen.number) return;
    const taken = number === seen.number ? 'that number is taken by' : 'newer is';
    throw new InterlockError('BUNDLE_ROLLBACK', `the bundle has number ${number}; ${taken} ${seen.number}, ${seen.revision}`);
  }

  /** For commands that judge beside a gateway: they compare, and remember nothing. */
  static async openReadOnly(file: string): Promise<HighestSeen> {
    const opened = await HighestSeen.open(file);
    opened.#readOnly = true;
    return opened;
  }

  /** Durable when it resolves. @throws InterlockError BUNDLE_STATE, BUNDLE_ROLLBACK */
  async raise({ number, revision }: Seen): Promise<void> {
    this.check({ number, revision });
    const next = { number: Math.max(number, this.#seen?.number ?? 0), revision };
    if (this.#seen?.number === next.number && this.#seen.revision === revision) return;
    try {
      if (!this.#readOnly) await replaceFile(this.#file, `${JSON.stringify(next)}\n`);
    } catch (cause) {
      throw new InterlockError('BUNDLE_STATE', `${this.#file}: cannot be written (${(cause as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause });
    }
    this.#seen = next;
  }
}

function parsed(file: string, text: string): Seen {
  let value: unknown;
  try {
    value = text.length > FILE_BYTES_MAX ? null : JSON.parse(text);
  } catch {
    value = null;
  }
  if (!check.Check(value)) throw unusable(file, 'does not say which bundle was the newest');
  return value as Seen;
}

/** Whoever reads sees the old file or the new one, whatever happens meanwhile. */
async function replaceFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.new`;
  {
    await using handle = await open(fresh, 'w', 0o600);
    await handle.writeFile(text);
    await handle.sync();
  }
  await rename(fresh, file);
  await using folder = await open(dirname(file), 'r');
  await folder.sync();
}

function unusable(file: string, why: string): InterlockError {
  return new InterlockError('BUNDLE_STATE', `${file}: ${why}`);
}
