/** Names of functions, operators and types → what is known of them. */
import type { FunctionUse } from '#schemas/sql-facts';
import type { KnownFunction, Names } from './names.ts';
import type { Relations } from './relations.ts';

/** A bare name is the server's own if the server ships one: a user's function of that name with closer argument types is not told by the text. */
export function functionUse(parts: readonly string[], names: Names, relations: Relations): FunctionUse {
  const name = parts.at(-1) ?? '';
  const schema = parts.length > 1 ? parts.at(-2) : undefined;
  const builtIn = names.functions.get(name);
  if (schema === undefined && builtIn !== undefined) {
    return {
      name: `pg_catalog.${name}`,
      class: relations.shadowed && builtIn.class === 'pure' ? 'unknown' : builtIn.class,
      volatility: builtIn.volatility,
    };
  }
  if (schema === 'pg_catalog') {
    return builtIn === undefined
      ? { name: `pg_catalog.${name}`, class: 'unknown' }
      : { name: `pg_catalog.${name}`, class: builtIn.class, volatility: builtIn.volatility };
  }
  if (schema === 'information_schema') return { name: `information_schema.${name}`, class: 'catalog' };
  const qualified = `${schema ?? relations.home ?? '?'}.${name}`;
  const shipped = schema === 'pg_temp' ? undefined : names.extensionFunctions.get(name);
  return shipped === undefined ? { name: qualified, class: 'user' } : { name: qualified, class: shipped.class, volatility: shipped.volatility };
}

/** JDBC asks for primary keys with it. */
const EXPAND_ARRAY: KnownFunction = { class: 'catalog', volatility: 'i', gives: ['x', 'n'], takesRow: false };

/** What the server or an extension ships under this name. */
export function shippedFunction(parts: readonly string[], names: Names): KnownFunction | undefined {
  const name = parts.at(-1) ?? '';
  const schema = parts.length > 1 ? parts.at(-2) : undefined;
  if (schema === 'information_schema') return name === '_pg_expandarray' ? EXPAND_ARRAY : undefined;
  const builtIn = schema === undefined || schema === 'pg_catalog' ? names.functions.get(name) : undefined;
  return builtIn ?? (schema === 'pg_catalog' ? undefined : names.extensionFunctions.get(name));
}

/** null: built in, or of a contrib extension. */
export function operatorUse(parts: readonly string[], names: Names, relations: Relations): FunctionUse | null {
  const name = parts.at(-1) ?? '';
  const schema = parts.length > 1 ? parts.at(-2) : undefined;
  if (schema === undefined || schema === 'pg_catalog') {
    if (!names.operators.has(name))
      return { name: `operator ${schema ?? relations.home ?? '?'}.${name}`, class: schema === undefined ? 'user' : 'unknown' };
    return schema === undefined && relations.shadowed ? { name: `operator ?.${name}`, class: 'unknown' } : null;
  }
  return { name: `operator ${schema}.${name}`, class: 'user' };
}

/** A cast to a type that is not built in may run its owner's code: input functions, casts, checks of a domain. null: built in. */
export function typeUse(parts: readonly string[], names: Names, relations: Relations): FunctionUse | null {
  const name = parts.at(-1) ?? '';
  const schema = parts.length > 1 ? parts.at(-2) : undefined;
  const base = name.startsWith('_') && !names.types.has(name) ? name.slice(1) : name;
  if (schema === undefined || schema === 'pg_catalog') {
    if (names.types.has(base)) return schema === undefined && relations.shadowed ? { name: `cast ?.${name}`, class: 'unknown' } : null;
    if (names.relations.has(base)) return null;
  }
  if (schema === 'information_schema' || (schema !== 'pg_temp' && names.extensionTypes.has(base))) return null;
  // the row type of a known relation only puts columns together
  if (relations.index !== null && relations.named(schema, base).known !== null) return null;
  return { name: `cast ${schema ?? relations.home ?? '?'}.${name}`, class: 'user' };
}
