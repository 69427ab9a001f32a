/** Characters that become others where a reader folds compatible ones (NFKC, or what a code page has nearest): `．．／` is `../` to some. */

/** What separates and climbs in paths and addresses. */
const SYNTAX = /[./\\:%~?#@]/g;
/** Slashes that no normal form folds, and that readers have taken for one. */
const LOOK_ALIKE = /[\u2044\u2215\u29f8\u29f5\u2216]/;

export function foldsToSyntax(text: string): boolean {
  if (LOOK_ALIKE.test(text)) return true;
  const folded = text.normalize('NFKC');
  return folded !== text && (folded.match(SYNTAX)?.join('') ?? '') !== (text.match(SYNTAX)?.join('') ?? '');
}
