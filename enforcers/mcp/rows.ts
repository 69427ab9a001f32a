/**
 * How many rows an answer holds, for the record and for the ceilings of agents. Tools have no rows: what JSON holds counts (common/json-rows.ts), and lines
 * where a text is no JSON; anything else is one. What is said twice, as words and as structure, counts once.
 */
import { JsonRows } from '#enforcers/common/json-rows';
import type { RpcOutcome } from './message.ts';
import { isObject, objectOf } from './protocol.ts';

export function rowsOf(method: string, outcome: RpcOutcome): number {
  if (!outcome.ok) return 0;
  const { content, contents, structuredContent } = outcome.result;
  switch (method) {
    case 'tools/call':
      return Math.max(
        structuredContent === undefined ? 0 : ofJson(JSON.stringify(structuredContent)),
        sum(content, (item) => ofItem(item['text'] ?? objectOf(item['resource'])['text'])),
      );
    case 'resources/read':
      return sum(contents, (item) => ofItem(item['text']));
    default:
      return 0; // lists of what there is, and the words of prompts
  }
}

function sum(items: unknown, rows: (item: Readonly<Record<string, unknown>>) => number): number {
  return Array.isArray(items) ? items.reduce<number>((total, item) => total + (isObject(item) ? rows(item) : 0), 0) : 0;
}

/** A picture, a link, a blob: one. */
function ofItem(text: unknown): number {
  if (typeof text !== 'string') return 1;
  if (text === '') return 0;
  const first = text.trimStart()[0];
  if (first !== '{' && first !== '[') return linesOf(text);
  try {
    JSON.parse(text);
    return ofJson(text);
  } catch {
    return linesOf(text); // documents one after another, or none at all
  }
}

function ofJson(text: string): number {
  const json = new JsonRows();
  json.push(Buffer.from(text, 'utf8'));
  return json.rows;
}

function linesOf(text: string): number {
  let lines = text.endsWith('\n') ? 0 : 1;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++;
  return lines;
}
