import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadHttpCases } from './http/case.ts';
import { runHttpCorpus, type HttpCorpusOptions, type HttpCorpusReport } from './http/corpus.ts';
import { HTTP_PROFILE } from './http/subject.ts';
import { summary } from './report.ts';

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const PUBLIC = file('./public/http.jsonl');
const OWN = file('./cases/http.jsonl');
const MINUTES = 60_000;

function run(name: string, options: Partial<HttpCorpusOptions> = {}): Promise<HttpCorpusReport> {
  return runHttpCorpus(loadHttpCases(name), { config: HTTP_PROFILE, mutate: 0, seed: 1, ...options });
}

const failed = ({ cases }: HttpCorpusReport): string[] =>
  cases.flatMap(({ id, mutation, passed, outcome, codes, differs, leaks }) =>
    passed ? [] : [[id, mutation ?? '', outcome, ...codes, differs ?? '', ...leaks].filter((part) => part !== '').join(' ')],
  );

describe('corpus of HTTP (H1–H9, H11): every case through the gateway to an upstream that records bytes', () => {
  test('of the public cases and their mutants none evades and none leaks, and all benign ones run unchanged', {
    timeout: 10 * MINUTES,
  }, async () => {
    const report = await run(PUBLIC, { mutate: 1, seed: 3 });
    console.log(summary(report));
    expect(failed(report)).toEqual([]);
    expect(report.totals.leaked).toBe(0);
    expect(report.totals.cases).toBeGreaterThan(300);
    // neither is counted as passed: what they are about is not there yet
    expect(new Set(report.skipped.map(({ why }) => why.split(':')[0]))).toEqual(new Set(['unsupported']));
  });

  test('of our own look-alikes none evades, none leaks, and all benign ones run unchanged', { timeout: 5 * MINUTES }, async () => {
    expect(failed(await run(OWN, { mutate: 1, seed: 3 }))).toEqual([]);
  });

  test('the runner fails where there is no gateway: other requests, leaks and spoofed headers are seen', { timeout: 5 * MINUTES }, async () => {
    const only = /^(http-method-01|http-mask-(05|08|10|16|24)|http-hdr-(02|13)|http-path-03|http-body-01|gql-(05|16|20))$/;
    const report = await run(PUBLIC, { config: null, only });
    expect(report.cases.filter(({ passed }) => passed).map(({ id }) => id)).toEqual([]);
    expect(report.totals.leaked).toBe(7);
  });

  test('makes the same mutants from the same seed', { timeout: 5 * MINUTES }, async () => {
    const options = { config: null, mutate: 4, seed: 5, only: /^(http-method-17|gql-30|http-mask-26)$/ } as const;
    const [one, other] = [await run(PUBLIC, options), await run(PUBLIC, options)];
    expect(one.cases.map(({ id, mutation }) => `${id} ${String(mutation)}`)).toEqual(
      other.cases.map(({ id, mutation }) => `${id} ${String(mutation)}`),
    );
    expect(failed(one)).toEqual([]);
  });
});
