/** `interlock policy test`: Rego tests by OPA, and statement cases on the compiled WASM through the same dry run as everything else. */
import { parse } from 'yaml';
import type { DecisionEffect } from '#schemas/decision';
import type { Resource, Subject, TransactionState } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { Param } from '#schemas/sql-facts';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import type { DryRunInput } from './dry-run.ts';
import { OpaWorkspace } from './opa.ts';
import type { FactsReader, MaskRewriter } from './ports.ts';
import { openDecisionService } from './service.ts';
import { readSources } from './sources.ts';

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

/** One entry of `cases.yaml` (or `*_cases.yaml`) beside a pack. */
export interface StatementCase {
  readonly name: string;
  /** The contract's subject, or short: `{ login: alice, groups: [app] }`. */
  readonly subject: Subject | { readonly login?: string; readonly groups?: readonly string[]; readonly type?: Subject['type'] };
  /** The contract's resource, or short: `{ id: shop, env: production, labels: {…} }`. */
  readonly resource?:
    | Resource
    | { readonly id?: string; readonly env?: string; readonly labels?: Record<string, string>; readonly database?: string };
  readonly statement: string;
  readonly params?: readonly Param[];
  readonly transaction?: TransactionState;
  readonly settings?: Readonly<Record<string, string>>;
  readonly action?: DryRunInput['action'];
  /** `codes`: all of them are among the reasons. */
  readonly expect: { readonly effect: DecisionEffect; readonly codes?: readonly string[] };
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
      for (const entry of readCases(file, text)) {
        const { decision } = await service.dryRun(inputOf(entry));
        results.push(judged(`${file}: ${entry.name}`, entry.expect, decision));
      }
    }
    return results;
  } finally {
    service.close();
  }
}

function readCases(file: string, text: string): readonly StatementCase[] {
  const value: unknown = parse(text);
  const list: unknown = value !== null && typeof value === 'object' && 'cases' in value ? value.cases : value;
  if (!Array.isArray(list))
    throw new InterlockError('POLICY_BUILD', `${file}: statement cases are a list of {name, subject, resource, statement, expect}`);
  for (const [at, entry] of (list as Partial<StatementCase>[]).entries()) {
    if (typeof entry.name !== 'string' || typeof entry.statement !== 'string' || !entry.subject || !entry.expect?.effect) {
      throw new InterlockError('POLICY_BUILD', `${file}: case ${at + 1} needs name, subject, statement and expect.effect`);
    }
  }
  return list as StatementCase[];
}

function inputOf(entry: StatementCase): DryRunInput {
  return {
    subject: subjectOf(entry.subject),
    resource: resourceOf(entry.resource ?? {}),
    action: entry.action ?? 'sql.execute',
    statement: entry.statement,
    ...(entry.params ? { params: entry.params } : {}),
    ...(entry.transaction ? { transaction: entry.transaction } : {}),
    ...(entry.settings ? { settings: entry.settings } : {}),
  };
}

function subjectOf(given: StatementCase['subject']): Subject {
  if ('properties' in given) return given;
  const login = given.login ?? 'tester';
  return { type: given.type ?? 'user', id: `test|${login}`, properties: { login, groups: [...(given.groups ?? [])] } };
}

function resourceOf(given: NonNullable<StatementCase['resource']>): Resource {
  if ('properties' in given) return given;
  const { id = 'test', env = 'test', labels = {}, database } = given;
  return { type: 'postgresql', id, properties: { env, labels, ...(database === undefined ? {} : { database }) } };
}

function judged(
  name: string,
  expected: StatementCase['expect'],
  decision: { effect: string; reasons: readonly { code: string; reason: string }[] },
): PolicyTestCase {
  const codes = decision.reasons.map((reason) => reason.code);
  const missing = (expected.codes ?? []).filter((code) => !codes.includes(code));
  if (decision.effect === expected.effect && missing.length === 0) return { name, passed: true };
  const found = decision.reasons.map(({ code, reason }) => `${code} (${reason})`).join(', ');
  const wanted = [expected.effect, ...(expected.codes ?? [])].join(' ');
  return { name, passed: false, detail: `expected ${wanted}; found ${decision.effect}: ${found}` };
}
