/** Which packages there are, which of the five sets each defines, and the generated module with the entrypoints. */
import { InterlockError } from '#schemas/errors';
import { judges } from './access-packages.ts';
import type { OpaWorkspace } from './opa.ts';
import { SETS, type SetName, type Slot } from './policy-result.ts';

export interface PolicyPackage {
  /** `<scope>.<name>` */
  readonly name: string;
  readonly sets: readonly SetName[];
  /** `data.rollout.<scope>.<name>` is `shadow`: evaluated and reported, without effect. */
  readonly shadow: boolean;
}

/** One for each protocol and stage; each also has one for the packages in shadow, judged apart so that they cannot disturb (E7). */
export const STAGES = ['session', 'request', 'access'] as const;
export type StageName = (typeof STAGES)[number];

export interface Term {
  readonly type: string;
  readonly value: unknown;
}
export interface Module {
  readonly package: { readonly path: readonly Term[] };
  readonly rules?: readonly {
    readonly default?: boolean;
    readonly head: { readonly key?: unknown; readonly value?: unknown; readonly ref: readonly Term[]; readonly args?: unknown };
  }[];
}

/** File → what OPA's own parser makes of it. @throws InterlockError POLICY_BUILD */
export async function parseModules(workspace: OpaWorkspace, modules: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Module>> {
  await workspace.write('.interlock-parse.json', JSON.stringify(Object.fromEntries(modules)));
  const query = '{file: module | some file, text in input; module := rego.parse_module(file, text)}';
  const answer = await workspace.run(['eval', '--format', 'json', '--input', '.interlock-parse.json', query]);
  const parsed =
    (JSON.parse(answer.stdout) as { result?: { expressions: { value: Record<string, Module> }[] }[] }).result?.[0]?.expressions[0]?.value ?? {};
  const missing = [...modules.keys()].find((file) => !parsed[file]);
  if (missing !== undefined) throw new InterlockError('POLICY_BUILD', `${missing}: OPA could not parse it`);
  return new Map(Object.entries(parsed));
}

/** @throws InterlockError POLICY_BUILD for a set that is not one, or a package that stands where no judgement would find it */
export function findPackages(modules: ReadonlyMap<string, Module>, data: unknown): PolicyPackage[] {
  const sets = new Map<string, Set<SetName>>();
  for (const [file, module] of modules) {
    const path = module.package.path.slice(1).map((term) => String(term.value));
    if (path[0] === 'interlock') throw new InterlockError('POLICY_BUILD', `${file}: package interlock is generated: choose another name`);
    const defined = definedSets(file, module);
    if (path[0] !== 'policies') continue;
    const name = path.slice(1).join('.');
    if (path.length === 3) sets.set(name, new Set([...(sets.get(name) ?? []), ...defined]));
    else if (defined.size > 0) {
      throw new InterlockError('POLICY_BUILD', `${file}: package ${path.join('.')} is never judged: name it policies.<scope>.<name>`);
    }
  }
  return [...sets].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, defined]) => toPackage(name, defined, data));
}

function toPackage(name: string, defined: ReadonlySet<SetName>, data: unknown): PolicyPackage {
  if (defined.size === 0) {
    throw new InterlockError('POLICY_BUILD', `package policies.${name} defines none of ${SETS.join(', ')}: helpers stand outside \`policies\``);
  }
  const rollout = name.split('.').reduce<unknown>((at, key) => own(at, key), own(data, 'rollout'));
  if (rollout !== undefined && rollout !== 'shadow' && rollout !== 'live') {
    throw new InterlockError('POLICY_BUILD', `data.rollout.${name} is ${JSON.stringify(rollout)}: allowed are "shadow" and "live"`);
  }
  return { name, sets: SETS.filter((set) => defined.has(set)), shadow: rollout === 'shadow' };
}

/** A rule called like a set must be one: `deny := true` would never be looked at. */
function definedSets(file: string, module: Module): Set<SetName> {
  const defined = new Set<SetName>();
  for (const { head, default: isDefault } of module.rules ?? []) {
    const name = SETS.find((set) => set === head.ref[0]?.value);
    if (!name) continue;
    const isSet = head.ref.length === 1 && head.key !== undefined && head.value === undefined && head.args === undefined && isDefault !== true;
    if (!isSet && module.package.path[1]?.value === 'policies') {
      throw new InterlockError('POLICY_BUILD', `${file}: \`${name}\` must be a set: write \`${name} contains {"code": …, "reason": …} if { … }\``);
    }
    if (isSet) defined.add(name);
  }
  return defined;
}

export function slotsOf(packages: readonly PolicyPackage[], stage: StageName, shadow: boolean): Slot[] {
  return packages
    .filter((entry) => entry.shadow === shadow && judges(stage, entry))
    .flatMap(({ name, sets }) => sets.map((set) => ({ policy: name, set })));
}

export function entrypointName(stage: StageName, shadow: boolean): string {
  return `interlock/entry/${stage}${shadow ? '_shadow' : ''}`;
}

export function approversEntrypoint(name: string): string {
  return `interlock/entry/approvers_${name}`;
}

/** Static references only: `data.policies[scope][name]` costs half as much again. */
export function entryModule(
  packages: readonly PolicyPackage[],
  approverSets: readonly string[],
): { readonly text: string; readonly entrypoints: readonly string[] } {
  const lines: string[] = [];
  const entrypoints: string[] = [];
  for (const stage of STAGES) {
    for (const shadow of [false, true]) {
      const slots = slotsOf(packages, stage, shadow);
      if (shadow && slots.length === 0) continue;
      const refs = slots.map(({ policy, set }) => `data.policies${[...policy.split('.'), set].map((key) => `[${JSON.stringify(key)}]`).join('')}`);
      entrypoints.push(entrypointName(stage, shadow));
      lines.push(`${stage}${shadow ? '_shadow' : ''} := [${refs.join(', ')}]`);
    }
  }
  for (const name of approverSets) {
    entrypoints.push(approversEntrypoint(name));
    lines.push(`approvers_${name} := data.approvers[${JSON.stringify(name)}]`);
  }
  return { text: `package interlock.entry\n\n${lines.join('\n\n')}\n`, entrypoints };
}

function own(value: unknown, key: string): unknown {
  return value !== null && typeof value === 'object' && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}
