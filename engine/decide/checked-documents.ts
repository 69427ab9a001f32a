/** The data documents that the engine itself reads: one that is malformed keeps the revision out, with its file and key. */
import { Compile } from 'typebox/compile';
import { Directory } from '#schemas/directory';
import { InterlockError } from '#schemas/errors';
import { type Chains, chainsOf } from './chains.ts';
import type { PolicySources } from './sources.ts';

const directory: { Check(value: unknown): boolean; Errors(value: unknown): readonly { instancePath: string; message: string }[] } =
  Compile(Directory);

/** @throws InterlockError POLICY_BUILD */
export function checkDocuments({ data, origins }: PolicySources): Chains {
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
  return chains;
}

function wrong(origins: PolicySources['origins'], key: string, problem: string): InterlockError {
  const file = origins.get(key) ?? origins.get(key.split('.')[0] ?? '');
  return new InterlockError('POLICY_BUILD', file === undefined ? problem : `${file}: ${problem}`);
}
