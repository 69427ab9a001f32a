/** Right before an approved statement runs, and right after: its locks, and whether everything is as it was approved, on the session's own connection (A3). */
import type { Clock } from '#client/clock';
import { sqlOf } from '#schemas/facts';
import type { ClearedStatement, Use } from '#enforcers/common/cleared';
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
  readonly clock: Clock;
  /** Texts of the target are withheld (M14). */
  canned(): boolean;
  alive(): boolean;
}

/** Between what is looked at and what leaves. */
const MARGIN_MS = 500;

/** What was found right before it ran. */
export interface Found {
  readonly verdict: Verdict;
  /** Rows that its transaction had touched. */
  readonly before: Counts;
  /** What the names meant. */
  readonly meanings: readonly string[];
}

const NOTHING = { before: {}, meanings: [] } as const;

/** Opens the transaction if it is to be ours. */
export async function lookAgain(approved: Approved, host: Looking): Promise<Found> {
  const { cleared, use, way, message } = approved;
  const unknowable = uncountable(approved);
  if (unknowable) return { ...NOTHING, verdict: unknowable };
  const survey = questionOf(sqlOf(cleared.statement.facts));
  if (way === 'check') return { ...NOTHING, verdict: surveyed(await host.line.tell([survey]), 0, use, host) };
  // a segment that is open takes part; a Query ends it first, so that an error of ours cannot stand in it
  if (message === 'query' && host.line.open) await host.line.tell([], true);
  const begin = way === 'ours' ? ['BEGIN'] : [];
  const told = await host.line.tell([...begin, ...lockTexts(use), survey, ...(use.rowCeiling === null ? [] : [TOUCHED_SQL])]);
  const verdict = surveyed(told, 1, use, host);
  if (verdict !== null) return { ...NOTHING, verdict };
  const unlimited = await host.line.tell([`SET LOCAL lock_timeout = ${literal(told.values[0] ?? '0')}`]);
  return { verdict: inTime(unlimited, approved, host), before: countsOf(told.values[2]), meanings: meaningsOf(documentOf(told.values[1])) };
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

export function differs(use: Use, what: string): Refusal {
  return noLongerFits(use.approval.id, what, use.detail);
}

function uncountable({ cleared, use }: Approved): Refusal | null {
  if (use.rowCeiling === null || !cleared.statement.facts.effects.some(({ verb }) => verb === 'truncate')) return null;
  return differs(use, `TRUNCATE does not tell how many rows it takes, and it was approved for at most ${use.rowCeiling}`);
}

function lockTexts({ survey }: Use): string[] {
  const modes = Map.groupBy(survey.locks, ({ mode }) => mode);
  const locks = [...modes].map(([mode, some]) => `LOCK TABLE ${some.map(({ object }) => object).join(', ')} IN ${mode} MODE`);
  return ['SHOW lock_timeout', `SET LOCAL lock_timeout = ${LIMITS.approvedLockMs}`, ...locks];
}

function surveyed(told: Told, at: number, use: Use, host: Looking): Verdict {
  if (told.failed) return trouble(told, use, host);
  const document = documentOf(told.values[at]);
  for (const [name, value] of Object.entries(document.settings)) {
    const approved = use.settings[name];
    if (approved !== undefined && approved !== value) return differs(use, `${name} was ${approved} when it was approved; now it is ${value}`);
  }
  const found = difference(use.survey.objects, objectsOf(document));
  return found === null ? null : differs(use, found);
}

function inTime(told: Told, { cleared, use }: Approved, host: Looking): Verdict {
  if (told.failed) return trouble(told, use, host);
  if (!host.alive()) return 'said';
  const ageMs = (host.clock.monotonicUs() - cleared.decidedUs) / 1000;
  return ageMs < LIMITS.decisionMs - MARGIN_MS ? null : differs(use, 'its locks took so long that it would have to be decided again');
}

/** Our own texts were refused, or dropped because of what the client sent before them. */
function trouble({ fields }: Told, use: Use, host: Looking): Verdict {
  if (fields === null) return 'said';
  if (fields['C'] === '57014') {
    return refusal('CANCELLED', 'canceling statement due to user request', { detail: use.detail, hint: 'The approval is used up.' });
  }
  const words = host.canned() ? '' : `: ${fields['M'] ?? ''}`;
  return differs(use, `the target said ${fields['C'] ?? 'XX000'} when it was to be locked and looked at again${words}`);
}
