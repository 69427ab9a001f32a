/** Obligations of a decision and named fields of the answer → where in the answer masks stand. */
import { refusal, type Refusal } from '../refusal.ts';
import type { Mask, Obligation } from '#schemas/decision';
import type { ResponseField } from '#schemas/http-facts';
import { ANSWER_LIMITS } from './limits.ts';
import { foldName, readMaskPath, type MaskPath } from './mask-path.ts';
import { objectionTo } from './method.ts';
import { Places, type NamedMask } from './places.ts';

export interface Answered {
  /** Named fields of the answer, as its description has them; absent: it is not described. */
  readonly facts: { readonly output?: readonly ResponseField[] };
  readonly obligations: readonly Obligation[];
}

/** null: nothing of the answer is masked. */
export function masksOf({ facts, obligations }: Answered): Places | Refusal | null {
  const output = facts.output ?? UNKNOWN;
  const known = KNOWN.get(obligations)?.get(output);
  if (known !== undefined) return known;
  const made = compile(obligations, output);
  const perOutput = KNOWN.get(obligations) ?? new WeakMap<readonly ResponseField[], Places | Refusal | null>();
  perOutput.set(output, made);
  KNOWN.set(obligations, perOutput);
  return made;
}

function compile(obligations: readonly Obligation[], output: readonly ResponseField[]): Places | Refusal | null {
  const masks: NamedMask[] = [];
  for (const obligation of obligations) {
    if (obligation.type !== 'mask') continue;
    const { columns, paths, detectors } = obligation.properties;
    if (detectors.length > 0) return unsupported('detectors');
    const asked = [
      ...Object.entries(paths).map((entry) => ({ entry, at: pathsOf })),
      ...Object.entries(columns).map((entry) => ({ entry, at: fieldsOf })),
    ];
    for (const { entry, at } of asked) {
      const [name, mask] = entry;
      const refused = add(masks, name, mask, at(name, output));
      if (refused) return refused;
    }
  }
  return masks.length === 0 ? null : new Places(masks);
}

function add(masks: NamedMask[], name: string, mask: Mask, paths: readonly (MaskPath | null)[]): Refusal | null {
  const objection = objectionTo(mask);
  if (objection !== null) return unsupported(objection);
  for (const path of paths) {
    if (path === null) return unsupported(`the path of the mask \`${name}\``);
    if (masks.length === ANSWER_LIMITS.paths) return unsupported(`more than ${ANSWER_LIMITS.paths} masked places in one answer`);
    masks.push({ name, path, mask });
  }
  return null;
}

const pathsOf = (name: string): (MaskPath | null)[] => [readMaskPath(name)];

/**
 * Where a named field stands. Of an answer that is not described it may be anywhere: its last name is masked at any depth. A field of a type
 * that is not known (`?.ssn`) may be the masked one.
 */
function fieldsOf(name: string, output: readonly ResponseField[]): (MaskPath | null)[] {
  const property = name.slice(name.lastIndexOf('.') + 1);
  if (output === UNKNOWN) return [[{ select: { by: 'name', name: foldName(property) }, deep: true }]];
  return output.filter(({ field }) => field === name || field === `?.${property}`).map(({ path }) => readMaskPath(path));
}

function unsupported(what: string): Refusal {
  return refusal('OBLIGATION_UNSUPPORTED', `a policy asks for a mask that cannot be fulfilled here: ${what}`, { by: 'policy' });
}

const UNKNOWN: readonly ResponseField[] = [];
/** The same obligations and the same answer meet again and again: what a mask needs is made once. */
const KNOWN = new WeakMap<readonly Obligation[], WeakMap<readonly ResponseField[], Places | Refusal | null>>();
