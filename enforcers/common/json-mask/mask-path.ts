/**
 * Where masks stand in a JSON document: RFC 9535's `$`, `.name`, `['name']`, `[*]`, `.*`, `[7]`, and `..` before a name or a star. Filters, slices
 * and negative indexes are refused by name.
 */
import { ANSWER_LIMITS } from './limits.ts';

export type Select = { readonly by: 'name'; readonly name: string } | { readonly by: 'any' } | { readonly by: 'index'; readonly index: number };

export interface PathStep {
  readonly select: Select;
  /** `..`: at any depth below. */
  readonly deep: boolean;
}

export type MaskPath = readonly PathStep[];

/** null: not a path that can be followed. */
export function readMaskPath(text: string): MaskPath | null {
  if (!text.startsWith('$')) return null;
  const steps: PathStep[] = [];
  let at = 1;
  while (at < text.length) {
    STEP.lastIndex = at;
    const match = STEP.exec(text);
    if (!match || steps.length === ANSWER_LIMITS.pathSteps) return null;
    at = STEP.lastIndex;
    const select = selectOf(match.groups ?? {});
    if (select === null) return null;
    steps.push({ select, deep: match[0].startsWith('..') });
  }
  return steps;
}

/** Names are compared without regard to case and to compatibility forms: some readers of JSON do so too (H5). */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase();
}

const STEP =
  /(?:\.\.?(?:(?<name>[^\s.[\]*'"]+)|(?<star>\*))|(?:\.\.)?\[(?:(?<index>0|[1-9]\d{0,8})|(?<every>\*)|(?<single>'(?:[^'\\]|\\.)*')|(?<double>"(?:[^"\\]|\\.)*"))\])/y;

function selectOf({ name, star, every, index, single, double }: Readonly<Record<string, string | undefined>>): Select | null {
  if (name !== undefined) return { by: 'name', name: foldName(name) };
  if (star !== undefined || every !== undefined) return { by: 'any' };
  if (index !== undefined) return { by: 'index', index: Number(index) };
  const quoted = double ?? (single === undefined ? undefined : `"${single.slice(1, -1).replaceAll("\\'", "'").replaceAll('"', '\\"')}"`);
  if (quoted === undefined) return null;
  try {
    return { by: 'name', name: foldName(JSON.parse(quoted) as string) };
  } catch {
    return null; // not the escapes of JSON: no path
  }
}
