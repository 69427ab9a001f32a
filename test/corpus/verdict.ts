/** What became of a run, and whether it passed (SECURITY §2.2, SURFACE). */
import { leaksOf, type Run } from './case.ts';
import type { Exchange, StepSeen } from './exchange.ts';
import { fields, type Answer } from './wire.ts';

export type Outcome = 'allowed' | 'masked' | 'denied' | 'approval' | 'unsupported' | 'refused' | 'error';
export type By = 'policy' | 'approval' | 'support' | 'fault' | 'target' | 'start' | null;

export interface Seen {
  readonly outcome: Outcome;
  readonly codes: readonly string[];
  readonly sqlstate: string | null;
  readonly by: By;
  readonly message: string | null;
}

export interface Verdict extends Seen {
  readonly id: string;
  readonly mode: string;
  readonly mutation: string | null;
  readonly expected: string;
  readonly passed: boolean;
  readonly reached_target: boolean;
  readonly effect_seen: boolean;
  readonly leaks: readonly string[];
  readonly differs: string | null;
  readonly ms: number;
}

/** The step that a case is about: the last one marked, else the last. */
export function targetOf(done: Exchange): StepSeen | undefined {
  return done.steps.findLast(({ step }) => step.target === true) ?? done.steps.at(-1);
}

export function outcomeOf(done: Exchange): Seen {
  if (done.refusedAtStart) return refusal(done.refusedAtStart) ?? { ...PLAIN, outcome: 'refused', by: 'start' };
  const target = targetOf(done);
  if (!target) return { ...PLAIN, outcome: 'error', by: null, message: 'no step ran' };
  const refused = refusal(target.answer);
  if (refused) return refused;
  if (target.answer.hung) return { ...PLAIN, outcome: 'error', by: null, message: 'no answer in time' };
  if (target.answer.closed) return { ...PLAIN, outcome: target.reached ? 'error' : 'refused', by: target.reached ? 'target' : 'fault' };
  return { ...PLAIN, outcome: !target.reached && target.forwarded ? 'masked' : 'allowed' };
}

const PLAIN: Seen = { outcome: 'allowed', codes: [], sqlstate: null, by: null, message: null };

/** The first ErrorResponse, sorted by who made it: the gateway always says `code=` in DETAIL (SURFACE). */
function refusal(answer: Answer): Seen | null {
  const error = answer.messages.find(({ type }) => type === 'E');
  if (!error) return null;
  const field = fields(error);
  const detail = field.get('D') ?? '';
  const sqlstate = field.get('C') ?? null;
  const codes = [...detail.matchAll(/\bcode=([A-Z0-9_]+)/g)].map((match) => match[1] as string);
  const seen = { codes, sqlstate, message: field.get('M') ?? null };
  if (codes.length === 0) return { ...seen, outcome: 'error', by: 'target' };
  if (codes.includes('UNSUPPORTED')) return { ...seen, outcome: 'unsupported', by: 'support' };
  if (sqlstate?.startsWith('IL') === true) return { ...seen, outcome: 'approval', by: 'approval' };
  if (detail.includes('decision=')) return { ...seen, outcome: 'denied', by: 'policy' };
  return { ...seen, outcome: 'refused', by: 'fault' };
}

/** Whether an earlier step, which the case needs, never reached the target. */
export function stoppedEarlier(done: Exchange): boolean {
  const target = targetOf(done);
  return done.steps.some(({ step, answer }) => {
    if (step === target?.step || step.optional === true || step.cleanup === true) return false;
    const seen = refusal(answer);
    return seen !== null && seen.by !== 'target';
  });
}

const REFUSED: readonly Outcome[] = ['denied', 'approval', 'unsupported', 'refused'];

export interface Evidence {
  readonly done: Exchange;
  readonly leaks: readonly string[];
  /** must-allow: the first difference from the direct run. must-not-allow in masked form: from the run on the twin. */
  readonly differs: string | null;
}

export function judge(run: Run, { done, leaks, differs }: Evidence): Verdict {
  const seen = outcomeOf(done);
  const { case: record, mode, mutation } = run;
  return {
    id: record.id,
    mode,
    mutation,
    expected: record.expected,
    ...seen,
    passed: passes(run, seen, done, leaks, differs),
    reached_target: targetOf(done)?.reached ?? false,
    effect_seen: done.effectSeen,
    leaks,
    differs,
    ms: Math.round(done.ms * 10) / 10,
  };
}

/** The verdict on a run that the runner could not carry out. */
export function broken({ case: record, mode, mutation }: Run, error: Error): Verdict {
  const nothing = { reached_target: false, effect_seen: false, leaks: [], differs: null, ms: 0 };
  return { id: record.id, mode, mutation, expected: record.expected, ...PLAIN, outcome: 'error', message: String(error), passed: false, ...nothing };
}

function passes({ case: record }: Run, seen: Seen, done: Exchange, leaks: readonly string[], differs: string | null): boolean {
  switch (record.expected) {
    case 'must-allow':
      return differs === null && leaks.length === 0;
    case 'must-mask':
      return leaks.length === 0 && seen.by !== null ? true : leaks.length === 0 && seen.outcome !== 'error';
    case 'must-not-allow': {
      if (done.effectSeen || leaks.length > 0) return false;
      if (REFUSED.includes(seen.outcome)) return true;
      if (stoppedEarlier(done)) return true;
      if (record.server_rejects === true && seen.outcome === 'error') return true;
      const substituted =
        seen.outcome === 'masked' || (seen.outcome === 'error' && targetOf(done)?.reached === false && targetOf(done)?.forwarded === true);
      if (!substituted) return false;
      // what was to be kept are masked values: they did not leave, and in the mask corpus nothing depends on them
      const { texts, hexes } = leaksOf(record);
      return record.masked_columns ? differs === null : texts.length + hexes.length > 0;
    }
  }
}

/** The canaries of a case that stand in what the clients received. */
export function leaksIn(run: Run, received: Buffer): string[] {
  const { texts, hexes } = leaksOf(run.case);
  const hex = received.toString('hex');
  const spaced = (run.case.tags ?? []).includes('spaced-hex') ? received.toString('latin1').replaceAll(' ', '') : null;
  return [
    ...texts.filter((text) => received.includes(text) || (spaced?.includes(text) ?? false)),
    ...hexes.filter((value) => hex.includes(value) || received.toString('latin1').includes(value)),
  ];
}
