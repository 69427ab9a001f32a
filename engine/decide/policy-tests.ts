/** `interlock policy test`: Rego tests by OPA, and statement cases on the compiled WASM through the same dry run as everything else. */
import { InterlockError } from '#schemas/errors';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { OpaWorkspace } from './opa.ts';
import type { FactsReader, MaskRewriter } from './ports.ts';
import { openDecisionService } from './service.ts';
import { readSources } from './sources.ts';
import { differenceFrom, inputOfCase, readStatementCases } from './statement-cases.ts';

export interface PolicyTestOptions {
  readonly data: readonly string[];
  readonly opa: () => Promise<string>;
  readonly facts: FactsReader;
  readonly masks: MaskRewriter;
}

export interface PolicyTestCase {
  /** `postgres/guardrails/guardrails_test.rego: test_x` or `postgres/guardrails/cases.yaml: a read` */
  readonly name: string;
  readonly passed: boolean;
  /** Why not. */
  readonly detail?: string;
}

export interface PolicyTestReport {
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly PolicyTestCase[];
}

/** @throws InterlockError POLICY_BUILD when the policies do not compile */
export async function testPolicies(dir: string, options: PolicyTestOptions): Promise<PolicyTestReport> {
  const cases = [...(await regoTests(dir, options)), ...(await statementCases(dir, options))];
  const passed = cases.filter((entry) => entry.passed).length;
  return { passed, failed: cases.length - passed, cases };
}

interface OpaTest {
  readonly package: string;
  readonly name: string;
  readonly fail?: boolean;
  readonly skip?: boolean;
  readonly error?: unknown;
  readonly location?: { readonly file: string; readonly row: number };
}

async function regoTests(dir: string, options: PolicyTestOptions): Promise<PolicyTestCase[]> {
  const sources = await readSources(dir, options.data);
  if (sources.tests.size === 0) return [];
  await using workspace = await OpaWorkspace.open(await options.opa(), new Map([...sources.modules, ...sources.tests]));
  await workspace.write('.interlock-data.json', JSON.stringify(sources.data));
  const answer = await workspace.run(['test', '--format', 'json', '--', '.interlock-data.json', ...sources.modules.keys(), ...sources.tests.keys()]);
  let tests: unknown;
  try {
    tests = JSON.parse(answer.stdout);
  } catch {
    throw new InterlockError('POLICY_BUILD', (answer.stderr || answer.stdout).trim());
  }
  return (tests as OpaTest[]).map((entry) => {
    const name = `${entry.location?.file ?? entry.package}: ${entry.name}`;
    if (entry.error !== undefined) return { name, passed: false, detail: JSON.stringify(entry.error) };
    return entry.fail === true ? { name, passed: false, detail: `failed at line ${entry.location?.row ?? 0}` } : { name, passed: true };
  });
}

async function statementCases(dir: string, options: PolicyTestOptions): Promise<PolicyTestCase[]> {
  const { cases } = await readSources(dir, options.data);
  if (cases.size === 0) return [];
  const ids = new Ids(systemClock);
  const service = await openDecisionService({
    policies: { dir, data: options.data, watch: false, maxAgeMs: Number.MAX_SAFE_INTEGER / 1000 },
    facts: options.facts,
    masks: options.masks,
    clock: systemClock,
    ids,
    log: silentLog,
    record: () => {},
    opa: options.opa,
  });
  try {
    const results: PolicyTestCase[] = [];
    for (const [file, text] of cases) {
      for (const entry of readStatementCases(file, text)) {
        const { decision } = await service.dryRun(inputOfCase(entry));
        const name = `${file}: ${entry.name}`;
        const difference = differenceFrom(entry.expect, decision);
        results.push(difference === null ? { name, passed: true } : { name, passed: false, detail: difference });
      }
    }
    return results;
  } finally {
    service.close();
  }
}
