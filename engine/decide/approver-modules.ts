/** Package `approvers`: sets of people that stages name as `rego:NAME`. */
import { InterlockError } from '#schemas/errors';
import type { Module } from './packages.ts';

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const SETS_MAX = 100;

/** @returns names in order @throws InterlockError POLICY_BUILD for a rule whose value is no set, or a name that no reference could have */
export function findApproverSets(modules: ReadonlyMap<string, Module>): readonly string[] {
  const names = new Set<string>();
  for (const [file, module] of modules) {
    const path = module.package.path.slice(1).map((term) => String(term.value));
    if (path[0] !== 'approvers') continue;
    if (path.length > 1) throw new InterlockError('POLICY_BUILD', `${file}: package ${path.join('.')} is never asked: write package approvers`);
    for (const { head, default: isDefault } of module.rules ?? []) {
      const name = String(head.ref[0]?.value);
      if (head.args !== undefined || isDefault === true || head.key === undefined || head.value !== undefined || head.ref.length !== 1) continue;
      if (!NAME.test(name)) throw new InterlockError('POLICY_BUILD', `${file}: \`${name}\`: a set of approvers has a name such as shop_owners`);
      names.add(name);
    }
  }
  if (names.size > SETS_MAX) throw new InterlockError('POLICY_BUILD', `package approvers has more than ${SETS_MAX} sets`);
  return [...names].sort();
}

/** By its text, before it is parsed: it is checked against another input. */
export function isApproversModule(text: string): boolean {
  return /^\s*package\s+approvers\s*(#.*)?$/m.test(text);
}
