import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadCases } from './case.ts';
import { runCorpus, type CorpusOptions } from './corpus.ts';
import { summary, type CorpusReport } from './report.ts';
import { PROFILE } from './subject.ts';
import type { Verdict } from './verdict.ts';

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const PUBLIC = [file('./public/sql.jsonl'), file('./public/mask.jsonl')];
const OWN = ['classes', 'masks', 'messages', 'more', 'orm', 'wire'].map((name) => file(`./cases/${name}.jsonl`));
const MINUTES = 60_000;
/** What happens behind a name needs the catalog's triggers and rules. What happens between an approval and its use: approved.test.ts. */
const OUT_OF_REACH = ['needs-catalog'];

function run(files: readonly string[], options: Partial<CorpusOptions> = {}): Promise<CorpusReport> {
  return runCorpus(files.flatMap(loadCases), { server: { major: 15 }, config: PROFILE, mutate: 0, seed: 1, ...options });
}

const name = ({ id, mode, outcome, codes, differs, leaks }: Verdict): string =>
  [id, mode, outcome, ...codes, differs ?? '', ...leaks].join(' ').trim();

/** Evasions, but those of cases with a tag that is out of reach. */
function evaded(report: CorpusReport, files: readonly string[]): string[] {
  const excused = new Set(files.flatMap(loadCases).flatMap(({ id, tags }) => (tags?.some((tag) => OUT_OF_REACH.includes(tag)) ? [id] : [])));
  return report.cases.filter(({ expected, passed, id }) => expected === 'must-not-allow' && !passed && !excused.has(id)).map(name);
}

function falsePositives(report: CorpusReport): { readonly share: number; readonly names: readonly string[] } {
  const allowed = report.cases.filter(({ expected }) => expected === 'must-allow');
  const failed = allowed.filter(({ passed }) => !passed);
  return { share: failed.length / allowed.length, names: failed.map(name) };
}

// each has a server and a gateway of its own, and waits for them most of the time
describe.concurrent('corpus (SECURITY §2), every case once, on PostgreSQL 15', () => {
  test(
    'of the public cases none evades, none leaks, and nine in ten benign ones run unchanged',
    async () => {
      const report = await run(PUBLIC);
      console.log(summary(report));
      expect(evaded(report, PUBLIC)).toEqual([]);
      expect(report.cases.filter(({ leaks }) => leaks.length > 0).map(name)).toEqual([]);
      expect(falsePositives(report).share, falsePositives(report).names.join('\n')).toBeLessThanOrEqual(0.1);
      expect(report.totals.cases).toBeGreaterThan(700);
    },
    15 * MINUTES,
  );

  test(
    'of our own look-alikes, each in one of its two protocols, none evades, and all benign ones run unchanged (npm run corpus: both)',
    async () => {
      const report = await run(OWN, { mode: 'turns' });
      expect(evaded(report, OWN)).toEqual([]);
      expect(report.cases.filter(({ leaks }) => leaks.length > 0).map(name)).toEqual([]);
      expect(falsePositives(report).names).toEqual([]);
    },
    15 * MINUTES,
  );
});

describe('the runner itself', () => {
  test(
    'fails a gateway that denies everything',
    async () => {
      const report = await run(PUBLIC, { config: file('./deny-all.yaml'), only: /^(sql-ok-0|sql-ok-1|mask-ok|sql-del-star)/ });
      expect(report.totals.evaded).toBe(0);
      expect(falsePositives(report).share).toBeGreaterThan(0.9);
      expect(report.totals.passed).toBeLessThan(report.totals.cases);
    },
    5 * MINUTES,
  );

  test(
    'fails where there is no gateway: effects, leaks and inference are seen',
    async () => {
      const report = await run(PUBLIC, {
        config: null,
        only: /^(sql-del-star|sql-cfg-23|sql-cfg-32|mask-plain|mask-inf-where-eq|mask-xf-last4|mask-wire-binary-int8)$/,
      });
      expect(report.cases.filter(({ passed }) => passed).map(name)).toEqual([]);
      expect(report.totals.leaked).toBeGreaterThan(4);
      expect(report.cases.filter(({ effect_seen }) => effect_seen).map(({ id }) => id)).toContain('sql-cfg-23');
    },
    5 * MINUTES,
  );

  test(
    'makes the same mutants from the same seed, and reports them',
    async () => {
      const options = { mutate: 3, seed: 5, only: /^sql-ok-0[12]$/ } as const;
      const [one, other] = [await run(PUBLIC, options), await run(PUBLIC, options)];
      const made = ({ cases }: CorpusReport): string[] => cases.map(({ id, mode, mutation }) => `${id} ${mode} ${String(mutation)}`);
      expect(made(one)).toEqual(made(other));
      expect(one.totals.cases).toBe(16);
      expect(one.totals.passed).toBe(16);
    },
    5 * MINUTES,
  );
});
