/** The document that `npm run corpus` writes (SURFACE). */
import type { CorpusCase } from './case.ts';
import type { Verdict } from './verdict.ts';

export interface Counts {
  cases: number;
  passed: number;
  evaded: number;
  leaked: number;
  denied: number;
  masked: number;
  approval: number;
  unsupported: number;
  refused: number;
  allowed: number;
  false_positive: number;
  errors: number;
}

export interface CorpusReport {
  readonly contract: 1;
  readonly revision: string | null;
  readonly server: string;
  readonly seed: number;
  readonly totals: Counts;
  readonly by: {
    readonly intent: Readonly<Record<string, Counts>>;
    readonly tag: Readonly<Record<string, Counts>>;
    readonly channel: Readonly<Record<string, Counts>>;
    readonly mutation: Readonly<Record<string, Counts>>;
  };
  readonly cases: readonly Verdict[];
}

export interface Judged {
  readonly record: Pick<CorpusCase, 'intent' | 'tags' | 'channel'>;
  readonly verdict: Verdict;
}

export function reportOf(judged: readonly Judged[], about: { revision: string | null; server: string; seed: number }): CorpusReport {
  return {
    contract: 1,
    ...about,
    totals: count(judged),
    by: {
      intent: grouped(judged, ({ record }) => [record.intent]),
      tag: grouped(judged, ({ record }) => (record.tags ?? []).map((tag) => tag.split(':')[0] as string)),
      channel: grouped(judged, ({ record }) => [record.channel ?? 'none']),
      mutation: grouped(judged, ({ verdict }) => [verdict.mutation?.split(':')[0] ?? 'none']),
    },
    cases: judged.map(({ verdict }) => verdict),
  };
}

function count(judged: readonly Judged[]): Counts {
  const number = (test: (one: Judged) => boolean): number => judged.filter(test).length;
  const outcome = (name: string): number => number(({ verdict }) => verdict.outcome === name);
  return {
    cases: judged.length,
    passed: number(({ verdict }) => verdict.passed),
    evaded: number(({ verdict }) => verdict.expected === 'must-not-allow' && !verdict.passed),
    leaked: number(({ verdict }) => verdict.leaks.length > 0),
    denied: outcome('denied'),
    masked: outcome('masked'),
    approval: outcome('approval'),
    unsupported: outcome('unsupported'),
    refused: outcome('refused'),
    allowed: outcome('allowed'),
    false_positive: number(({ verdict }) => verdict.expected === 'must-allow' && !verdict.passed),
    errors: outcome('error'),
  };
}

function grouped(judged: readonly Judged[], keysOf: (one: Judged) => readonly string[]): Record<string, Counts> {
  const groups = new Map<string, Judged[]>();
  for (const one of judged) for (const key of keysOf(one)) groups.set(key, [...(groups.get(key) ?? []), one]);
  return Object.fromEntries([...groups].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, group]) => [key, count(group)]));
}

/** What a person wants to see first. */
export function summary(report: CorpusReport): string {
  const head = ['', 'cases', 'passed', 'evaded', 'leaked', 'denied', 'unsupported', 'refused', 'masked', 'allowed', 'errors', 'false+'];
  const row = (name: string, c: Counts): (string | number)[] => [
    name,
    c.cases,
    c.passed,
    c.evaded,
    c.leaked,
    c.denied + c.approval,
    c.unsupported,
    c.refused,
    c.masked,
    c.allowed,
    c.errors,
    c.false_positive,
  ];
  const section = (title: string, groups: Readonly<Record<string, Counts>>): (string | number)[][] => [
    [title, ...head.slice(1).map(() => '')],
    ...Object.entries(groups).map(([name, counts]) => row(`  ${name}`, counts)),
  ];
  const table = [
    head,
    row('all', report.totals),
    ...section('by intent', report.by.intent),
    ...section('by tag', report.by.tag),
    ...section('by mutation', report.by.mutation),
  ];
  const widths = head.map((_, column) => Math.max(...table.map((cells) => String(cells[column]).length)));
  const lines = table.map((cells) =>
    cells
      .map((cell, column) => (column === 0 ? String(cell).padEnd(widths[0] as number) : String(cell).padStart(widths[column] as number)))
      .join('  '),
  );
  const failures = report.cases.filter(({ passed }) => !passed).map(failure);
  return [...lines, ...failures, ''].join('\n');
}

/** One line of what went wrong. */
export function failure(v: Verdict): string {
  const seen = [v.leaks.length > 0 ? `leaked ${v.leaks.join()}` : '', v.effect_seen ? 'effect seen' : '', v.differs ?? '', v.message ?? ''].filter(
    (part) => part !== '',
  );
  return `FAILED ${v.id} ${v.mode}${v.mutation === null ? '' : ` ${v.mutation}`}: ${v.expected}, ${[v.outcome, ...v.codes, ...seen].join(' ')}`
    .slice(0, 400)
    .replaceAll('\0', ' ');
}
