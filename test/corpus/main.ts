/** `npm run corpus` (SURFACE.md): runs files of cases through the real enforcer on a real server. Exit 1 on any failure. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
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

const USAGE = `npm run corpus -- --cases FILE [--cases FILE] --json OUT [--mode simple|extended] [--config FILE]
  [--pg URL | --major ${POSTGRES_MAJORS.join('|')}] [--only REGEX] [--mutate N --seed S] [--shape ${SHAPES.join('|')}] [--direct]
`;

// so that the servers and gateways that were started here end with us
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  let options: ReturnType<typeof read>;
  try {
    options = read(argv);
  } catch (error) {
    process.stderr.write(`corpus: ${(error as Error).message}\n${USAGE}`);
    return EXIT.usage;
  }
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

function read(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      cases: { type: 'string', multiple: true },
      json: { type: 'string' },
      mode: { type: 'string' },
      config: { type: 'string' },
      pg: { type: 'string' },
      major: { type: 'string' },
      only: { type: 'string' },
      mutate: { type: 'string', default: '0' },
      seed: { type: 'string', default: '1' },
      shape: { type: 'string' },
      direct: { type: 'boolean', default: false },
    },
  });
  const { mode } = values;
  if (!values.cases) throw new Error('--cases is missing');
  if (mode !== undefined && mode !== 'simple' && mode !== 'extended') throw new Error(`--mode ${mode}: simple or extended`);
  const major = Number(values.major ?? POSTGRES_MAJORS[0]) as PostgresMajor;
  if (!POSTGRES_MAJORS.includes(major)) throw new Error(`--major ${values.major}: ${POSTGRES_MAJORS.join(' or ')}`);
  const shape = values.shape === undefined ? shapeAsked() : SHAPES.find((one) => one === values.shape);
  if (shape === undefined) throw new Error(`--shape ${values.shape}: ${SHAPES.join(', ')}`);
  return {
    files: values.cases,
    json: values.json,
    run: {
      server: values.pg === undefined ? { major } : { url: values.pg },
      shape,
      direct: values.direct,
      ...(values.config === undefined ? {} : { config: values.config }),
      ...(mode === undefined ? {} : { mode }),
      ...(values.only === undefined ? {} : { only: new RegExp(values.only) }),
      mutate: whole(values.mutate, '--mutate'),
      seed: whole(values.seed, '--seed'),
    },
  };
}

function whole(text: string, option: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`${option} ${text}: a whole number`);
  return value;
}
