/** The data documents that the engine itself reads: one that is malformed keeps the revision out, with its file and key. */
import { Compile } from 'typebox/compile';
import { Directory } from '#schemas/directory';
import { InterlockError } from '#schemas/errors';
import { type Chains, chainsOf } from './chains.ts';
import type { ChainDocument } from './policy-result.ts';
import type { PolicySources } from './sources.ts';

const directory: { Check(value: unknown): boolean; Errors(value: unknown): readonly { instancePath: string; message: string }[] } =
  Compile(Directory);

/** @param approverSets of package `approvers` @throws InterlockError POLICY_BUILD */
export function checkDocuments({ data, origins }: PolicySources, approverSets: readonly string[]): Chains {
  const chains = chainsOf(data['approval_chains']);
  for (const [name, known] of chains) {
    const key = name === '' ? 'approval_chains' : `approval_chains.${name}`;
    if (!known.ok) throw wrong(origins, key, `data.${key}${known.at} ${known.problem}`);
  }
  const documents = data['directory'];
  if (documents !== undefined && !directory.Check(documents)) {
    const worst = directory.Errors(documents).toSorted((a, b) => b.instancePath.split('/').length - a.instancePath.split('/').length)[0];
    const path = (worst?.instancePath ?? '').replaceAll('/', '.');
    const problem = worst === undefined || worst.message === 'schema is false' ? 'is not known there' : worst.message;
    throw wrong(origins, `directory.${path.split('.')[1] ?? ''}`, `data.directory${path} ${problem}`);
  }
  const roles = Object.keys((documents as Directory | undefined)?.roles ?? {});
  for (const [name, known] of chains) {
    const misspelt = known.ok ? refsOf(known.chain).find((ref) => !isKnown(ref, roles, approverSets)) : undefined;
    if (misspelt === undefined) continue;
    const key = `approval_chains.${name}`;
    throw wrong(origins, key, `data.${key} asks for ${JSON.stringify(misspelt)}, which is not there: ${thereAre(roles, approverSets)}`);
  }
  return chains;
}

function refsOf({ stages }: ChainDocument): readonly string[] {
  const approvers = stages.flatMap(({ any_of, escalate = [] }) => [...any_of, ...escalate.flatMap(({ add }) => add)]);
  return approvers.flatMap((approver) => ('ref' in approver ? [approver.ref] : []));
}

/** Calendars stand in interlock.yaml, not in the policies. */
function isKnown(ref: string, roles: readonly string[], approverSets: readonly string[]): boolean {
  if (ref === 'directory:manager' || ref === 'directory:owner') return true;
  if (ref.startsWith('directory:role/')) return roles.includes(ref.slice('directory:role/'.length));
  if (ref.startsWith('rego:')) return approverSets.includes(ref.slice('rego:'.length));
  return /^oncall:[a-z0-9][a-z0-9_-]*$/.test(ref);
}

function thereAre(roles: readonly string[], approverSets: readonly string[]): string {
  const own = [...roles.map((role) => `directory:role/${role}`), ...approverSets.map((set) => `rego:${set}`)];
  return ['directory:manager', 'directory:owner', ...own, 'oncall:NAME'].join(', ');
}

/** With the file of the key. */
export function wrong(origins: PolicySources['origins'], key: string, problem: string): InterlockError {
  const file = origins.get(key) ?? origins.get(key.split('.')[0] ?? '');
  return new InterlockError('POLICY_BUILD', file === undefined ? problem : `${file}: ${problem}`);
}
