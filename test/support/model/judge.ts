/**
 * What must hold of every use, judged from what was asked and answered alone: nothing here is shared with what it judges. A verdict whose answer was
 * lost with a crash may have been given; so it counts as given.
 */
import type { Requirement } from '#schemas/decision';
import { type People, FORBIDDEN, humanOf, REQUIREMENTS } from './people.ts';

export interface Statement {
  readonly text: number;
  readonly who: number;
  readonly requirement: number;
  readonly session: number;
}

/** The texts 0 and 1 differ in a literal only. */
export const SHAPES: readonly string[] = ['a', 'a', 'b'];

export interface Yes {
  readonly login: string;
  readonly groups: readonly string[];
  readonly monotonicMs: number;
}

export interface Known {
  readonly statement: Statement;
  readonly requestedMs: number;
  readonly yes: Set<Yes>;
  readonly receipts: Set<string>;
  readonly nonces: Set<number>;
  /** Steps are counted: the one after which nothing may be used any more, and why. */
  ended: { readonly step: number; readonly how: string } | null;
  /** When it was broken; of several tries those that were not refused. */
  readonly glass: Set<{ readonly monotonicMs: number }>;
  /** The wall clock was set, and then the process started again: nobody can tell how long it was away. */
  uncertain: boolean;
  clockSet: boolean;
}

export interface Moment {
  readonly people: People;
  readonly monotonicMs: number;
  /** The step with which the use began. */
  readonly began: number;
}

/** Every reason why this use must not have been granted; empty: it may. `first`: no use with this nonce was tried before. */
export function objections(known: Known, used: Statement, moment: Moment, first: boolean): readonly string[] {
  const asked = REQUIREMENTS[known.statement.requirement] as Requirement;
  const always = [
    ...(serves(known.statement, used, asked) ? [] : [`granted for ${JSON.stringify(known.statement)}, used for ${JSON.stringify(used)}`]),
    ...(known.receipts.size <= (asked.grant.uses ?? Number.POSITIVE_INFINITY) ? [] : [`used ${known.receipts.size} times`]),
  ];
  // the answer to a nonce that was tried before may be of then
  if (!first) return always;
  return [
    ...always,
    ...(known.ended === null || known.ended.step > moment.began ? [] : [`used after it was ${known.ended.how}`]),
    ...(moment.people.frozen ? ['used in a freeze'] : []),
    ...ungranted(known, asked, moment),
  ];
}

function serves(granted: Statement, used: Statement, { grant, bind_session }: Requirement): boolean {
  if (granted.who !== used.who || granted.requirement !== used.requirement) return false;
  if (bind_session && granted.session !== used.session) return false;
  return grant.of === 'shape' ? SHAPES[granted.text] === SHAPES[used.text] : granted.text === used.text;
}

const GLASS_S = 120;

/** By its quorum or by a broken glass: one of the two must have granted it, where both may have been there before a crash. */
function ungranted(known: Known, asked: Requirement, moment: Moment): readonly string[] {
  const quorum = [
    ...late(known, known.yes, asked.valid_for_s, moment),
    ...(isMet(asked, known, moment) ? [] : ['used without a quorum of distinct eligible humans']),
  ];
  if (quorum.length === 0 || known.glass.size === 0) return quorum;
  return late(known, known.glass, Math.min(GLASS_S, asked.valid_for_s), moment);
}

/** By the monotonic clock; within one round no time passes. Of what is on its way nobody knows yet whether it counts: each bound takes what speaks for the use. */
function late(
  { statement, requestedMs, uncertain }: Known,
  given: Iterable<{ readonly monotonicMs: number }>,
  lifeS: number,
  moment: Moment,
): readonly string[] {
  if (uncertain) return [];
  const times = Array.from(given, (one) => one.monotonicMs);
  const [first, last] = [Math.min(...times), Math.max(0, ...times)];
  const { expires_in_s: expiresS, stages } = REQUIREMENTS[statement.requirement] as Requirement;
  const heldMs = moment.monotonicMs - last;
  return [
    ...(heldMs <= lifeS * 1_000 ? [] : [`used ${heldMs} ms after it was approved`]),
    ...(first - requestedMs <= expiresS * 1_000 ? [] : ['approved after it had expired']),
    ...stages.flatMap(({ deny_after_s: s }) => (s === undefined || first - requestedMs <= s * 1_000 ? [] : ['approved after the stage was denied'])),
  ];
}

interface Taken {
  readonly humans: readonly string[];
  readonly given: ReadonlySet<Yes>;
}

/** Is there any way to give each stage its quorum, each human in one place only? */
function isMet({ stages }: Requirement, known: Known, moment: Moment): boolean {
  const places = stages.flatMap((stage) => Array.from({ length: stage.quorum }, () => stage));
  const fill = (index: number, taken: Taken): boolean => {
    const stage = places[index];
    if (!stage) return true;
    for (const yes of known.yes) {
      if (taken.given.has(yes)) continue;
      for (const humans of placesOf(stage, yes, known, moment)) {
        if (humans.some((human) => taken.humans.includes(human))) continue;
        if (fill(index + 1, { humans: [...taken.humans, ...humans], given: new Set([...taken.given, yes]) })) return true;
      }
    }
    return false;
  };
  return fill(0, { humans: [], given: new Set() });
}

/** The humans that a verdict may stand for in this stage, now. */
function placesOf(stage: Requirement['stages'][number], yes: Yes, known: Known, moment: Moment): readonly (readonly string[])[] {
  const forbidden = FORBIDDEN[known.statement.who] ?? [];
  const human = humanOf(yes.login);
  if (human === null || forbidden.includes(human)) return [];
  const mine = [...moment.people.delegations].map((key) => key.split(' ')).filter(([, to]) => to === yes.login);
  const delegators = mine.map(([from = '']) => ({ from, human: humanOf(from) }));
  // whom the requester made their delegate decides nothing of theirs
  if (delegators.some((one) => one.human !== null && forbidden.includes(one.human))) return [];
  const direct = isAsked(stage, yes.login, yes.groups, known, moment) ? [[human]] : [];
  const others = delegators.filter((one) => one.human !== null && one.human !== human && isAsked(stage, one.from, null, known, moment));
  return [...direct, ...others.map((one) => [human, one.human as string])];
}

/** @param then the groups of the verdict's token; null: nobody's verdict */
function isAsked(
  { any_of, escalate = [] }: Requirement['stages'][number],
  login: string,
  then: readonly string[] | null,
  known: Known,
  moment: Moment,
): boolean {
  const { people, monotonicMs } = moment;
  const elapsedMs = monotonicMs - known.requestedMs;
  const added = escalate.filter(({ after_s }) => known.uncertain || elapsedMs >= after_s * 1_000).flatMap(({ add }) => add);
  const now = people.groups.get(login) ?? [];
  return [...any_of, ...added].some((approver) => {
    if ('group' in approver) return now.includes(approver.group) && (then === null || then.includes(approver.group));
    return 'ref' in approver && people.onCall === login;
  });
}
