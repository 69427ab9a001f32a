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
  return `sha256:${hash('sha256', printed(statement, { names, relations, strip: true }))}`;
}

interface Style {
  readonly names: Names;
  readonly relations: Relations;
  readonly strip: boolean;
}

const CODE_OR_NAME = /^reg/;

/** One string, grown in place: this runs for every text that is read for the first time. */
function printed(value: unknown, style: Style): string {
  if (typeof value !== 'object' || value === null) return typeof value === 'string' ? `${value.length}'${value}` : `${String(value)},`;
  let out = '';
  if (Array.isArray(value)) {
    for (const item of value) out += printed(item, style);
    return `[${out}]`;
  }
  const node = value as Readonly<Record<string, unknown>>;
  for (const key in node) {
    const child = node[key];
    switch (key) {
      case 'location':
        if (typeof child === 'number') continue;
        break;
      case 'A_Const':
        if (!style.strip) break;
        out += '?';
        continue;
      case 'FuncCall':
      case 'funccall':
      case 'TypeCast':
      case 'VariableSetStmt':
      case 'setstmt':
        out += `${key}:${printed(child, style.strip && keeps(key, child, style) ? { ...style, strip: false } : style)}`;
        continue;
    }
    out += `${key}:${printed(child, style)}`;
  }
  return `{${out}}`;
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
