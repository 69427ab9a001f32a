/**
 * How many rows an answer holds, for the record and for the ceilings of agents. Tools have no rows: entries of the longest list count (of lists inside
 * of lists the outer one), and lines where a text is no JSON. What is said twice, as words and as structure, counts once.
 */
import type { RpcOutcome } from './message.ts';
import { isObject, objectOf } from './protocol.ts';

const ROWS_DEPTH = 8;

export function rowsOf(method: string, outcome: RpcOutcome): number {
  if (!outcome.ok) return 0;
  const { content, contents, structuredContent } = outcome.result;
  switch (method) {
    case 'tools/call':
      return Math.max(
        longest(structuredContent, ROWS_DEPTH),
        sum(content, (item) => ofText(item['text'] ?? objectOf(item['resource'])['text'])),
      );
    case 'resources/read':
      return sum(contents, (item) => ofText(item['text']));
    default:
      return 0; // lists of what there is, and the words of prompts
  }
}

function sum(items: unknown, rows: (item: Readonly<Record<string, unknown>>) => number): number {
  return Array.isArray(items) ? items.reduce<number>((total, item) => total + (isObject(item) ? rows(item) : 0), 0) : 0;
}

function ofText(text: unknown): number {
  if (typeof text !== 'string' || text === '') return 0;
  const first = text.trimStart()[0];
  if (first !== '{' && first !== '[') return linesOf(text);
  try {
    return longest(JSON.parse(text), ROWS_DEPTH);
  } catch {
    return linesOf(text); // documents one after another, or none at all
  }
}

function linesOf(text: string): number {
  let lines = text.endsWith('\n') ? 0 : 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}

function longest(value: unknown, depth: number): number {
  if (Array.isArray(value)) return value.length;
  if (!isObject(value) || depth === 0) return 0;
  return Object.values(value).reduce<number>((most, inner) => Math.max(most, longest(inner, depth - 1)), 0);
}
