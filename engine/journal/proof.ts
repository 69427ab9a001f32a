/**
 * That one record stands in a journal, for somebody who has the proof, the public key and nothing else: the record's bytes, the path from it to the root,
 * and the checkpoint that a key signed over that root. The form follows C2SP tlog-proof (https://c2sp.org/tlog-proof): a header, the index, the path, a
 * blank line, the checkpoint; before it stands the record itself.
 */
import { hash, type KeyObject } from 'node:crypto';
import { InterlockError } from '#schemas/errors';
import { eventsIn, type ProvenEvent } from './proof-events.ts';
import { noteKey, noteOf } from './verify-note.ts';
import { timeOf } from './verify-silence.ts';
import { leftSize, node } from './verify-tree.ts';

export interface InclusionProof {
  /** Hash of the record before it, 32 bytes. */
  readonly prev: Buffer;
  /** As stored (FORMAT.md, Record). */
  readonly body: Buffer;
  readonly index: number;
  /** base64, from the leaf up. */
  readonly path: readonly string[];
  /** A signed note. */
  readonly checkpoint: string;
}

export interface ProofVerification {
  readonly verified: boolean;
  /** Of the record. */
  readonly seq: number | null;
  readonly time: string | null;
  /** Records that the checkpoint covers, and whose it is. */
  readonly size: number | null;
  readonly origin: string | null;
  /** What the record says by itself. */
  readonly events: readonly ProvenEvent[];
  readonly problems: readonly string[];
}

const HEADER = 'interlock.dev/record-proof@v1';
const TLOG = 'c2sp.org/tlog-proof@v1';
const PROOF_BYTES_MAX = 64 << 20;
const PATH_MAX = 64;

export function writeProof({ prev, body, index, path, checkpoint }: InclusionProof): string {
  const record = [HEADER, `prev ${prev.toString('base64')}`, `record ${body.toString('base64')}`];
  return [...record, '', TLOG, `index ${index}`, ...path, '', checkpoint].join('\n');
}

/** @throws InterlockError USAGE: it is none */
export function readProof(text: string): InclusionProof {
  if (text.length > PROOF_BYTES_MAX) throw notOne('is too long');
  const [own = '', tlog = '', ...note] = text.split('\n\n');
  const [header, prev = '', record = '', ...more] = own.split('\n');
  const [tlogHeader, index = '', ...path] = tlog.split('\n');
  if (header !== HEADER || tlogHeader !== TLOG || more.length > 0) throw notOne('does not begin as one');
  if (!/^index (0|[1-9]\d{0,14})$/.test(index) || path.length > PATH_MAX || !path.every((each) => /^[A-Za-z0-9+/]{43}=$/.test(each)))
    throw notOne('has no path from a record to a root');
  return { prev: bytesOf(prev, 'prev'), body: bytesOf(record, 'record'), index: Number(index.slice(6)), path, checkpoint: note.join('\n\n') };
}

/** By the keys alone. */
export function checkProof(proof: InclusionProof, keys: readonly KeyObject[]): ProofVerification {
  const problems: string[] = [];
  const { prev, body, index, path } = proof;
  const whole = prev.length === 32 && body.length >= 28;
  if (!whole) problems.push('the record is not whole');
  const seq = whole ? Number(body.readBigUInt64LE(4)) : null;
  const wallUs = whole ? Number(body.readBigUInt64LE(12)) : 0;
  if (seq !== null && seq !== index) problems.push(`the record is number ${seq}, its place ${index}`);
  const note = noteOf(proof.checkpoint);
  if (note === null) problems.push('the checkpoint is no signed note');
  else if (noteKey(keys, note) === null) problems.push('the checkpoint’s signature is not this key’s');
  if (note !== null && whole) {
    const leaf = hash('sha256', Buffer.concat([Buffer.of(0), prev, body]), 'binary');
    if (rootOver(leaf, index, note.size, path) !== note.root) problems.push('the path does not lead from the record to the checkpoint’s root');
  }
  const events = whole ? said(body, problems) : [];
  return {
    verified: problems.length === 0,
    seq,
    time: whole ? timeOf(wallUs) : null,
    size: note?.size ?? null,
    origin: note?.origin ?? null,
    events,
    problems,
  };
}

function said(body: Buffer, problems: string[]): readonly ProvenEvent[] {
  try {
    return eventsIn(body);
  } catch (error) {
    problems.push(`the record cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    return [];
  }
}

/** RFC 9162 §2.1.3.2, by the tree's own shape; null: the path is not one of a tree of that size. */
function rootOver(leaf: string, index: number, size: number, path: readonly string[]): string | null {
  const turns: boolean[] = [];
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return null;
  for (let [at, leaves] = [index, size]; leaves > 1; ) {
    const left = leftSize(leaves);
    turns.push(at >= left);
    [at, leaves] = at < left ? [at, left] : [at - left, leaves - left];
  }
  if (turns.length !== path.length) return null;
  let root = leaf;
  for (const [level, sibling] of path.entries()) {
    const other = Buffer.from(sibling, 'base64').toString('latin1');
    root = turns[turns.length - 1 - level] === true ? node(other, root) : node(root, other);
  }
  return Buffer.from(root, 'latin1').toString('base64');
}

function bytesOf(line: string, name: string): Buffer {
  if (!new RegExp(`^${name} [A-Za-z0-9+/]+={0,2}$`).test(line)) throw notOne(`has no \`${name}\` where it belongs`);
  return Buffer.from(line.slice(name.length + 1), 'base64');
}

function notOne(why: string): InterlockError {
  return new InterlockError('USAGE', `this is no proof of \`interlock audit prove\`: it ${why}`);
}
