/**
 * Whether a journal is whole, for somebody who holds only the public key: `interlock audit verify`. Written from FORMAT.md: it shares the format's
 * constants with the writer and nothing else.
 */
import { createPublicKey, verify as verifySignature, type KeyObject } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { CHECKPOINT_FILE, SEGMENT_NAME } from './format.ts';
import type { Problem, Report } from './problem.ts';
import { noteOf, signatureOver } from './verify-note.ts';
import { Lifecycle } from './verify-lifecycle.ts';
import { readSegment, type Walk } from './verify-segment.ts';
import { LeafTree } from './verify-tree.ts';

export interface Verification {
  readonly verified: boolean;
  readonly records: number;
  readonly sessions: number;
  /** With a good signature and the right root; those in the journal, and the note beside it. */
  readonly checkpoints: number;
  /** Times of the first and the last record. */
  readonly first: string | null;
  readonly last: string | null;
  /** Behind the last record: a batch that a crash tore. */
  readonly cut_bytes: number;
  /** At most a thousand. */
  readonly problems: readonly Problem[];
}

const PROBLEMS_MAX = 1000;

/**
 * @param options.witness a signed note that was kept elsewhere: the journal must still begin with what it covers
 * @throws InterlockError USAGE when the key is none, or there is no journal in `dir`
 */
export async function verifyJournal(dir: string, publicKeyPem: string, options: { readonly witness?: string } = {}): Promise<Verification> {
  const key = ed25519(publicKeyPem);
  const problems: Problem[] = [];
  const report: Report = (seq, code, detail) => {
    if (problems.length < PROBLEMS_MAX) problems.push({ seq, code, detail });
  };
  const tree = new LeafTree();
  const lifecycle = new Lifecycle(report);
  const walk: Walk = {
    tree,
    lifecycle,
    report,
    journal: null,
    nextSeq: 0,
    lastHash: Buffer.alloc(32),
    cutBytes: 0,
    ended: false,
    first: null,
    last: null,
  };
  // before the segments: of a journal that is being written, the note must not be the newer one
  const kept = await notes(dir, options.witness);
  await readSegments(dir, walk);
  lifecycle.end();
  let checkpoints = 0;
  for (const claim of lifecycle.checkpoints) {
    if (!signatureOver(key, claim)) report(claim.seq, 'CHECKPOINT_SIGNATURE', 'the checkpoint’s signature is not this key’s');
    else if (claim.size > claim.seq || tree.rootAt(claim.size) !== claim.root)
      report(claim.seq, 'CHECKPOINT_ROOT', `the checkpoint is of ${claim.size} other records`);
    else checkpoints++;
  }
  for (const [name, note] of kept) {
    if (note === null) report(-1, 'CHECKPOINT_MISSING', `${name}: there is none`);
    else if (checkNote(name, note, key, tree, report)) checkpoints++;
  }
  // what is wrong with a record before what is wrong with a checkpoint that covers it
  problems.sort((a, b) => (a.seq < 0 ? Infinity : a.seq) - (b.seq < 0 ? Infinity : b.seq) || 0);
  const { nextSeq: records, first, last, cutBytes: cut_bytes } = walk;
  return { verified: problems.length === 0, records, sessions: lifecycle.sessions, checkpoints, first, last, cut_bytes, problems };
}

function ed25519(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new InterlockError('USAGE', 'the key is not a public key in PEM', { cause });
  }
  throw new InterlockError('USAGE', 'the key is not an Ed25519 key');
}

async function readSegments(dir: string, walk: Walk): Promise<void> {
  const names = await readdir(dir).catch((cause: unknown) => {
    throw new InterlockError('USAGE', `${dir} cannot be read`, { cause });
  });
  const numbers = names.flatMap((name) => SEGMENT_NAME.exec(name)?.[1] ?? []).sort();
  if (numbers.length === 0) throw new InterlockError('USAGE', `${dir} holds no journal`);
  for (const [index, number] of numbers.entries()) {
    if (Number(number) !== index + 1) {
      walk.report(walk.nextSeq, 'SEGMENT_MISSING', `segment ${index + 1} is missing`);
      return;
    }
    readSegment(await readFile(join(dir, `${number}.seg`)), index + 1, walk);
  }
}

async function notes(dir: string, witness: string | undefined): Promise<[string, string | null][]> {
  const note = await readFile(join(dir, CHECKPOINT_FILE), 'utf8').catch(() => null); // reported as missing
  return witness === undefined
    ? [[CHECKPOINT_FILE, note]]
    : [
        [CHECKPOINT_FILE, note],
        ['witness', witness],
      ];
}

function checkNote(name: string, note: string, key: KeyObject, tree: LeafTree, report: Report): boolean {
  const claim = noteOf(note);
  if (claim === null || !verifySignature(null, claim.signed, key, claim.signature)) {
    report(-1, 'CHECKPOINT_SIGNATURE', `${name}: the signature is not this key’s`);
    return false;
  }
  if (claim.size > tree.size) report(tree.size, 'TRUNCATED', `${name} is of ${claim.size} records, ${tree.size} are there`);
  else if (tree.rootAt(claim.size) !== claim.root) report(-1, 'CHECKPOINT_ROOT', `${name} is of ${claim.size} other records`);
  else return true;
  return false;
}
