/** Policies as text → what judges: checked, compiled to metered WASM, with what each entrypoint reads and the data it reads it with. */
import { AccessRequest } from '#schemas/access-request';
import { DecisionRequest } from '#schemas/decision-request';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import { isAccessModule, isSharedHelper, judges } from './access-packages.ts';
import { findApproverSets, isApproversModule } from './approver-modules.ts';
import { digest } from './canonical.ts';
import { checkChainNames } from './chain-names.ts';
import { type Chains, chainsOf } from './chains.ts';
import { checkDocuments } from './checked-documents.ts';
import { meter } from './meter.ts';
import { type OpaProblem, OpaWorkspace } from './opa.ts';
import {
  approversEntrypoint,
  entryModule,
  entrypointName,
  findPackages,
  parseModules,
  type PolicyPackage,
  STAGES,
  type StageName,
  slotsOf,
} from './packages.ts';
import type { Plan } from './plan.ts';
import type { Slot } from './policy-result.ts';
import { type ReadNode, reads, settled } from './read-trie.ts';
import { inputReads } from './reads.ts';
import { type PolicySources, readSources } from './sources.ts';

/** Part of the revision: the same policies built another way are another bundle. */
const BUILD_VERSION = 'interlock-bundle 1, OPA 1.22.2';
const CAPABILITIES = '.interlock-capabilities.json';
const SCHEMA = '.interlock-request.schema.json';
const ACCESS_SCHEMA = '.interlock-access.schema.json';
const ENTRY = '.interlock-entry.rego';

/** Reading these makes a judgement a function of the moment: it is not cached, and the build says so. */
const VOLATILE: readonly (readonly string[])[] = [
  ['context', 'time'],
  ['context', 'session_id'],
  ['context', 'statement_id'],
  ['context', 'approval'],
  ['payload'],
];

export interface UnsupportedBuiltin {
  readonly builtin: string;
  readonly file: string;
  readonly line: number;
}

export interface CompiledStage {
  readonly live: { readonly entrypoint: string; readonly slots: readonly Slot[] };
  readonly shadow: { readonly entrypoint: string; readonly slots: readonly Slot[] } | null;
  /** What live and shadow packages read together: key and input. */
  readonly reads: ReadNode;
  /** `context.time` …: why nothing of this stage is cached; empty: it is. */
  readonly volatile: readonly string[];
}

export interface CompiledPolicies {
  /** Of modules, data and the way of building them. */
  readonly revision: string;
  /** The way of building them. */
  readonly build: string;
  /** Metered. */
  readonly wasm: Uint8Array;
  /** JSON text. */
  readonly data: string;
  /** The same as an object: what the engine itself reads of it, the approvals' documents. */
  readonly documents: Readonly<Record<string, unknown>>;
  readonly chains: Chains;
  /** The sets of package `approvers`, by name. */
  readonly approverSets: ReadonlyMap<string, { readonly readsTime: boolean }>;
  readonly packages: readonly PolicyPackage[];
  readonly stages: Readonly<Record<StageName, CompiledStage>>;
  /** A package in force asks for masks, or could. */
  readonly masksPossible: boolean;
}

/** Compiled here, and so with what they were compiled from. */
export type FreshPolicies = CompiledPolicies & { readonly plan: Plan; readonly sources: PolicySources };

/** For `interlock policy build`: `unsupported` is empty, because anything in it refuses the build (PolicyBuildError). */
export type BuiltPolicies = FreshPolicies & { readonly unsupported: readonly UnsupportedBuiltin[]; readonly notes: readonly string[] };

/** POLICY_BUILD or POLICY_BUILTIN with everything that was found, each with file and line. */
export class PolicyBuildError extends InterlockError {
  readonly problems: readonly OpaProblem[];
  readonly unsupported: readonly UnsupportedBuiltin[];
  constructor(code: ErrorCode, problems: readonly OpaProblem[], unsupported: readonly UnsupportedBuiltin[]) {
    super(code, problems.map(({ file, line, message }) => (file === '' ? message : `${file}:${line}: ${message}`)).join('\n'));
    this.problems = problems;
    this.unsupported = unsupported;
  }
}

/** @throws InterlockError POLICY_BUILD, POLICY_BUILTIN, TOOL_MISSING */
export async function buildPolicies(
  dir: string,
  options: { readonly data: readonly string[]; readonly opa: () => Promise<string> },
): Promise<BuiltPolicies> {
  const compiled = await compilePolicies(await readSources(dir, options.data), options.opa);
  const notes = STAGES.flatMap((stage) =>
    compiled.stages[stage].volatile.map((path) => `${stage}: policies read input.${path}, so judgements are not cached`),
  );
  return { ...compiled, unsupported: [], notes };
}

export async function compilePolicies(sources: PolicySources, opa: () => Promise<string>): Promise<FreshPolicies> {
  await using workspace = await OpaWorkspace.open(await opa(), sources.modules);
  const files = [...sources.modules.keys()];
  const known = await workspace.writeCapabilities(CAPABILITIES);
  // a path that no request can have is a misspelling, and its deny would silently never fire (E4)
  await workspace.write(SCHEMA, JSON.stringify(DecisionRequest));
  await workspace.write(ACCESS_SCHEMA, JSON.stringify(AccessRequest));
  await check(workspace, sources.modules, known);
  const modules = await parseModules(workspace, sources.modules);
  const packages = findPackages(modules, sources.data);
  const approverSets = findApproverSets(modules);
  const chains = checkDocuments(sources, approverSets);
  checkChainNames(modules, sources, packages, chains);
  const entry = entryModule(packages, approverSets);
  await workspace.write(ENTRY, entry.text);
  const options = ['--capabilities', CAPABILITIES, ...entry.entrypoints.flatMap((name) => ['--entrypoint', name])];
  const [wasm, planText] = await Promise.all([
    workspace.build('wasm', '/policy.wasm', [...files, ENTRY], options),
    workspace.build('plan', '/plan.json', [...files, ENTRY], options),
  ]);
  const plan = JSON.parse(Buffer.from(planText).toString('utf8')) as Plan;
  const stage = (name: StageName): ReadNode => stageReads(plan, packages, name);
  const parts: PolicyParts = {
    wasm: understood(() => meter(wasm)),
    data: sources.data,
    packages,
    approverSets: new Map(approverSets.map((name) => [name, { readsTime: readsTime(plan, name) }])),
    reads: { session: stage('session'), request: stage('request'), access: stage('access') },
  };
  return { ...assemble(parts, revisionOf(BUILD_VERSION, sources.digest), BUILD_VERSION), chains, plan, sources };
}

/** What cannot be derived from anything else once OPA is done. */
export interface PolicyParts {
  /** Metered. */
  readonly wasm: Uint8Array;
  readonly data: Readonly<Record<string, unknown>>;
  readonly packages: readonly PolicyPackage[];
  readonly approverSets: CompiledPolicies['approverSets'];
  readonly reads: Readonly<Record<StageName, ReadNode>>;
}

/** The same for policies that were compiled here and for those that come in a bundle. */
export function assemble(parts: PolicyParts, revision: string, build: string): CompiledPolicies {
  const { wasm, data, packages, approverSets } = parts;
  const stage = (name: StageName): CompiledStage => compiledStage(parts.reads[name], packages, name);
  return {
    revision,
    build,
    wasm,
    data: JSON.stringify(data),
    documents: data,
    packages,
    stages: { session: stage('session'), request: stage('request'), access: stage('access') },
    chains: chainsOf(data['approval_chains']),
    approverSets,
    masksPossible: packages.some((entry) => !entry.shadow && judges('request', entry) && entry.sets.includes('mask')),
  };
}

export function revisionOf(build: string, sourcesDigest: string): string {
  return digest(`${build}\n${sourcesDigest}`);
}

/** Sets of approvers and questions of others have other inputs: they are checked apart from what judges statements. */
async function check(workspace: OpaWorkspace, modules: ReadonlyMap<string, string>, known: ReadonlySet<string>): Promise<void> {
  const files = [...modules.keys()];
  const textOf = (file: string): string => modules.get(file) ?? '';
  const judging = files.filter((file) => !isApproversModule(textOf(file)) && !isAccessModule(textOf(file)));
  if (judging.length > 0) refuse(await workspace.check(judging, ['--capabilities', CAPABILITIES, '--schema', SCHEMA]), known);
  const access = files.filter((file) => isAccessModule(textOf(file)));
  const helpers = files.filter((file) => isSharedHelper(textOf(file)));
  if (access.length > 0) refuse(await workspace.check([...access, ...helpers], ['--capabilities', CAPABILITIES, '--schema', ACCESS_SCHEMA]), known);
  if (judging.length < files.length) refuse(await workspace.check(files, ['--capabilities', CAPABILITIES]), known);
}

function stageReads(plan: Plan, packages: readonly PolicyPackage[], stage: StageName): ReadNode {
  const entrypoints = [false, true]
    .filter((shadow) => !shadow || slotsOf(packages, stage, true).length > 0)
    .map((shadow) => entrypointName(stage, shadow));
  return settled(...entrypoints.map((entrypoint) => understood(() => inputReads(plan, entrypoint))));
}

function compiledStage(read: ReadNode, packages: readonly PolicyPackage[], stage: StageName): CompiledStage {
  const slots = slotsOf(packages, stage, true);
  return {
    live: { entrypoint: entrypointName(stage, false), slots: slotsOf(packages, stage, false) },
    shadow: slots.length === 0 ? null : { entrypoint: entrypointName(stage, true), slots },
    reads: read,
    volatile: VOLATILE.filter((path) => reads(read, path)).map((path) => path.join('.')),
  };
}

function readsTime(plan: Plan, set: string): boolean {
  return reads(settled(understood(() => inputReads(plan, approversEntrypoint(set)))), ['time']);
}

/** What we cannot read we do not run. */
function understood<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw new InterlockError('POLICY_BUILD', `OPA's output is not understood: ${(error as Error).message}`, { cause: error });
  }
}

function refuse(problems: readonly OpaProblem[], known: ReadonlySet<string>): void {
  if (problems.length === 0) return;
  const unsupported = problems.flatMap(({ file, line, message }) => {
    const builtin = /undefined function ([\w.]+)/.exec(message)?.[1];
    return builtin !== undefined && known.has(builtin) ? [{ builtin, file, line }] : [];
  });
  const worded = problems.map((problem) => {
    const builtin = unsupported.find(
      ({ file, line, builtin: name }) => file === problem.file && line === problem.line && problem.message.includes(name),
    );
    return builtin ? { ...problem, message: `builtin ${builtin.builtin} is not supported` } : problem;
  });
  throw new PolicyBuildError(unsupported.length > 0 ? 'POLICY_BUILTIN' : 'POLICY_BUILD', worded, unsupported);
}
