import type { CorpusReport } from '../corpus/report.ts';

type Judged = CorpusReport['cases'][number];

/** What two reports of the same cases do not agree on: what became of a run, and the codes that it was told. */
export function differences(one: CorpusReport, other: CorpusReport): readonly string[] {
  const found = new Map(other.cases.map((judged) => [nameOf(judged), outcomeOf(judged)]));
  const first = one.cases.flatMap((judged) => {
    const name = nameOf(judged);
    const there = found.get(name) ?? 'did not run';
    found.delete(name);
    return there === outcomeOf(judged) ? [] : [`${name}: ${there} instead of ${outcomeOf(judged)}`];
  });
  return [...first, ...[...found.keys()].map((name) => `${name}: ran here alone`)];
}

function nameOf({ id, mode }: Judged): string {
  return `${id} ${mode}`;
}

function outcomeOf({ outcome, codes, passed, leaks }: Judged): string {
  return [outcome, ...codes, passed ? 'passed' : 'failed', ...leaks].join(' ');
}
