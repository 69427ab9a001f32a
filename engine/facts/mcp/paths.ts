/** A path-typed argument, resolved on its text alone: links are the upstream's business. */
import type { PathFacts } from '#schemas/mcp-facts';
import { foldsToSyntax } from './folding.ts';
import { LIMITS } from './limits.ts';

export type PathRead = { readonly ok: true; readonly path: PathFacts } | { readonly ok: false; readonly detail: string };

export function readPath(given: string, root: string): PathRead {
  const odd = oddity(given);
  if (odd !== null) return { ok: false, detail: `a path ${odd}` };
  const base = segmentsOf(root, []);
  if (base === null) return { ok: false, detail: 'its root is no path' };
  const segments = segmentsOf(given, given.startsWith('/') ? [] : base);
  if (segments === null) return { ok: false, detail: 'a path that leaves the file system' };
  const inside = base.every((segment, index) => segments[index] === segment);
  return { ok: true, path: { given, canonical: `/${segments.join('/')}`, segments, inside } };
}

/** What different readers of a path understand differently. */
function oddity(given: string): string | null {
  if (given === '') return 'that is empty';
  if (given.length > LIMITS.pathChars) return 'that is too long';
  if (!given.isWellFormed()) return 'that is no text';
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(given)) return 'with characters that cannot be seen';
  if (given.includes('\\')) return 'with a backslash';
  if (/%[0-9A-Fa-f]{2}/.test(given)) return 'with percent-encoding';
  if (given.startsWith('~')) return 'that begins with ~';
  if (/^[A-Za-z]{2,}:/.test(given)) return 'that is an address';
  if (given !== given.normalize('NFC')) return 'that is not in normal form C';
  if (foldsToSyntax(given)) return 'with characters that some readers take for others';
  return null;
}

/** null: it goes above the root of all. */
function segmentsOf(path: string, from: readonly string[]): string[] | null {
  const segments = [...from];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') segments.push(part);
    else if (segments.pop() === undefined) return null;
  }
  return segments;
}
