/** Lists as this principal may see them: every entry judged by itself, tools only as they were pinned. */
import { isTool } from './pins.ts';
import { isObject } from './protocol.ts';
import type { McpSession } from './session.ts';
import { hidden, type ListMethod } from './visibility.ts';

const ENTRIES: Readonly<Record<ListMethod, { readonly member: string; readonly key: string }>> = {
  'tools/list': { member: 'tools', key: 'name' },
  'resources/list': { member: 'resources', key: 'uri' },
  'resources/templates/list': { member: 'resourceTemplates', key: 'uriTemplate' },
  'prompts/list': { member: 'prompts', key: 'name' },
};

export function isList(method: string): method is ListMethod {
  return Object.hasOwn(ENTRIES, method);
}

/** The same result with what may be seen. What is no list of MCP becomes an empty one. */
export async function filtered(
  method: ListMethod,
  result: Readonly<Record<string, unknown>>,
  session: McpSession,
): Promise<Readonly<Record<string, unknown>>> {
  const { member, key } = ENTRIES[method];
  const given = result[member];
  const entries = Array.isArray(given) ? (given as unknown[]).filter(isObject) : [];
  const shown: unknown[] = [];
  for (const entry of entries) {
    const name = entry[key];
    if (typeof name !== 'string' || name === '') continue;
    if (method === 'tools/list' && !(isTool(entry) && session.house.keeper.saw(entry) === 'pinned')) continue;
    if ((await hidden(method, name, session)) === null) shown.push(entry);
  }
  return { ...result, [member]: shown };
}

/** Names of tools that this principal may see: what a denial says would be allowed. */
export async function visibleTools(session: McpSession, most: number): Promise<readonly string[]> {
  const { keeper } = session.house;
  const names: string[] = [];
  for (const name of keeper.names) {
    if (names.length === most) break;
    if (keeper.stateOf(name) === 'pinned' && (await hidden('tools/list', name, session)) === null) names.push(name);
  }
  return names;
}
