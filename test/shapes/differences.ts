import type { CorpusReport } from '../corpus/report.ts';

type Judged = CorpusReport['cases'][number];

/** What two reports of the same cases do not agree on: what became of a run, and the codes that it was told. */
export function differences(one: CorpusReport, other: CorpusReport): readonly string[] {
  const found = new Map(named(other.cases).map(([name, judged]) => [name, outcomeOf(judged)]));
  const first = named(one.cases).flatMap(([name, judged]) => {
    const there = found.get(name) ?? 'did not run';
    found.delete(name);
    return there === outcomeOf(judged) ? [] : [`${name}: ${there} instead of ${outcomeOf(judged)}`];
  });
  return [...first, ...[...found.keys()].map((name) => `${name}: ran here alone`)];
}

/** A case that stands in two files, or goes in by two doors, runs twice: the first there is compared with the first here. */
function named(cases: readonly Judged[]): readonly (readonly [name: string, judged: Judged])[] {
  const times = new Map<string, number>();
  return cases.map((judged) => {
    const name = `${judged.id} ${judged.mode}`;
    const time = (times.get(name) ?? 0) + 1;
    times.set(name, time);
    return [time === 1 ? name : `${name} (${time})`, judged];
  });
}

function outcomeOf({ outcome, codes, passed, leaks }: Judged): string {
  return [outcome, ...codes, passed ? 'passed' : 'failed', ...leaks].join(' ');
}
