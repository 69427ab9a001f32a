/** What is read of an input, as a document: it goes along with the policies that were analysed. */
import { DEEP, KEYS, ReadNode, type ReadMode, TOUCH } from './read-trie.ts';

export interface ReadDocument {
  readonly mode: ReadMode;
  readonly children?: Readonly<Record<string, ReadDocument>>;
  readonly any?: ReadDocument;
}

export function writeReads({ mode, children, any }: ReadNode): ReadDocument {
  return {
    mode,
    ...(children.size > 0 && { children: Object.fromEntries([...children].map(([key, child]) => [key, writeReads(child)])) }),
    ...(any !== null && { any: writeReads(any) }),
  };
}

/** null: it is none. */
export function readReads(document: unknown): ReadNode | null {
  const root = new ReadNode();
  return fill(root, document) ? root : null;
}

const KNOWN = ['mode', 'children', 'any'];

function fill(node: ReadNode, document: unknown): boolean {
  if (!isObject(document) || Object.keys(document).some((key) => !KNOWN.includes(key))) return false;
  const { mode, children = {}, any } = document;
  if ((mode !== TOUCH && mode !== KEYS && mode !== DEEP) || !isObject(children)) return false;
  node.raise(mode);
  // at its greatest depth a node has no child but itself, and reads everything
  return Object.entries(children).every(([key, child]) => fill(node.child(key), child)) && (any === undefined || fill(node.anyChild(), any));
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}
