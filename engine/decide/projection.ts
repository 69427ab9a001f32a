import { DEEP, KEYS, type ReadNode } from './read-trie.ts';

/**
 * The JSON text of what is read of a value: the cache key and the input that is evaluated, so that key and answer cannot disagree.
 * Written as text, never copied into objects: a key `__proto__` stays an ordinary key.
 * @param node of a settled trie
 */
export function projected(node: ReadNode, value: unknown): string {
  if (value === null || typeof value !== 'object') return scalar(value);
  if (node.mode === DEEP) return JSON.stringify(value);
  return Array.isArray(value) ? arrayText(node, value) : objectText(node, value as Readonly<Record<string, unknown>>);
}

/** `"key":value` of the named children, without braces; '' if none is there. */
export function projectedMembers(node: ReadNode, value: Readonly<Record<string, unknown>>, keys: readonly string[]): string {
  let text = '';
  for (const key of keys) {
    const child = node.children.get(key);
    const item = child && Object.hasOwn(value, key) ? value[key] : undefined;
    if (child && item !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${projected(child, item)}`;
  }
  return text;
}

function scalar(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : 'null';
  return typeof value === 'boolean' ? String(value) : 'null';
}

/** Of an element that nobody reads it matters only that it is there. */
const UNREAD = '0';

function arrayText(node: ReadNode, value: readonly unknown[]): string {
  const { any } = node;
  if (!any && node.mode < KEYS) return '[]';
  let text = '';
  for (const item of value) text += `${text === '' ? '' : ','}${any ? projected(any, item) : UNREAD}`;
  return `[${text}]`;
}

function objectText(node: ReadNode, value: Readonly<Record<string, unknown>>): string {
  const all = node.any !== null || node.mode >= KEYS;
  if (!all) return `{${projectedMembers(node, value, [...node.children.keys()])}}`;
  let text = '';
  for (const key of Object.keys(value)) {
    const item = value[key];
    if (item === undefined) continue;
    const child = node.children.get(key) ?? node.any;
    text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${child ? projected(child, item) : UNREAD}`;
  }
  return `{${text}}`;
}
