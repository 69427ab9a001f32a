/**
 * What of an input is read, as a trie of paths. `touch`: a scalar as it is, a container as an empty shell; `keys`: also the length, the
 * key names and that every element is there; `deep`: all of it.
 */
export const TOUCH = 1;
export const KEYS = 2;
export const DEEP = 3;
export type ReadMode = typeof TOUCH | typeof KEYS | typeof DEEP;

/** Paths do not get longer than this; below it everything counts as read. */
const DEPTH_MAX = 32;

let lastId = 0;

export class ReadNode {
  readonly id: number = ++lastId;
  readonly depth: number;
  mode: ReadMode = TOUCH;
  /** By constant key. */
  readonly children: Map<string, ReadNode> = new Map();
  /** Every element, or a key that is not constant. */
  any: ReadNode | null = null;

  constructor(depth: number = 0) {
    this.depth = depth;
  }

  child(key: string): ReadNode {
    let child = this.children.get(key);
    if (!child) {
      if (this.depth >= DEPTH_MAX) return this.raise(DEEP);
      this.children.set(key, (child = new ReadNode(this.depth + 1)));
    }
    return child;
  }

  anyChild(): ReadNode {
    if (!this.any) {
      if (this.depth >= DEPTH_MAX) return this.raise(DEEP);
      this.any = new ReadNode(this.depth + 1);
    }
    return this.any;
  }

  raise(mode: ReadMode): this {
    if (mode > this.mode) this.mode = mode;
    return this;
  }
}

/** Whether anything at or below a path can be read. */
export function reads(root: ReadNode, path: readonly string[]): boolean {
  let nodes: readonly ReadNode[] = [root];
  for (const key of path) {
    // to know the key names of a container is to know whether this one is there
    if (nodes.some((node) => node.mode >= KEYS)) return true;
    nodes = nodes.flatMap((node) => [node.children.get(key), node.any].filter((next) => next != null));
    if (nodes.length === 0) return false;
  }
  return true;
}

/** A copy in which a constant child includes what is read of any child, so that one look-up per key is enough. @param others merged in */
export function settled(...nodes: readonly ReadNode[]): ReadNode {
  const merged = new ReadNode(nodes[0]?.depth ?? 0);
  for (const node of nodes) merged.raise(node.mode);
  if (merged.mode === DEEP) return merged;
  const anys = nodes.map((node) => node.any).filter((any) => any !== null);
  if (anys.length > 0) merged.any = settled(...anys);
  for (const key of new Set(nodes.flatMap((node) => [...node.children.keys()]))) {
    merged.children.set(key, settled(...nodes.map((node) => node.children.get(key)).filter((child) => child !== undefined), ...anys));
  }
  return merged;
}

/** Every path as `input.sql.effects[*].verb`, with `#` for keys and `…` for deep: for people and tests. */
export function describeReads(root: ReadNode, name: string = 'input'): string[] {
  const own = root.mode === DEEP ? [`${name}…`] : root.mode === KEYS ? [`${name}#`] : [];
  const below = [
    ...[...root.children].flatMap(([key, child]) => describeReads(child, `${name}.${key}`)),
    ...(root.any ? describeReads(root.any, `${name}[*]`) : []),
  ];
  return own.length + below.length === 0 ? [name] : [...own, ...below];
}
