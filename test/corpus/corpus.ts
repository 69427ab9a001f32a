/** Runs cases through a subject on a real server; what `npm run corpus` and the test of the corpus share. */
import { startRelay, type Relay } from '#test/support/relay';
import type { Shape } from '#test/support/shapes';
import type { PostgresMajor } from '#test/support/postgres';
import { filled, leaksOf, runsOf, type CorpusCase, type Run } from './case.ts';
import { firstDifference, sameBytes } from './compare.ts';
import { openDatabase, type CorpusDatabase } from './database.ts';
import { exchange, type Exchange } from './exchange.ts';
import { mutants } from './mutate.ts';
import { reportOf, type CorpusReport, type Judged } from './report.ts';
import { direct, interlock, type Subject } from './subject.ts';
import { broken, judge, leaksIn, outcomeOf, type By, type Verdict } from './verdict.ts';

export interface CorpusOptions {
  readonly server: { readonly url: string } | { readonly major: PostgresMajor };
  /** A configuration for the gateway; null: no gateway at all, to see the runner fail. */
  readonly config: string | null;
  /** Of the gateway; that of the run by default. */
  readonly shape?: Shape;
  /** `turns`: each case in one of them, every other one in the other. */
  readonly mode?: 'simple' | 'extended' | 'turns';
  readonly only?: RegExp;
  /** Mutants of each run, beside it. */
  readonly mutate: number;
  readonly seed: number;
  readonly onVerdict?: (judged: Judged) => void;
}

export async function runCorpus(cases: readonly CorpusCase[], options: CorpusOptions): Promise<CorpusReport> {
  await using database = await openDatabase(options.server);
  await using relay = await startRelay(database.address(null));
  const judged: Judged[] = [];
  let revision: string | null = null;
  const chosen = cases.filter(({ id }) => options.only?.test(id) ?? true);
  for (const [role, group] of Map.groupBy(chosen, ({ target_role }) => target_role ?? null)) {
    await database.ensure('real');
    const upstream = { ...database.address(role), host: relay.host, port: relay.port };
    await using subject = options.config === null ? direct(upstream) : await interlock(options.config, upstream, options.shape);
    revision ??= subject.revision;
    const bench: Bench = { database, relay, subject, direct: direct(upstream) };
    for (const [at, record] of group.map((one) => filled(one, database.places)).entries()) {
      const turn = record.modes.length > 1 ? (['simple', 'extended'] as const)[at % 2] : undefined;
      const mode = options.mode === 'turns' ? turn : options.mode;
      for (const run of runsOf(record, mode).flatMap((plain) => [plain, ...mutants(plain, options.mutate, options.seed)])) {
        const verdict = await verdictOf(run, bench);
        judged.push({ record, verdict });
        options.onVerdict?.({ record, verdict });
      }
    }
  }
  return reportOf(judged, { revision, server: database.version, seed: options.seed });
}

/** A run that cannot be carried out has failed; the others go on. */
async function verdictOf(run: Run, bench: Bench): Promise<Verdict> {
  try {
    return judge(run, await evidence(run, bench));
  } catch (error) {
    return broken(run, error as Error);
  }
}

/** Who may refuse without the target having seen anything. */
const REFUSING: ReadonlySet<By> = new Set<By>(['policy', 'approval', 'support', 'fault', 'start']);

interface Bench {
  readonly database: CorpusDatabase;
  readonly relay: Relay;
  readonly subject: Subject;
  readonly direct: Subject;
}

async function evidence(run: Run, bench: Bench): Promise<{ done: Exchange; leaks: string[]; differs: string | null }> {
  const done = await perform(run, bench, bench.subject, 'real');
  const leaks = await leaksOfRun(run, bench, done);
  if (run.case.expected === 'must-allow') {
    const plain = await perform(run, bench, bench.direct, 'real');
    const missing = (run.case.expect_contains ?? []).filter((text) => run.mutation === null && !done.received.includes(text));
    return { done, leaks, differs: firstDifference(done, plain) ?? (missing.length > 0 ? `without ${missing.join()}` : null) };
  }
  const masked = run.case.expected === 'must-not-allow' && run.case.masked_columns !== undefined && !REFUSING.has(outcomeOf(done).by);
  if (!masked) return { done, leaks, differs: null };
  const twin = await perform(run, bench, bench.subject, 'twin');
  return { done, leaks, differs: sameBytes(done, twin) ? null : 'other bytes on a database that differs in masked values only' };
}

/**
 * Long canaries leak when they are seen. A canary of a few characters stands in much that is harmless, and where a case names none anything
 * may tell: then what counts is that the answer is another on the twin database.
 */
async function leaksOfRun(run: Run, bench: Bench, done: Exchange): Promise<string[]> {
  const found = leaksIn(run, done.received);
  const { texts, hexes } = leaksOf(run.case);
  const telling = hexes.length > 0 || texts.some((text) => text.length > 6);
  if (telling || run.case.expected !== 'must-mask' || REFUSING.has(outcomeOf(done).by)) return telling ? found : [];
  const twin = await perform(run, bench, bench.subject, 'twin');
  return sameBytes(done, twin) ? [] : [...found, 'other bytes on the twin database'];
}

async function perform(run: Run, { database, relay }: Bench, subject: Subject, contents: 'real' | 'twin'): Promise<Exchange> {
  await database.ensure(contents);
  return exchange(run, await subject.address(groupOf(run.case)), relay, database);
}

/** Cases about read-only sessions are judged under one (SECURITY §2.1). */
const groupOf = ({ intent }: CorpusCase): 'app' | 'app-readonly' => (intent === 'write_in_readonly' ? 'app-readonly' : 'app');
