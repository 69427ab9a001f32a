import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import { loadConfig } from '../../config/load.ts';
import type { BuiltPolicies } from '../../decide/bundle.ts';
import { bundleArchive } from '../bundle-archive.ts';
import { described, list, runs, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { tell, type Output } from '../output.ts';
import { policyKeyCommand, policyVerifyCommand, type SignedAs, signedPolicies, signOptions } from './policy-signing.ts';

interface Options extends Common {
  readonly output?: string;
  readonly data?: readonly string[];
  readonly sign?: readonly string[];
  readonly number?: string;
  readonly valid?: string;
}

export function policyCommand(): Command {
  const building = described({
    name: 'build',
    summary: 'compiles policies to one bundle, and names what they use that is not supported; exit 3 when they do not compile',
    examples: [
      ['interlock policy build policies -o policies.tar.gz', 'policy.wasm, data.json and .manifest in one archive, for OPA'],
      ['interlock policy build policies -o policies.bundle --sign bundles.key', 'signed, for `policies.source.bundle`'],
    ],
  })
    .argument('<dir>', 'folder of Rego files')
    .requiredOption('-o, --output <file>', 'where the bundle goes')
    .option('--data <file>', 'a data document, YAML or JSON; may be repeated', list)
    .option('--sign <key>', 'sign it with this key (`interlock policy key`), as Interlock takes it; may be repeated while keys are changed', list)
    .option('--number <n>', 'with --sign: greater than that of any bundle before; default: milliseconds since 1970')
    .option('--valid <duration>', 'with --sign: it counts so long', '30d')
    .action(runs(build));
  const testing = described({
    name: 'test',
    summary: 'runs the tests beside the policies: Rego tests and statement cases; exit 1 when one fails',
    examples: [['interlock policy test policies', 'what the pipeline runs']],
  })
    .argument('<dir>', 'folder of Rego files and their tests')
    .option('--data <file>', 'a data document, YAML or JSON; may be repeated', list)
    .action(runs(runTests));
  return new Command('policy')
    .description('policies: build, sign, verify, test')
    .addCommand(building)
    .addCommand(testing)
    .addCommand(policyVerifyCommand())
    .addCommand(policyKeyCommand());
}

async function build(output: Output, options: Options, [dir = '']: readonly string[]): Promise<number> {
  const { buildPolicies, PolicyBuildError } = await import('../../decide/bundle.ts');
  const signing = signOptions(options);
  try {
    const built = await buildPolicies(dir, { data: await dataFor(dir, options), opa: findOpa });
    await refuseRules(built);
    const signed = signing === null ? null : await signedPolicies(built, signing);
    await writeBundle(options.output ?? '', signed?.bytes ?? bundleArchive(built));
    tellBuilt(output, built, signed?.as ?? null);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof PolicyBuildError)) throw error;
    output.document({ revision: null, packages: [], unsupported: error.unsupported, problems: error.problems }, () => []);
    return tell(error, false);
  }
}

function tellBuilt(output: Output, { revision, unsupported, notes, ...built }: BuiltPolicies, signed: SignedAs | null): void {
  const packages = built.packages.map(({ name }) => name);
  output.document({ revision, packages, unsupported, notes, ...signed }, () => [
    `${revision}`,
    ...packages.map((name) => `  ${escapeText(name)}`),
    ...(signed === null ? [] : [`  number ${signed.number}, signed by ${signed.signed_by.join(', ')}, expires ${signed.expires}`]),
    ...notes.map((note) => `  note: ${escapeText(note)}`),
  ]);
}

/** A gateway takes such a bundle, and then runs nothing that needs approval: better to hear of it here. */
async function refuseRules({ data }: BuiltPolicies): Promise<void> {
  const { ruleProblems } = await import('../../approvals/rules-document.ts');
  const problems = ruleProblems(JSON.parse(data) as Record<string, unknown>);
  if (problems.length > 0) throw new InterlockError('POLICY_BUILD', problems.join('\n'));
}

/** What was named; else what the configuration at hand (`-c`) gives these very policies. */
async function dataFor(dir: string, options: Options): Promise<readonly string[]> {
  if (options.data !== undefined) return options.data;
  if (!existsSync(options.config)) return [];
  const { policies } = await loadConfig(options.config);
  return policies.bundle === null && policies.dir === resolve(dir) ? policies.data : [];
}

/** Where nothing is named, `example.yaml` beside the policies is what their tests are written for. */
async function testDataFor(dir: string, options: Options): Promise<readonly string[]> {
  const data = await dataFor(dir, options);
  const example = join(dir, 'example.yaml');
  return data.length === 0 && existsSync(example) ? [example] : data;
}

async function findOpa(): Promise<string> {
  return await (await import('#tools/tools')).tool('opa');
}

async function writeBundle(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes);
  } catch (error) {
    throw new InterlockError('USAGE', `${file}: cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  }
}

async function runTests(output: Output, options: Options, [dir = '']: readonly string[]): Promise<number> {
  const { testPolicies } = await import('../../decide/policy-tests.ts');
  const { openReaders } = await import('../decide/readers.ts');
  await using readers = await openReaders();
  const report = await testPolicies(dir, { data: await testDataFor(dir, options), opa: findOpa, facts: readers.facts, masks: readers.masks });
  output.document(report, () => [
    ...report.cases
      .filter(({ passed }) => !passed)
      .map(({ name, detail }) => `FAILED ${escapeText(name)}${detail === undefined ? '' : `: ${escapeText(detail)}`}`),
    `${report.passed} passed, ${report.failed} failed`,
  ]);
  return report.failed === 0 ? EXIT.ok : EXIT.no;
}
