/**
 * Whether an archive is whole: every journal in the folders given, each by itself, and then against each other. An enforcer's journal rests on approvals
 * that stand in an engine's; copies of one journal must tell the same; what was kept of an earlier look must still be there.
 */
import type { KeyObject } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InterlockError } from '#schemas/errors';
import type { Problem } from './problem.ts';
import { noteKey, noteOf } from './verify-note.ts';
import { ed25519, segmentsIn } from './verify-walk.ts';
import type { ApprovalUse } from './verify-lifecycle.ts';
import { judgeJournal, type Judged, type SessionVerification, type Verification, type VerifyOptions } from './verify.ts';

export interface SetVerification extends Omit<Verification, 'journal' | 'session' | 'problems' | 'silences'> {
  readonly problems: readonly PlacedProblem[];
  readonly silences: readonly (Verification['silences'][number] & { readonly journal: string | null })[];
  readonly journals: readonly JournalVerification[];
  /** The one that was asked for; null: it is in none of them. Absent: none was asked for. */
  readonly session?: SessionVerification | null;
}

/** Of which journal: its id, or the folder's name where it has none. */
export interface PlacedProblem extends Problem {
  readonly journal: string | null;
}

export interface JournalVerification extends Omit<Verification, 'silences'> {
  readonly dir: string;
  /** Of the process that wrote the end of it; null: not told. */
  readonly role: string | null;
}

interface Found {
  readonly dir: string;
  readonly judged: Judged;
}

/** Folders of one archive. */
const JOURNALS_MAX = 10_000;

/**
 * @param dirs a journal's folder, or one with a folder for each journal (`archive/<journal>/`)
 * @throws InterlockError USAGE when a key is none, or a folder holds no journal
 */
export async function verifySet(dirs: readonly string[], publicKeys: readonly string[], options: VerifyOptions = {}): Promise<SetVerification> {
  const keys = publicKeys.map(ed25519);
  const { witness, ...each } = options;
  const found: Found[] = [];
  for (const dir of (await Promise.all(dirs.map(journalsIn))).flat()) found.push({ dir, judged: await judgeJournal(dir, keys, each) });
  const among = [...named(found), ...copies(found), ...approvals(found), ...witnessed(found, witness === undefined ? [] : [witness].flat(), keys)];
  return summed(found, among, options.session);
}

/** @throws InterlockError USAGE */
export async function journalsIn(dir: string): Promise<readonly string[]> {
  if ((await segmentsIn(dir)).length > 0) return [dir];
  const names = (await readdir(dir)).toSorted();
  const folders: string[] = [];
  for (const name of names) {
    const path = join(dir, name);
    if ((await stat(path)).isDirectory() && (await segmentsIn(path)).length > 0) folders.push(path);
  }
  if (folders.length === 0) throw new InterlockError('USAGE', `${dir} holds no journal`);
  if (folders.length > JOURNALS_MAX) throw new InterlockError('USAGE', `${dir} holds more than ${JOURNALS_MAX} journals`);
  return folders;
}

const ID = /^[0-9a-f]{32}$/;

/** A folder that bears a journal's id holds that journal: one in another's place is found. */
function named(found: readonly Found[]): readonly PlacedProblem[] {
  return found.flatMap(({ dir, judged }) => {
    const { journal } = judged.verification;
    const name = basename(dir);
    if (!ID.test(name) || journal === null || journal === name) return [];
    return [{ journal: name, seq: -1, code: 'SEGMENT_HEADER', detail: `the folder holds journal ${journal}` } as const];
  });
}

/** The shorter of two copies is how the longer one begins. */
function copies(found: readonly Found[]): readonly PlacedProblem[] {
  const longest = new Map<string, Found>();
  const problems: PlacedProblem[] = [];
  for (const each of found.toSorted((a, b) => b.judged.tree.size - a.judged.tree.size)) {
    const { journal } = each.judged.verification;
    if (journal === null) continue;
    const whole = longest.get(journal);
    if (whole === undefined) longest.set(journal, each);
    else {
      const { size } = each.judged.tree;
      if (whole.judged.tree.rootAt(size) !== each.judged.tree.rootAt(size))
        problems.push({
          journal,
          seq: -1,
          code: 'FORKED',
          detail: `${each.dir} and ${whole.dir} tell different things of the first ${size} records`,
        });
    }
  }
  return problems;
}

/** Where an engine's journal is at hand, what an enforcer used must have been consumed in one of them, for that statement. */
function approvals(found: readonly Found[]): readonly PlacedProblem[] {
  const known = knownUntilUs(found);
  return found.flatMap(({ judged }) =>
    missingUses(judged, found)
      .filter(({ us }) => us <= known)
      .map(({ seq, statementId, approvalId }) => ({
        journal: judged.verification.journal,
        seq,
        code: 'APPROVAL_NOT_CONSUMED' as const,
        detail: `${statementId} was cleared with ${approvalId}, and no use of it was recorded for it by any engine here`,
      })),
  );
}

function missingUses({ elsewhere: uses }: Judged, found: readonly Found[]): readonly ApprovalUse[] {
  const engines = found.filter(({ judged }) => judged.role === 'engine');
  return uses.filter(({ receipt, statementId }) => !engines.some(({ judged }) => judged.receipts.get(receipt) === statementId));
}

/** Clocks of two machines, and the way of an engine's records to the archive. */
const BEHIND_US = 60_000_000;

/** Of what is later nobody here can say that no engine recorded it: an archive that is being written has not all of it at the same moment. */
function knownUntilUs(found: readonly Found[]): number {
  const engines = found.filter(({ judged }) => judged.role === 'engine');
  if (engines.length > 0 && engines.every(({ judged }) => judged.closed)) return Infinity;
  return Math.max(-Infinity, ...engines.map(({ judged }) => judged.lastUs - BEHIND_US));
}

/** Each note that was kept is of a journal that is still here, as it then was. */
function witnessed(found: readonly Found[], witnesses: readonly string[], keys: readonly KeyObject[]): readonly PlacedProblem[] {
  return witnesses.flatMap((text) => {
    const note = noteOf(text);
    if (note === null || noteKey(keys, note) === null) return [problem('CHECKPOINT_SIGNATURE', 'witness: the signature is none of these keys’')];
    if (found.some(({ judged }) => judged.tree.rootAt(note.size) === note.root)) return [];
    return [
      problem(
        'WITNESS_UNKNOWN',
        `witness: no journal here begins with the ${note.size} records of ${note.origin} that it covers: it was cut, changed, or taken away`,
      ),
    ];
  });
}

function problem(code: Problem['code'], detail: string): PlacedProblem {
  return { journal: null, seq: -1, code, detail };
}

function summed(found: readonly Found[], among: readonly PlacedProblem[], session: string | undefined): SetVerification {
  const journals = found.map(({ dir, judged }): JournalVerification => {
    const { silences: _, ...verification } = judged.verification;
    return { ...verification, dir, role: judged.role };
  });
  // who asks for one session is told of the journal that it stands in
  const told = session === undefined ? journals : journals.filter((journal) => journal.session !== undefined);
  const own = told.flatMap(({ journal, problems }) => problems.map((each) => ({ ...each, journal })));
  const problems = [...own, ...(session === undefined ? among : among.filter(({ journal }) => told.some((each) => each.journal === journal)))];
  const sum = (of: (journal: JournalVerification) => number): number => told.reduce((total, journal) => total + of(journal), 0);
  const times = told.flatMap(({ first, last }) => [first, last]).filter((time) => time !== null);
  return {
    verified: problems.length === 0 && told.length > 0,
    records: sum(({ records }) => records),
    sessions: sum(({ sessions }) => sessions),
    checkpoints: sum(({ checkpoints }) => checkpoints),
    first: times.toSorted()[0] ?? null,
    last: times.toSorted().at(-1) ?? null,
    cut_bytes: sum(({ cut_bytes }) => cut_bytes),
    problems,
    uncovered: sum(({ uncovered }) => uncovered),
    silences: found.flatMap(({ judged }) => judged.verification.silences.map((silence) => ({ ...silence, journal: judged.verification.journal }))),
    approvals_elsewhere: elsewhere(found),
    journals: told,
    ...(session === undefined ? {} : { session: told[0]?.session ?? null }),
  };
}

/** That no engine's journal here could tell of. */
function elsewhere(found: readonly Found[]): number {
  const known = knownUntilUs(found);
  return found.reduce((total, { judged }) => total + missingUses(judged, found).filter(({ us }) => us > known).length, 0);
}
