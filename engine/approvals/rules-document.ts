/** `data.freezes` and `data.break_glass`, read strictly: a document that is not understood is told as a problem, and whoever uses it fails closed. */
import type { Approver } from '#schemas/decision';

/** What needs approval does not run from `from` until `to`, whoever approved it. */
export interface Freeze {
  readonly id: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly reason: string;
  readonly targets: readonly string[] | null;
  readonly env: readonly string[] | null;
}

/** Who may approve their own open request in an emergency, and who looks at it afterwards. */
export interface GlassRule {
  readonly id: string;
  readonly groups: readonly string[];
  readonly users: readonly string[];
  readonly targets: readonly string[] | null;
  readonly env: readonly string[] | null;
  readonly validForS: number;
  readonly ignoresSchedule: boolean;
  readonly review: readonly Approver[];
}

export interface RuleDocuments {
  readonly freezes: readonly Freeze[];
  readonly glass: readonly GlassRule[];
  /** Of the freezes: while there is one, nothing that needs approval runs. */
  readonly freezeProblems: readonly string[];
  /** Of the rules: while there is one, nobody breaks the glass. */
  readonly glassProblems: readonly string[];
}

const RULES_MAX = 1_000;

export function readRules(data: Readonly<Record<string, unknown>>): RuleDocuments {
  const freezes = read(data['freezes'], 'data.freezes', freezeOf);
  const glass = read(data['break_glass'], 'data.break_glass', glassOf);
  return { freezes: freezes.items, glass: glass.items, freezeProblems: freezes.problems, glassProblems: glass.problems };
}

/** For whoever loads or builds policies: what to say of these documents; empty when all is well. */
export function ruleProblems(data: Readonly<Record<string, unknown>>): readonly string[] {
  const { freezeProblems, glassProblems } = readRules(data);
  return [
    ...freezeProblems.map((problem) => `${problem}: until it is mended, nothing that needs approval runs`),
    ...glassProblems.map((problem) => `${problem}: until it is mended, nobody breaks the glass`),
  ];
}

/** Applies to this target? An `env` that is not known is every `env`. */
export function concerns(rule: Pick<Freeze, 'targets' | 'env'>, target: string, env: string | null): boolean {
  if (rule.targets !== null && !rule.targets.includes(target)) return false;
  return rule.env === null || env === null || rule.env.includes(env);
}

type Fields = Readonly<Record<string, unknown>>;

function read<T extends { readonly id: string }>(
  value: unknown,
  where: string,
  one: (fields: Fields) => T,
): { items: readonly T[]; problems: string[] } {
  if (value === undefined) return { items: [], problems: [] };
  if (!Array.isArray(value) || value.length > RULES_MAX) return { items: [], problems: [`${where} is not a list of at most ${RULES_MAX}`] };
  const items: T[] = [];
  const problems: string[] = [];
  for (const [index, entry] of value.entries()) {
    try {
      if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) throw new Error('is not an object');
      const item = one(entry as Fields);
      if (items.some(({ id }) => id === item.id)) throw new Error(`has the id ${JSON.stringify(item.id)} a second time`);
      items.push(item);
    } catch (error) {
      problems.push(`${where}[${index}] ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { items, problems };
}

function freezeOf(fields: Fields): Freeze {
  only(fields, ['id', 'from', 'to', 'reason', 'targets', 'env']);
  const [fromMs, toMs] = [instantOf(fields, 'from'), instantOf(fields, 'to')];
  if (toMs <= fromMs) throw new Error('ends before it begins');
  return {
    id: textOf(fields, 'id'),
    fromMs,
    toMs,
    reason: textOf(fields, 'reason'),
    targets: namesOf(fields, 'targets'),
    env: namesOf(fields, 'env'),
  };
}

function glassOf(fields: Fields): GlassRule {
  only(fields, ['id', 'groups', 'users', 'targets', 'env', 'valid_for_s', 'ignores_schedule', 'review']);
  const [groups, users] = [namesOf(fields, 'groups'), namesOf(fields, 'users')];
  if (groups === null && users === null) throw new Error('names nobody: `groups` or `users`');
  const { valid_for_s: validForS, ignores_schedule: ignoresSchedule = false } = fields;
  if (typeof validForS !== 'number' || !Number.isInteger(validForS) || validForS < 1) throw new Error('`valid_for_s` is not a number of seconds');
  if (typeof ignoresSchedule !== 'boolean') throw new Error('`ignores_schedule` is neither true nor false');
  return {
    id: textOf(fields, 'id'),
    groups: groups ?? [],
    users: users ?? [],
    targets: namesOf(fields, 'targets'),
    env: namesOf(fields, 'env'),
    validForS,
    ignoresSchedule,
    review: reviewersOf(fields['review']),
  };
}

function reviewersOf(review: unknown): readonly Approver[] {
  if (typeof review !== 'object' || review === null) throw new Error('has no `review`: who looks at it afterwards');
  only(review as Fields, ['any_of']);
  const { any_of: anyOf } = review as Fields;
  if (!Array.isArray(anyOf) || anyOf.length === 0) throw new Error('`review.any_of` names nobody');
  return anyOf.map((approver: unknown) => {
    const [kind, name, ...rest] = Object.entries((approver ?? {}) as Fields).flat();
    if ((kind === 'group' || kind === 'user' || kind === 'ref') && typeof name === 'string' && name !== '' && rest.length === 0) {
      return { [kind]: name } as unknown as Approver;
    }
    throw new Error('`review.any_of` holds something that is neither {group}, {user} nor {ref}');
  });
}

function only(fields: Fields, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new Error(`has the unknown key ${JSON.stringify(unknown)}; known are ${known.join(', ')}`);
}

function textOf(fields: Fields, key: string): string {
  const value = fields[key];
  if (typeof value !== 'string' || value.trim() === '') throw new Error(`\`${key}\` is not a text`);
  return value;
}

/** One name or a list of them; null where it is absent. */
function namesOf(fields: Fields, key: string): readonly string[] | null {
  const value = fields[key];
  if (value === undefined) return null;
  const names = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(names) || names.length === 0 || !names.every((name) => typeof name === 'string' && name !== ''))
    throw new Error(`\`${key}\` is not a list of names`);
  return names as readonly string[];
}

/** With its offset: what is local to nobody knows where is no time. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})$/;

function instantOf(fields: Fields, key: string): number {
  const value = fields[key];
  const ms = typeof value === 'string' && INSTANT.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw new Error(`\`${key}\` is not a time such as 2026-12-24T18:00:00+01:00`);
  return ms;
}
