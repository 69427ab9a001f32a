/** Compiled policies ↔ the files of a bundle: what judges, what it is tested with before, and the text that it was compiled from. */
import { Compile } from 'typebox/compile';
import { InterlockError } from '#schemas/errors';
import { assemble, type CompiledPolicies, type FreshPolicies, type PolicyParts, revisionOf } from './bundle.ts';
import { requireMetered } from './metered.ts';
import { STAGES } from './packages.ts';
import { SETS } from './policy-result.ts';
import { type ReadDocument, readReads, writeReads } from './read-trie-text.ts';
import { sourcesDigest } from './sources.ts';

const WASM = 'policy.wasm';
const DATA = 'data.json';
/** Packages, sets of approvers, and what is read of an input: what OPA was needed for. */
const POLICY = 'policy.json';
const MODULES = 'modules/';
const CASES = 'cases/';

/** What the self-test needs beside the policies. */
export interface LoadedPolicies {
  readonly compiled: CompiledPolicies;
  /** Files of statement cases: name → text. */
  readonly cases: ReadonlyMap<string, string>;
}

const text = { type: 'string', minLength: 1, maxLength: 512 } as const;
const form: { Check(value: unknown): boolean } = Compile({
  type: 'object',
  additionalProperties: false,
  required: ['packages', 'approver_sets', 'reads'],
  properties: {
    packages: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'sets', 'shadow'],
        properties: { name: text, sets: { type: 'array', items: { enum: SETS } }, shadow: { type: 'boolean' } },
      },
    },
    approver_sets: {
      type: 'array',
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['name', 'reads_time'],
        properties: { name: text, reads_time: { type: 'boolean' } },
      },
    },
    reads: { type: 'object', additionalProperties: false, required: STAGES, properties: Object.fromEntries(STAGES.map((stage) => [stage, {}])) },
  },
});

interface PolicyDocument {
  readonly packages: PolicyParts['packages'];
  readonly approver_sets: readonly { readonly name: string; readonly reads_time: boolean }[];
  readonly reads: Readonly<Record<(typeof STAGES)[number], ReadDocument>>;
}

export function packPolicies({ packages, approverSets, stages, data, wasm, sources }: FreshPolicies): ReadonlyMap<string, Uint8Array> {
  const document: PolicyDocument = {
    packages,
    approver_sets: [...approverSets].map(([name, { readsTime }]) => ({ name, reads_time: readsTime })),
    reads: { session: writeReads(stages.session.reads), request: writeReads(stages.request.reads), access: writeReads(stages.access.reads) },
  };
  return new Map<string, Uint8Array>([
    [POLICY, Buffer.from(JSON.stringify(document))],
    [DATA, Buffer.from(data)],
    [WASM, wasm],
    ...[...sources.modules].map(([name, module]) => [`${MODULES}${name}`, Buffer.from(module)] as const),
    ...[...sources.cases].map(([name, cases]) => [`${CASES}${name}`, Buffer.from(cases)] as const),
  ]);
}

/**
 * @param files whose bytes are known to be those that were signed
 * @throws InterlockError BUNDLE_MALFORMED for other files than these, or a revision that is not theirs; POLICY_UNMETERED
 */
export function unpackPolicies(
  files: ReadonlyMap<string, Uint8Array>,
  { revision, build }: { readonly revision: string; readonly build: string },
): LoadedPolicies {
  const odd = [...files.keys()].find((path) => ![POLICY, DATA, WASM].includes(path) && !path.startsWith(MODULES) && !path.startsWith(CASES));
  if (odd !== undefined) throw malformed(`${odd} is no file of policies`);
  const data = document(files, DATA) as PolicyParts['data'];
  const modules = below(files, MODULES);
  if (revisionOf(build, sourcesDigest(modules, data)) !== revision) throw malformed('its revision is not that of its policies');
  const policy = document(files, POLICY);
  if (!form.Check(policy)) throw malformed(`${POLICY} is not of its form`);
  const { packages, approver_sets, reads } = policy as PolicyDocument;
  const wasm = fileOf(files, WASM);
  requireMetered(wasm);
  const read = (stage: keyof PolicyParts['reads']): PolicyParts['reads']['session'] => {
    const found = readReads(reads[stage]);
    if (found === null) throw malformed(`${POLICY} does not say what is read at ${stage}`);
    return found;
  };
  const parts: PolicyParts = {
    wasm,
    data,
    packages,
    approverSets: new Map(approver_sets.map(({ name, reads_time }) => [name, { readsTime: reads_time }])),
    reads: { session: read('session'), request: read('request'), access: read('access') },
  };
  return { compiled: assemble(parts, revision, build), cases: below(files, CASES) };
}

function below(files: ReadonlyMap<string, Uint8Array>, folder: string): ReadonlyMap<string, string> {
  return new Map([...files].flatMap(([path, content]) => (path.startsWith(folder) ? [[path.slice(folder.length), utf8(path, content)]] : [])));
}

function document(files: ReadonlyMap<string, Uint8Array>, path: string): object {
  let value: unknown;
  try {
    value = JSON.parse(utf8(path, fileOf(files, path)));
  } catch {
    throw malformed(`${path} is not JSON`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw malformed(`${path} is no object`);
  return value;
}

function fileOf(files: ReadonlyMap<string, Uint8Array>, path: string): Uint8Array {
  const content = files.get(path);
  if (content === undefined) throw malformed(`${path} is missing`);
  return content;
}

function utf8(path: string, content: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    throw malformed(`${path} is not UTF-8`);
  }
}

function malformed(what: string): InterlockError {
  return new InterlockError('BUNDLE_MALFORMED', `the bundle is malformed: ${what}`);
}
