/** What the analysis of a plan knows of a local: which input paths it may be, which containers made by the policy, which constants. */
import { DEEP, KEYS, type ReadNode } from './read-trie.ts';

/** More constants than this are just "something that is not input". */
const CONSTANTS_MAX = 16;

export interface Abstract {
  readonly paths: ReadonlySet<ReadNode>;
  readonly sites: ReadonlySet<Site>;
  /** JSON texts of scalars. */
  readonly constants: ReadonlySet<string>;
  /** May be some other value that is no part of the input: data, or the result of a builtin. */
  readonly other: boolean;
}

/** A container that the policy makes at one place. What it holds only grows. */
export class Site {
  readonly id: number;
  readonly kind: 'array' | 'object' | 'set';
  element: Abstract = BOTTOM;
  key: Abstract = BOTTOM;
  deep = false;
  /** The constants of an array literal in their order; null once it was filled anywhere but in the block that made it. */
  literal: string[] | null = [];
  /** The block that made it. */
  readonly home: object;

  constructor(id: number, kind: 'array' | 'object' | 'set', home: object) {
    this.id = id;
    this.kind = kind;
    this.home = home;
  }
}

const NOTHING: ReadonlySet<never> = new Set<never>();
export const BOTTOM: Abstract = { paths: NOTHING, sites: NOTHING, constants: NOTHING, other: false };
export const OTHER: Abstract = { ...BOTTOM, other: true };

export function constant(json: string): Abstract {
  return { ...BOTTOM, constants: new Set([json]) };
}
export function ofPaths(...nodes: readonly ReadNode[]): Abstract {
  return { ...BOTTOM, paths: new Set(nodes) };
}
export function ofSite(site: Site): Abstract {
  return { ...BOTTOM, sites: new Set([site]) };
}

export function join(a: Abstract, b: Abstract): Abstract {
  if (a === b || b === BOTTOM) return a;
  if (a === BOTTOM) return b;
  const constants = union(a.constants, b.constants);
  // beside something unknown a constant says nothing; once lost it must stay lost, or nothing ever settles
  const other = a.other || b.other || constants.size > CONSTANTS_MAX;
  return { paths: union(a.paths, b.paths), sites: union(a.sites, b.sites), constants: other ? NOTHING : constants, other };
}

function union<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): ReadonlySet<T> {
  return b.size === 0 ? a : a.size === 0 ? b : new Set([...a, ...b]);
}

/** Known scalars and nothing else: comparing with it needs no more than a touch of the other side. */
export function isConstant(value: Abstract): boolean {
  return value.paths.size === 0 && value.sites.size === 0 && !value.other;
}

/** Equal for equal values. */
export function signature(value: Abstract): string {
  const ids = (items: ReadonlySet<{ readonly id: number }>): string =>
    [...items]
      .map((item) => item.id)
      .sort((a, b) => a - b)
      .join(',');
  return `${ids(value.paths)}|${ids(value.sites)}|${[...value.constants].sort().join(',')}|${value.other ? 'o' : ''}`;
}

/** Everything of the value may matter. */
export function readDeep(value: Abstract): void {
  for (const node of value.paths) node.raise(DEEP);
  for (const site of value.sites) {
    if (site.deep) continue;
    site.deep = true;
    readDeep(site.element);
    readDeep(site.key);
  }
}

/** Length and key names matter. */
export function readKeys(value: Abstract): void {
  for (const node of value.paths) node.raise(KEYS);
}

/** What elements of it may be. */
export function elementsOf(value: Abstract): Abstract {
  let result = value.other ? OTHER : BOTTOM;
  for (const node of value.paths) result = join(result, ofPaths(node.anyChild()));
  for (const site of value.sites) result = join(result, site.element);
  return result;
}
