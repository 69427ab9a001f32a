/** A JSON document in a sentence: each value by its path, `amount = 100, customer.id = 'c_1'`. */
import { grouped } from '#client/shown';
import { ticked } from './names.ts';
import { literal } from './words.ts';

const LEAVES_MAX = 40;
const CHARS_MAX = 1_200;

/** Empty: there is nothing in it. @param literals false: the values are not told, their paths are */
export function documentSaid(value: unknown, literals: boolean): string {
  const leaves: string[] = [];
  let more = 0;
  let chars = 0;
  const put = (path: string, said: string): void => {
    const one = path === '' ? said : `${ticked(path)} = ${said}`;
    if (leaves.length >= LEAVES_MAX || chars + one.length > CHARS_MAX) more += one.length;
    else leaves.push(one);
    chars += one.length;
  };
  walk(value, '', (path, leaf) => put(path, literals ? valueSaid(leaf) : '…'));
  // in these words, so that a digest is told with what is cut
  return more === 0 ? leaves.join(', ') : `${leaves.join(', ')} … (${grouped(more)} more characters)`;
}

function valueSaid(leaf: unknown): string {
  if (typeof leaf === 'string') return literal(leaf);
  if (Array.isArray(leaf)) return '[]';
  return typeof leaf === 'object' && leaf !== null ? '{}' : JSON.stringify(leaf);
}

/** Strings, numbers, booleans, nulls, and what is empty. */
function walk(root: unknown, from: string, found: (path: string, leaf: unknown) => void): void {
  const open: [path: string, value: unknown][] = [[from, root]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, value] = next;
    const entries = childrenOf(path, value);
    if (entries.length === 0) found(path, value);
    else open.push(...entries.toReversed());
  }
}

function childrenOf(path: string, value: unknown): [string, unknown][] {
  if (Array.isArray(value)) return value.map((item: unknown, index) => [`${path}[${index}]`, item]);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).map(([key, item]) => [path === '' ? key : `${path}.${key}`, item]);
}
