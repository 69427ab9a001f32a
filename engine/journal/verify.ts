/**
 * Whether journals are whole, for somebody who holds only public keys: `interlock audit verify`. Written from FORMAT.md: it shares the format's
 * constants with the writer and nothing else.
 */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKPOINT_FILE } from './format.ts';
import type { Problem, Report } from './problem.ts';
import type { ApprovalUse } from './verify-lifecycle.ts';
import { claimsKey, noteKey, type Note, noteOf } from './verify-note.ts';
import type { Walk } from './verify-segment.ts';
import { type Silence, timeOf } from './verify-silence.ts';
import type { LeafTree } from './verify-tree.ts';
import { ed25519, walkJournal } from './verify-walk.ts';

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
  /** Id, of the segments' headers. */
  readonly journal: string | null;
  /** Behind the newest checkpoint: nothing but the chain vouches for them yet. */
  readonly uncovered: number;
  /** Longer than three minutes. */
  readonly silences: readonly Silence[];
  /** Uses of approvals that were consumed in an engine's journal, and looked for in no other. */
  readonly approvals_elsewhere: number;
  /** The one that was asked for, where it is in this journal. */
  readonly session?: SessionVerification;
}

export interface SessionVerification {
  readonly session_id: string;
  readonly events: number;
  /** Records. */
  readonly first: number;
  readonly last: number;
  /** Its `session.closed` stands. */
  readonly closed: boolean;
  /** A checkpoint covers all of it. */
  readonly covered: boolean;
}

export interface VerifyOptions {
  /** Signed notes that were kept elsewhere: the journal must still begin with what they cover. */
  readonly witness?: string | readonly string[];
  readonly session?: string;
  /** A journal that was not closed and says nothing for longer, up to now, is a problem; absent: silences are told, and judged by the reader. */
  readonly silenceMsMax?: number;
  /** Wall clock, ms. */
  readonly nowMs?: number;
}

/** What a set of journals is judged by, beside the verification of each. */
export interface Judged {
  readonly verification: Verification;
  readonly tree: LeafTree;
  /** Receipt → statement. */
  readonly receipts: ReadonlyMap<string, string>;
  readonly elsewhere: readonly ApprovalUse[];
  /** Wall clock of the last record, µs; and whether it is `journal.closed`. */
  readonly lastUs: number;
  readonly closed: boolean;
  readonly role: string | null;
}

const PROBLEMS_MAX = 1000;

/**
 * @param publicKeyPem whose signature its checkpoints bear; of several, one
 * @throws InterlockError USAGE when a key is none, or there is no journal in `dir`
 */
export async function verifyJournal(dir: string, publicKeyPem: string | readonly string[], options: VerifyOptions = {}): Promise<Verification> {
  const keys = [publicKeyPem].flat().map(ed25519);
  return (await judgeJournal(dir, keys, options)).verification;
}

export async function judgeJournal(dir: string, keys: readonly KeyObject[], options: VerifyOptions = {}): Promise<Judged> {
  const problems: Problem[] = [];
  const report: Report = (seq, code, detail) => {
    if (problems.length < PROBLEMS_MAX) problems.push({ seq, code, detail });
  };
  // before the segments: of a journal that is being written, the note must not be the newer one
  const kept = await notes(dir, options.witness);
  const walk = await walkJournal(dir, report, { session: options.session });
  const { lifecycle, tree, silences } = walk;
  const signed = checkSigned(walk, keys, kept, report);
  const lastSeq = walk.nextSeq - 1;
  silences.end(lastSeq, (options.nowMs ?? Date.now()) * 1000, lifecycle);
  if (options.silenceMsMax !== undefined) reportSilences(silences.found, options.silenceMsMax, report);
  // what is wrong with a record before what is wrong with a checkpoint that covers it
  problems.sort((a, b) => (a.seq < 0 ? Infinity : a.seq) - (b.seq < 0 ? Infinity : b.seq) || 0);
  const verification = {
    verified: problems.length === 0,
    records: walk.nextSeq,
    sessions: lifecycle.sessions,
    checkpoints: signed.good,
    first: walk.firstUs < 0 ? null : timeOf(walk.firstUs),
    last: walk.lastUs < 0 ? null : timeOf(walk.lastUs),
    cut_bytes: walk.cutBytes,
    problems,
    journal: walk.journal,
    uncovered: Math.max(0, walk.nextSeq - signed.covered),
    silences: silences.found,
    approvals_elsewhere: lifecycle.elsewhere.length,
    ...sessionOf(walk, options.session, signed.covered),
  };
  return {
    verification,
    tree,
    receipts: lifecycle.receipts,
    elsewhere: lifecycle.elsewhere,
    lastUs: walk.lastUs,
    closed: lifecycle.closed,
    role: lifecycle.role,
  };
}

interface Signed {
  good: number;
  /** Records that a good checkpoint covers. */
  covered: number;
}

/** One key signed them all: the first that fits the first of them. */
function checkSigned({ lifecycle, tree }: Walk, keys: readonly KeyObject[], kept: readonly [string, string | null][], report: Report): Signed {
  const signed: Signed = { good: 0, covered: 0 };
  let key: KeyObject | null = null;
  const good = (size: number): void => {
    signed.good++;
    signed.covered = Math.max(signed.covered, size);
  };
  for (const claim of lifecycle.checkpoints) {
    const found = claimsKey(key === null ? keys : [key], claim);
    if (found === null) report(claim.seq, 'CHECKPOINT_SIGNATURE', 'the checkpoint’s signature is not this key’s');
    else if (claim.size > claim.seq || tree.rootAt(claim.size) !== claim.root)
      report(claim.seq, 'CHECKPOINT_ROOT', `the checkpoint is of ${claim.size} other records`);
    else good(claim.size);
    key ??= found;
  }
  for (const [name, text] of kept) {
    const note = text === null ? null : noteOf(text);
    if (text === null) report(-1, 'CHECKPOINT_MISSING', `${name}: there is none`);
    else if (note === null || noteKey(key === null ? keys : [key], note) === null)
      report(-1, 'CHECKPOINT_SIGNATURE', `${name}: the signature is not this key’s`);
    else if (noteFits(name, note, tree, report)) good(note.size);
  }
  return signed;
}

function noteFits(name: string, { size, root }: Note, tree: LeafTree, report: Report): boolean {
  if (size > tree.size) report(tree.size, 'TRUNCATED', `${name} is of ${size} records, ${tree.size} are there`);
  else if (tree.rootAt(size) !== root) report(-1, 'CHECKPOINT_ROOT', `${name} is of ${size} other records`);
  else return true;
  return false;
}

function reportSilences(silences: readonly Silence[], msMax: number, report: Report): void {
  for (const { seq, kind, from, to, seconds } of silences)
    if (kind !== 'stopped' && seconds * 1000 > msMax) report(seq, 'SILENCE', `nothing from ${from} to ${to} (${kind}), ${seconds} s`);
}

function sessionOf({ lifecycle }: Walk, sessionId: string | undefined, covered: number): { readonly session?: SessionVerification } {
  const { session } = lifecycle;
  if (sessionId === undefined || session === null) return {};
  return { session: { session_id: sessionId, ...session, covered: session.last < covered } };
}

async function notes(dir: string, witness: VerifyOptions['witness']): Promise<[string, string | null][]> {
  const note = await readFile(join(dir, CHECKPOINT_FILE), 'utf8').catch(() => null); // reported as missing
  const witnesses = witness === undefined ? [] : [witness].flat();
  return [[CHECKPOINT_FILE, note], ...witnesses.map((each): [string, string] => ['witness', each])];
}
