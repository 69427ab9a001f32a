/** `npm run corpus` (SURFACE.md): runs files of cases through the real enforcer on a real server. Exit 1 on any failure. */
import { writeFileSync } from 'node:fs';
import { type Command, type Given, oneOf, optionsOf, regex, whole } from '#test/support/command-line';
import { POSTGRES_MAJORS, type PostgresMajor } from '#test/support/postgres';
import { SHAPES, shapeAsked } from '#test/support/shapes';
import { EXIT } from '#schemas/errors';
import { loadCases } from './case.ts';
import { runCorpus, type CorpusOptions } from './corpus.ts';
import { HTTP_PROFILE } from './http/subject.ts';
import { isHttpFile, loadHttpCases } from './http/case.ts';
import { runHttpCorpus } from './http/corpus.ts';
import { failure, summary, type CorpusReport, type Judged } from './report.ts';
import { PROFILE } from './subject.ts';

const COMMAND = {
  name: 'corpus',
  what: 'Runs files of cases (SECURITY §2.2) through the real enforcer before a real server. Exit 0: every case is as it says; 1: one is not.',
  words: null,
  options: {
    cases: { takes: 'FILE', says: 'cases of databases, or of HTTP and MCP: not both together', many: true },
    json: { takes: 'OUT', says: 'every verdict, as JSON' },
    only: { takes: 'REGEX', says: 'cases whose id fits' },
    mode: { takes: 'simple|extended', says: 'protocol of databases (each that the case names)' },
    major: { takes: POSTGRES_MAJORS.join('|'), says: `of a PostgreSQL that is started (${POSTGRES_MAJORS[0]})` },
    pg: { takes: 'URL', says: 'one that is there: its superuser; what is made there, stays there' },
    config: { takes: 'FILE', says: 'interlock.yaml in place of the corpus profile' },
    shape: { takes: SHAPES.join('|'), says: 'how the gateway runs (up, or INTERLOCK_SHAPE)' },
    direct: { takes: null, says: 'without a gateway: what the server itself says' },
    mutate: { takes: 'N', says: 'so many variants of each text too (0)' },
    seed: { takes: 'S', says: 'of the variants (1)' },
  },
} as const satisfies Command;

// so that the servers and gateways that were started here end with us
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main(optionsOf(COMMAND, process.argv.slice(2), read));

async function main(options: Options): Promise<number> {
  const http = options.files.filter(isHttpFile);
  if (http.length > 0 && http.length < options.files.length) {
    process.stderr.write('corpus: cases of databases and of HTTP have different servers: run them apart\n');
    return EXIT.usage;
  }
  return http.length > 0 ? overHttp(options) : overSql(options);
}

async function overSql({ files, json, run }: Options): Promise<number> {
  const report = await runCorpus(files.flatMap(loadCases), { ...run, config: run.direct ? null : (run.config ?? PROFILE), onVerdict: progress() });
  told(report, json);
  return report.totals.cases > 0 && report.totals.passed === report.totals.cases ? EXIT.ok : EXIT.no;
}

async function overHttp({ files, json, run }: Options): Promise<number> {
  const report = await runHttpCorpus(files.flatMap(loadHttpCases), {
    ...run,
    config: run.direct ? null : (run.config ?? HTTP_PROFILE),
    onVerdict: progress(),
  });
  told(report, json);
  process.stdout.write(report.skipped.map(({ id, why }) => `skipped ${id}: ${why}\n`).join(''));
  return report.totals.cases > 0 && report.totals.passed === report.totals.cases ? EXIT.ok : EXIT.no;
}

function progress(): (judged: Judged) => void {
  let done = 0;
  return ({ verdict }) => {
    if (!verdict.passed) process.stderr.write(`${failure(verdict)}\n`);
    if (++done % 200 === 0) process.stderr.write(`corpus: ${done} runs\n`);
  };
}

function told(report: CorpusReport, json: string | undefined): void {
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report)}\n`);
  process.stdout.write(summary(report));
}

interface Options {
  readonly files: readonly string[];
  readonly json: string | undefined;
  readonly run: Omit<CorpusOptions, 'config' | 'onVerdict'> & { readonly config?: string; readonly direct: boolean };
}

/** @throws Error */
function read(values: Given<typeof COMMAND.options>): Options {
  if (values.cases.length === 0) throw new Error('--cases is missing');
  const mode = values.mode === undefined ? undefined : oneOf('mode', values.mode, ['simple', 'extended']);
  const major = Number(oneOf('major', values.major ?? String(POSTGRES_MAJORS[0]), POSTGRES_MAJORS.map(String))) as PostgresMajor;
  const shape = values.shape === undefined ? shapeAsked() : oneOf('shape', values.shape, SHAPES);
  return {
    files: values.cases,
    json: values.json,
    run: {
      server: values.pg === undefined ? { major } : { url: values.pg },
      shape,
      direct: values.direct,
      ...(values.config === undefined ? {} : { config: values.config }),
      ...(mode === undefined ? {} : { mode }),
      ...(values.only === undefined ? {} : { only: regex('only', values.only) }),
      mutate: whole('mutate', values.mutate, 0),
      seed: whole('seed', values.seed, 1),
    },
  };
}
