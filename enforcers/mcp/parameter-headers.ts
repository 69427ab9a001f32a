/** `Mcp-Param-…`: arguments that the pinned definition wants repeated as headers. */
import type { ToolKeeper } from './catalog.ts';
import { headerValue, isObject, objectOf } from './protocol.ts';

export function parameterHeaders(
  method: string,
  params: Readonly<Record<string, unknown>>,
  keeper: Pick<ToolKeeper, 'definition'>,
): readonly (readonly [name: string, value: string])[] {
  if (method !== 'tools/call') return [];
  const schema = keeper.definition(String(params['name']))?.['inputSchema'];
  return isObject(schema) ? headersIn(schema, objectOf(params['arguments'])) : [];
}

/** Only what a chain of `properties` reaches counts. */
export function headersIn(
  schema: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
  depth = 0,
): readonly (readonly [name: string, value: string])[] {
  if (depth > 8) return [];
  return Object.entries(objectOf(schema['properties'])).flatMap(([key, inner]) => {
    if (!isObject(inner) || !Object.hasOwn(given, key)) return [];
    const value = given[key];
    const name = inner['x-mcp-header'];
    const own = typeof name === 'string' && /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/.test(name) ? textOf(value) : null;
    return [
      ...(own === null ? [] : [[`mcp-param-${String(name).toLowerCase()}`, headerValue(own)] as const]),
      ...(isObject(value) ? headersIn(inner, value, depth + 1) : []),
    ];
  });
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' || (typeof value === 'number' && Number.isSafeInteger(value)) ? String(value) : null;
}
