/** Chains that rules name as they stand in the text: a name that is in no data document would deny every statement that it asks about. */
import { InterlockError } from '#schemas/errors';
import type { Chains } from './chains.ts';
import type { Module, PolicyPackage } from './packages.ts';
import type { PolicySources } from './sources.ts';

/** Names that a rule computes, or takes from data, are looked up when it answers. @throws InterlockError POLICY_BUILD with file and line */
export function checkChainNames(
  modules: ReadonlyMap<string, Module>,
  sources: Pick<PolicySources, 'modules'>,
  packages: readonly PolicyPackage[],
  chains: Chains,
): void {
  const live = new Set(packages.filter(({ shadow }) => !shadow).map(({ name }) => `policies.${name}`));
  for (const [file, module] of modules) {
    const path = module.package.path.slice(1).map((term) => String(term.value));
    if (!live.has(path.join('.'))) continue;
    const rules = (module.rules ?? []).filter(({ head }) => head.ref[0]?.value === 'require_approval');
    const missing = namedIn(rules).find((name) => !chains.has(name));
    if (missing === undefined) continue;
    const line = lineOf(sources.modules.get(file) ?? '', missing);
    throw new InterlockError('POLICY_BUILD', `${file}:${line}: the approval chain ${JSON.stringify(missing)} is not in data.approval_chains`);
  }
}

/** The values of `"chain": "…"` in every object of the rules. */
function namedIn(node: unknown): string[] {
  if (Array.isArray(node)) return node.flatMap(namedIn);
  if (node === null || typeof node !== 'object') return [];
  const { type, value } = node as { type?: unknown; value?: unknown };
  const own = type === 'object' && Array.isArray(value) ? value.flatMap(chainIn) : [];
  return [...own, ...Object.values(node).flatMap(namedIn)];
}

function chainIn(pair: unknown): string[] {
  const [key, value] = Array.isArray(pair) ? (pair as ({ type?: string; value?: unknown } | undefined)[]) : [];
  return key?.type === 'string' && key.value === 'chain' && value?.type === 'string' ? [String(value.value)] : [];
}

function lineOf(text: string, name: string): number {
  const at = text.indexOf(JSON.stringify(name));
  return text.slice(0, Math.max(0, at)).split('\n').length;
}
