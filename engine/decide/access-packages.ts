/** Packages `policies.access.<name>` judge questions that carry no statement of ours; all others judge sessions and statements. Neither sees the other's input. */
const SCOPE = 'access.';

/** @param stage `session`, `request` or `access` */
export function judges(stage: string, { name }: { readonly name: string }): boolean {
  return name.startsWith(SCOPE) === (stage === 'access');
}

/** By its text, before it is parsed: it is checked against another input. */
export function isAccessModule(text: string): boolean {
  return /^\s*package\s+policies\.access\.\S/m.test(text);
}

/** A helper outside `policies` that both may use, because it looks at no input. */
export function isSharedHelper(text: string): boolean {
  return !/^\s*package\s+policies\b/m.test(text) && !/\binput\b/.test(text);
}
