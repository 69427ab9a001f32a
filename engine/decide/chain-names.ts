/**
 * Chains that rules name: a name that is in no data document would deny every statement that it asks about. Names stand in a rule as a text, or in the
 * data, where a rule refers to them. Where it takes them by a path that is only known when it answers, each member `chain` of the documents that its package
 * reads is taken for one.
 */
import { InterlockError } from '#schemas/errors';
import type { Chains } from './chains.ts';
import { wrong } from './checked-documents.ts';
import type { Module, PolicyPackage } from './packages.ts';
import type { PolicySources } from './sources.ts';

/** @throws InterlockError POLICY_BUILD with file, line or key, the name, and the chains that there are */
export function checkChainNames(
  modules: ReadonlyMap<string, Module>,
  sources: Pick<PolicySources, 'modules' | 'data' | 'origins'>,
  packages: readonly PolicyPackage[],
  chains: Chains,
): void {
  const live = new Set(packages.filter(({ shadow }) => !shadow).map(({ name }) => `policies.${name}`));
  const byPackage = new Map<string, Module[]>();
  for (const [file, module] of modules) {
    const path = module.package.path.slice(1).map((term) => String(term.value));
    const name = path.join('.');
    if (!live.has(name)) continue;
    checkTexts(file, module, sources, chains);
    byPackage.set(name, [...(byPackage.get(name) ?? []), module]);
  }
  for (const parts of byPackage.values()) {
    if (!parts.some((module) => rulesOf(module).length > 0)) continue;
    for (const [path, value] of namedInData(parts, sources.data)) {
      if (typeof value === 'string' && chains.has(value)) continue;
      const said = JSON.stringify(value).slice(0, SHOWN_CHARS);
      throw wrong(sources.origins, originOf(path, sources.origins), `data.${path.join('.')} names the approval chain ${said}, ${notThere(chains)}`);
    }
  }
}

const SHOWN_CHARS = 80;

function notThere(chains: Chains): string {
  const names = [...chains.keys()].sort();
  return `which is not in data.approval_chains${names.length === 0 ? ', where there is none' : `: there are ${names.join(', ')}`}`;
}

function rulesOf({ rules = [] }: Module): readonly unknown[] {
  return rules.filter(({ head }) => head.ref[0]?.value === 'require_approval');
}

function checkTexts(file: string, module: Module, { modules }: Pick<PolicySources, 'modules'>, chains: Chains): void {
  const texts = valuesOf(rulesOf(module)).flatMap(({ type, value }) => (type === 'string' ? [String(value)] : []));
  const missing = texts.find((name) => !chains.has(name));
  if (missing === undefined) return;
  const line = lineOf(modules.get(file) ?? '', missing);
  throw new InterlockError(
    'POLICY_BUILD',
    `${file}:${line}: the approval chain ${JSON.stringify(missing)} is ${notThere(chains).replace('which is ', '')}`,
  );
}

type Named = readonly [path: readonly string[], value: unknown];

function namedInData(modules: readonly Module[], data: Readonly<Record<string, unknown>>): readonly Named[] {
  const values = valuesOf(modules).filter(({ type }) => type !== 'string');
  const paths = values.map(dataPath);
  const direct = paths.flatMap((path): Named[] => {
    const value = path === null ? null : at(data, path);
    return path === null || value === undefined || value === null ? [] : [[path, value]];
  });
  if (!paths.includes(null)) return direct;
  const documents = new Set(refsIn(modules).flatMap((ref) => firstKey(ref) ?? []));
  return [...direct, ...[...documents].flatMap((key) => chainsIn(data[key], [key]))];
}

/** Members called `chain` that hold a text: a tool, a group or an argument may be called so, too. */
function chainsIn(value: unknown, path: readonly string[]): Named[] {
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, inner]): Named[] => {
    const here = [...path, key];
    if (key !== 'chain' || Array.isArray(value)) return chainsIn(inner, here);
    return typeof inner === 'string' ? [[here, inner]] : chainsIn(inner, here);
  });
}

function at(data: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => {
    const inside = value !== null && typeof value === 'object' && Object.hasOwn(value, key);
    return inside ? (value as Record<string, unknown>)[key] : undefined;
  }, data);
}

interface Term {
  readonly type?: unknown;
  readonly value?: unknown;
}

/** The values of `"chain": …` in every object. */
function valuesOf(node: unknown): Term[] {
  if (Array.isArray(node)) return node.flatMap(valuesOf);
  if (node === null || typeof node !== 'object') return [];
  const { type, value } = node as Term;
  const own = type === 'object' && Array.isArray(value) ? value.flatMap(chainIn) : [];
  return [...own, ...Object.values(node).flatMap(valuesOf)];
}

function chainIn(pair: unknown): Term[] {
  const [key, value] = Array.isArray(pair) ? (pair as (Term | undefined)[]) : [];
  return key?.type === 'string' && key.value === 'chain' && value !== undefined ? [value] : [];
}

/** Of `data.shop.chain` its keys; null: what it is shows only when the rule answers. */
function dataPath({ type, value }: Term): readonly string[] | null {
  if (type !== 'ref' || !Array.isArray(value)) return null;
  const [head, ...keys] = value as Term[];
  return head?.value === 'data' && keys.length > 0 && keys.every((key) => key.type === 'string') ? keys.map((key) => String(key.value)) : null;
}

function refsIn(node: unknown): readonly (readonly Term[])[] {
  if (Array.isArray(node)) return node.flatMap(refsIn);
  if (node === null || typeof node !== 'object') return [];
  const { type, value } = node as Term;
  return [...(type === 'ref' && Array.isArray(value) ? [value as Term[]] : []), ...Object.values(node).flatMap(refsIn)];
}

/** The document that it reads; chains themselves name none. */
function firstKey([head, key]: readonly Term[]): string | null {
  if (head?.value !== 'data' || key?.type !== 'string' || key.value === 'policies' || key.value === 'approval_chains') return null;
  return String(key.value);
}

/** As far as the files tell it. */
function originOf(path: readonly string[], origins: PolicySources['origins']): string {
  for (let length = path.length; length > 0; length--) {
    const key = path.slice(0, length).join('.');
    if (origins.has(key)) return key;
  }
  return path[0] ?? '';
}

function lineOf(text: string, name: string): number {
  const found = text.indexOf(JSON.stringify(name));
  return text.slice(0, Math.max(0, found)).split('\n').length;
}
