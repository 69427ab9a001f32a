/** Makes the proof that one record stands in a journal, from the journal's files: `interlock audit prove`. */
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import { CHECKPOINT_FILE } from './format.ts';
import { type InclusionProof, writeProof } from './proof.ts';
import { readJournal } from './reader.ts';
import { claimsKey, noteKey, noteOf, noteText } from './verify-note.ts';
import type { Walk } from './verify-segment.ts';
import { journalsIn } from './verify-set.ts';
import { ed25519, walkJournal } from './verify-walk.ts';

export interface Proven {
  readonly journal: string;
  readonly seq: number;
  /** Records that its checkpoint covers. */
  readonly size: number;
  /** For `verify-proof`. */
  readonly text: string;
}

/**
 * @param dirs journals, or folders of journals
 * @param event `SEQ` where there is one journal, `JOURNAL:SEQ`, or the id of a statement: the record that it was received in
 * @throws InterlockError USAGE: no such event, or no checkpoint covers it yet; JOURNAL_CORRUPT when the journal is not whole up to there
 */
export async function proveEvent(dirs: readonly string[], event: string, publicKeys: readonly string[]): Promise<Proven> {
  const keys = publicKeys.map(ed25519);
  const journals = (await Promise.all(dirs.map(journalsIn))).flat();
  const { dir, seq } = await placeOf(journals, event);
  const problems: string[] = [];
  const walk = await walkJournal(dir, (at, _code, detail) => problems.push(`record ${at}: ${detail}`), { seq });
  if (problems.length > 0) throw new InterlockError('JOURNAL_CORRUPT', `${dir} does not verify: ${problems[0] ?? ''}`);
  if (walk.kept === null) throw new InterlockError('USAGE', `${dir} has no record ${seq}`);
  const { size, checkpoint } = await covering(dir, walk, seq, keys);
  const proof: InclusionProof = { ...walk.kept, index: seq, path: walk.tree.pathTo(seq, size), checkpoint };
  return { journal: walk.journal ?? '', seq, size, text: writeProof(proof) };
}

interface Place {
  readonly dir: string;
  readonly seq: number;
}

async function placeOf(journals: readonly string[], event: string): Promise<Place> {
  const [, journal = '', digits] = /^(?:([0-9a-f]{4,32}):)?(\d{1,15})$/.exec(event) ?? [];
  if (digits !== undefined) return { dir: await named(journals, journal), seq: Number(digits) };
  if (!/^stm_[0-9A-Za-z_]{1,64}$/.test(event))
    throw new InterlockError('USAGE', `${event.slice(0, 64)}: an event is named SEQ, JOURNAL:SEQ or by the id of a statement`);
  for (const dir of journals)
    for await (const found of readJournal(dir))
      if (found.statement_id === event && found.type === 'statement.received') return { dir, seq: found.seq };
  throw new InterlockError('USAGE', `no journal here knows ${event}`);
}

async function named(journals: readonly string[], beginning: string): Promise<string> {
  const fitting: string[] = [];
  for (const dir of journals) if (beginning === '' || (await idOf(dir)).startsWith(beginning)) fitting.push(dir);
  const [dir] = fitting;
  if (dir === undefined) throw new InterlockError('USAGE', `there is no journal ${beginning} here`);
  if (fitting.length > 1) throw new InterlockError('USAGE', 'several journals are meant: name one as JOURNAL:SEQ');
  return dir;
}

async function idOf(dir: string): Promise<string> {
  for await (const { journal } of readJournal(dir)) return journal;
  return '';
}

/** The smallest checkpoint over it that one of the keys signed. */
async function covering(
  dir: string,
  { lifecycle, tree }: Walk,
  seq: number,
  keys: readonly KeyObject[],
): Promise<{ readonly size: number; readonly checkpoint: string }> {
  for (const claim of lifecycle.checkpoints)
    if (claim.size > seq && tree.rootAt(claim.size) === claim.root && claimsKey(keys, claim) !== null)
      return { size: claim.size, checkpoint: noteText(claim) };
  const text = await readFile(join(dir, CHECKPOINT_FILE), 'utf8').catch(() => ''); // none: said below
  const note = noteOf(text);
  if (note !== null && note.size > seq && tree.rootAt(note.size) === note.root && noteKey(keys, note) !== null)
    return { size: note.size, checkpoint: text };
  throw new InterlockError('USAGE', `no checkpoint by this key covers record ${seq} yet`, {
    hint: 'One is signed each second while records come; try again, or check the key.',
  });
}
