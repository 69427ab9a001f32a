/** Reading libpg_query's JSON without a type for each of its 250 nodes: what is missing or of another shape reads as nothing. */
import type { Fields } from './parser.ts';

export function fields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

export function items(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

/** `SelectStmt` of `{"SelectStmt": {…}}`; null for bare fields, which start in lower case. */
export function tagOf(node: Fields): string | null {
  for (const key in node) {
    const first = key.charCodeAt(0);
    return first >= 65 && first <= 90 ? key : null;
  }
  return null;
}

/** The fields of a wrapped node of this kind. */
export function as(tag: string, value: unknown): Fields | null {
  return fields(fields(value)?.[tag]);
}

/** The names in a list of String nodes; `*` for A_Star. */
export function nameParts(value: unknown): string[] {
  const parts: string[] = [];
  for (const item of items(value)) {
    const node = fields(item);
    if (node === null) continue;
    if ('A_Star' in node) parts.push('*');
    else if ('List' in node) parts.push(...nameParts(fields(node['List'])?.['items']));
    else {
      const name = text(fields(node['String'])?.['sval']);
      if (name !== null) parts.push(name);
    }
  }
  return parts;
}

export interface Constant {
  readonly kind: 'null' | 'text' | 'number' | 'boolean';
  readonly value: string | null;
}

/** A literal, seen through casts and a sign; null: something else. */
export function constantOf(value: unknown): Constant | null {
  let node = fields(value);
  for (let cast = as('TypeCast', node); cast !== null; cast = as('TypeCast', node)) node = fields(cast['arg']);
  const literal = as('A_Const', node);
  if (literal !== null) return literalOf(literal);
  const sign = as('A_Expr', node);
  if (sign === null || sign['lexpr'] !== undefined || nameParts(sign['name']).join() !== '-') return null;
  const magnitude = constantOf(sign['rexpr']);
  return magnitude?.kind === 'number' ? { kind: 'number', value: `-${magnitude.value}` } : null;
}

function literalOf(literal: Fields): Constant {
  if (literal['isnull'] === true) return { kind: 'null', value: null };
  const integer = fields(literal['ival']);
  if (integer !== null) return { kind: 'number', value: String(Number(integer['ival'] ?? 0)) };
  const float = fields(literal['fval']);
  if (float !== null) return { kind: 'number', value: text(float['fval']) ?? '0' };
  const boolean = fields(literal['boolval']);
  if (boolean !== null) return { kind: 'boolean', value: boolean['boolval'] === true ? 'true' : 'false' };
  const string = fields(literal['sval']);
  if (string !== null) return { kind: 'text', value: text(string['sval']) ?? '' };
  const bits = fields(literal['bsval']);
  return { kind: 'text', value: text(bits?.['bsval']) ?? '' };
}

/** The numbers of all parameters at or below a node. Call it only on trees that are within the budget. */
export function paramsIn(value: unknown, found: Set<number> = new Set()): Set<number> {
  if (Array.isArray(value)) for (const item of value) paramsIn(item, found);
  const node = fields(value);
  if (node === null) return found;
  for (const key in node) {
    const child = node[key];
    if (key === 'ParamRef') found.add(Number(fields(child)?.['number'] ?? 0));
    else if (typeof child === 'object') paramsIn(child, found);
  }
  return found;
}
