/** What a JSON Patch (RFC 6902) names stands in its pointers: `{"op":"replace","path":"/user/role"}` writes `role` as a member of that name does. */
import { folded } from './fields.ts';

/** Of a list of operations, by whatever media type it comes: names that `path` and `from` lead through, folded. Empty: it is none. */
export function pointerNames(document: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  if (!Array.isArray(document)) return names;
  for (const entry of document as readonly unknown[]) {
    if (typeof entry !== 'object' || entry === null || !('op' in entry)) continue;
    const { path, from } = entry as { readonly path?: unknown; readonly from?: unknown };
    for (const pointer of [path, from]) if (typeof pointer === 'string') for (const name of stepsOf(pointer)) names.add(folded(name));
  }
  return names;
}

/** RFC 6901 §4 */
function stepsOf(pointer: string): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}
