/** What a statement is, without the values in it: the same for texts that differ in literals, blanks and comments only. */
import { hash } from 'node:crypto';
import { functionUse } from './functions.ts';
import type { Names } from './names.ts';
import type { Relations } from './relations.ts';
import { fields, nameParts } from './tree.ts';

/**
 * A literal that decides what is done is no value and stays: in SET, as an argument of a function that is not pure, cast to a name (`regclass`).
 * So do literals outside expressions: passwords, comments, bodies of code. A shape says too much rather than too little.
 */
export function shapeOf(statement: unknown, names: Names, relations: Relations): string {
  const parts: string[] = [];
  print(parts, statement, { names, relations, strip: true });
  return `sha256:${hash('sha256', parts.join(''))}`;
}

interface Style {
  readonly names: Names;
  readonly relations: Relations;
  readonly strip: boolean;
}

const PLACES = new Set(['location', 'stmt_location', 'stmt_len', 'name_location']);
const CODE_OR_NAME = /^reg/;

function print(parts: string[], value: unknown, style: Style): void {
  if (Array.isArray(value)) {
    parts.push('[');
    for (const item of value) print(parts, item, style);
    parts.push(']');
    return;
  }
  const node = fields(value);
  if (node === null) {
    parts.push(typeof value === 'string' ? JSON.stringify(value) : String(value), ',');
    return;
  }
  parts.push('{');
  for (const key in node) {
    if (PLACES.has(key)) continue;
    if (key === 'A_Const' && style.strip) {
      parts.push('?');
      continue;
    }
    parts.push(key, ':');
    print(parts, node[key], style.strip && keeps(key, node[key], style) ? { ...style, strip: false } : style);
  }
  parts.push('}');
}

function keeps(key: string, value: unknown, style: Style): boolean {
  const node = fields(value);
  switch (key) {
    case 'VariableSetStmt':
    case 'setstmt':
      return true;
    case 'FuncCall':
    case 'funccall':
      return functionUse(nameParts(node?.['funcname']), style.names, style.relations).class !== 'pure';
    case 'TypeCast':
      return CODE_OR_NAME.test(nameParts(fields(node?.['typeName'])?.['names']).at(-1) ?? '');
    default:
      return false;
  }
}
