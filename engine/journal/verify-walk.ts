/** One journal's files, read to their end: what `verify` and proofs judge. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { SEGMENT_NAME } from './format.ts';
import type { Report } from './problem.ts';
import { Lifecycle } from './verify-lifecycle.ts';
import { readSegment, type Walk } from './verify-segment.ts';
import { Silences } from './verify-silence.ts';
import { LeafTree } from './verify-tree.ts';

/** What is to be kept of a journal while it is read. */
export interface Wanted {
  /** Whose first and last record. */
  readonly session?: string | undefined;
  /** The record's bytes. */
  readonly seq?: number;
}

export async function walkJournal(dir: string, report: Report, { session, seq = -1 }: Wanted = {}): Promise<Walk> {
  const walk: Walk = {
    tree: new LeafTree(),
    lifecycle: new Lifecycle(report, session ?? null),
    silences: new Silences(),
    report,
    journal: null,
    nextSeq: 0,
    lastHash: '\0'.repeat(32),
    cutBytes: 0,
    ended: false,
    firstUs: -1,
    lastUs: -1,
    wanted: seq,
    kept: null,
  };
  const segments = await segmentsIn(dir);
  if (segments.length === 0) throw new InterlockError('USAGE', `${dir} holds no journal`);
  // the next file is read while this one is judged
  const files = new Files();
  let coming = files.read(join(dir, segments[0] as string));
  for (const [index, name] of segments.entries()) {
    const file = await coming;
    const next = segments[index + 1];
    if (next !== undefined) (coming = files.read(join(dir, next))).catch(() => {}); // told where it is awaited
    if (Number(SEGMENT_NAME.exec(name)?.[1]) !== index + 1) {
      report(walk.nextSeq, 'SEGMENT_MISSING', `segment ${index + 1} is missing`);
      break;
    }
    readSegment(file, index + 1, walk);
    files.done(file);
  }
  walk.lifecycle.end();
  return walk;
}

/** Memory that is used again: of large files, new pages cost as much as their bytes. */
class Files {
  #spare: Buffer | null = null;

  async read(path: string): Promise<Buffer> {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const spare = this.#spare;
    this.#spare = null;
    const bytes = spare !== null && spare.length >= size ? spare.subarray(0, size) : Buffer.allocUnsafeSlow(size);
    let at = 0;
    while (at < size) {
      const { bytesRead } = await file.read(bytes, at, size - at, at);
      if (bytesRead === 0) break; // it was cut meanwhile
      at += bytesRead;
    }
    return bytes.subarray(0, at);
  }

  done(file: Buffer): void {
    this.#spare = Buffer.from(file.buffer, 0, file.buffer.byteLength);
  }
}

/** Names, in order; none where there is no journal. @throws InterlockError USAGE */
export async function segmentsIn(dir: string): Promise<readonly string[]> {
  const names = await readdir(dir).catch((cause: unknown) => {
    throw new InterlockError('USAGE', `${dir} cannot be read`, { cause });
  });
  return names.filter((name) => SEGMENT_NAME.test(name)).sort();
}

/** @throws InterlockError USAGE */
export function ed25519(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new InterlockError('USAGE', 'the key is not a public key in PEM', { cause });
  }
  throw new InterlockError('USAGE', 'the key is not an Ed25519 key');
}
