/** Right before the approval of a statement is used, and right after it ran: its locks, and whether everything is as it was approved, on the session's own connection (A3). */
import type { Statement } from '#client/decision-service';
import { sqlOf } from '#schemas/facts';
import type { ClearedStatement, Use } from '#enforcers/common/cleared';
import type { Given } from '#enforcers/common/given';
import { LIMITS } from '#enforcers/common/limits';
import { noLongerFits, refusal, type Refusal } from '#enforcers/common/refusal';
import { difference } from '#enforcers/common/survey';
import type { Running } from './expected.ts';
import type { Line, Told } from './line.ts';
import { literal, TOUCHED_SQL } from './survey-sql.ts';
import { documentOf, meaningsOf, objectsOf, questionOf } from './survey.ts';
import { countsOf, tooMany, type Counts } from './touched.ts';

/** `ours`: the client has no transaction; `theirs`: it has one; `check`: it only reads, and is looked at again before. */
export type Way = 'ours' | 'theirs' | 'check';

/** A statement whose approval is about to be used. */
export interface Entering {
  readonly statement: Statement;
  readonly given: Given;
  readonly way: Way;
  readonly message: 'query' | 'execute';
}

/** A statement that is to run, and how its message is sent. */
export interface Approved {
  readonly cleared: ClearedStatement;
  readonly use: Use;
  readonly way: Way;
  readonly message: 'query' | 'execute';
  /** Puts the client's bytes behind what is to leave. */
  readonly send: (controlled: Running['controlled']) => Running;
}

/** `said`: the client knows already why it does not run; null: it may, or it ran and the client knows what came of it. */
export type Verdict = Refusal | 'said' | null;

export interface Looking {
  readonly line: Line;
  /** Texts of the target are withheld (M14). */
  canned(): boolean;
  alive(): boolean;
}

/** What was found right before it ran. */
export interface Found {
  readonly verdict: Verdict;
  /** Rows that its transaction had touched. */
  readonly before: Counts;
  /** What the names meant. */
  readonly meanings: readonly string[];
}

const NOTHING = { before: {}, meanings: [] } as const;

/** Why nobody could say how many rows it takes; null: they are counted. */
export function uncountable({ statement, given }: Entering): Refusal | null {
  if (given.rowCeiling === null || !statement.facts.effects.some(({ verb }) => verb === 'truncate')) return null;
  return differs(given, `TRUNCATE does not tell how many rows it takes, and it was approved for at most ${given.rowCeiling}`);
}

/** Opens the transaction if it is to be ours. Nothing of the client's leaves by it: parameters of an execution wait for its clearance (I2). */
export async function lookAgain(entering: Entering, host: Looking): Promise<Found> {
  const { statement, given, way, message } = entering;
  const survey = questionOf(sqlOf(statement.facts));
  if (way === 'check') return { ...NOTHING, verdict: surveyed(await host.line.tell([survey]), 0, given, host) };
  // a segment that is open takes part; a Query ends it first, so that an error of ours cannot stand in it
  if (message === 'query' && host.line.open) await host.line.tell([], true);
  const begin = way === 'ours' ? ['BEGIN'] : [];
  const told = await host.line.tell([...begin, ...lockTexts(given), survey, ...(given.rowCeiling === null ? [] : [TOUCHED_SQL])]);
  const verdict = surveyed(told, 1, given, host);
  if (verdict !== null) return { ...NOTHING, verdict };
  const unlimited = await host.line.tell([`SET LOCAL lock_timeout = ${literal(told.values[0] ?? '0')}`]);
  const trouble = unlimited.failed ? troubleOf(unlimited, given, host) : null;
  return { verdict: trouble, before: countsOf(told.values[2]), meanings: meaningsOf(documentOf(told.values[1])) };
}

/**
 * Once it ran, and before anything can be committed: the rows that it touched, and that nobody put another object in the place of a name, or
 * another body into a function, between the look before and the run. What it did to what it names itself is no difference.
 */
export async function lookBack({ cleared, use }: Approved, found: Found, written: number, host: Looking): Promise<Refusal | null> {
  const facts = sqlOf(cleared.statement.facts);
  const told = await host.line.tell([questionOf(facts), ...(use.rowCeiling === null ? [] : [TOUCHED_SQL])]);
  if (told.failed) return differs(use, 'it could not be looked at again after it ran');
  const moved = facts.statements.every(({ class: kind }) => kind === 'read' || kind === 'write')
    ? difference(found.meanings, meaningsOf(documentOf(told.values[0])))
    : null;
  if (moved !== null) return differs(use, `while it ran: ${moved}`);
  const touched = use.rowCeiling === null ? null : tooMany(use.rowCeiling, written, found.before, countsOf(told.values[1]));
  return touched === null ? null : differs(use, touched);
}

export function differs(use: Given, what: string): Refusal {
  return noLongerFits(use.approval.id, what, use.detail);
}

function lockTexts({ survey }: Given): string[] {
  const modes = Map.groupBy(survey.locks, ({ mode }) => mode);
  const locks = [...modes].map(([mode, some]) => `LOCK TABLE ${some.map(({ object }) => object).join(', ')} IN ${mode} MODE`);
  return ['SHOW lock_timeout', `SET LOCAL lock_timeout = ${LIMITS.approvedLockMs}`, ...locks];
}

function surveyed(told: Told, at: number, use: Given, host: Looking): Verdict {
  if (told.failed) return troubleOf(told, use, host);
  const document = documentOf(told.values[at]);
  for (const [name, value] of Object.entries(document.settings)) {
    const approved = use.settings[name];
    if (approved !== undefined && approved !== value) return differs(use, `${name} was ${approved} when it was approved; now it is ${value}`);
  }
  const found = difference(use.survey.objects, objectsOf(document));
  return found === null ? null : differs(use, found);
}

/** What says nothing about the target's objects: locks that others keep, a deadlock, a server short of something. */
const PASSES = /^(?:08|40|53|55|57P|58)/;

/** Our own texts were refused, or dropped because of what the client sent before them. */
function troubleOf({ fields }: Told, given: Given, host: Looking): Verdict {
  if (fields === null) return 'said';
  const { detail, approval } = given;
  const code = fields['C'] ?? 'XX000';
  if (code === '57014') return refusal('CANCELLED', 'canceling statement due to user request', { detail, hint: 'The approval is not used.' });
  if (code === '25P02') return refusal('TRANSACTION_ABORTED');
  const words = host.canned() ? '' : `: ${fields['M'] ?? ''}`;
  const what = `the target said ${code} when it was to be locked and looked at again${words}`;
  return PASSES.test(code) ? refusal('TARGET_BUSY', what, { detail: `code=TARGET_BUSY approval=${approval.id}` }) : differs(given, what);
}
