/** What DDL, GRANT, COMMENT … name: relations, functions, types, schemas, roles. */
import type { ObjectRef } from '#schemas/sql-facts';
import { refOf } from './relations.ts';
import type { Verb } from './report.ts';
import { as, fields, items, nameParts, text } from './tree.ts';
import type { Walk } from './walk.ts';

const RELATIONS = new Set(['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW', 'OBJECT_INDEX', 'OBJECT_SEQUENCE', 'OBJECT_FOREIGN_TABLE']);
/** Their last name is their own, the ones before name a relation. */
const PARTS_OF_RELATIONS = new Set(['OBJECT_COLUMN', 'OBJECT_TRIGGER', 'OBJECT_RULE', 'OBJECT_POLICY', 'OBJECT_TABCONSTRAINT']);
const KINDS: Readonly<Record<string, ObjectRef['kind']>> = {
  OBJECT_FUNCTION: 'function',
  OBJECT_PROCEDURE: 'function',
  OBJECT_ROUTINE: 'function',
  OBJECT_AGGREGATE: 'function',
  OBJECT_SCHEMA: 'schema',
  OBJECT_ROLE: 'role',
};

/** Named by themselves, in no schema. */
const NO_SCHEMA = new Set(
  ['ACCESS_METHOD', 'CAST', 'DATABASE', 'EVENT_TRIGGER', 'EXTENSION', 'FDW', 'FOREIGN_SERVER', 'LANGUAGE', 'LARGEOBJECT', 'PARAMETER_ACL']
    .concat(['PUBLICATION', 'ROLE', 'SCHEMA', 'SUBSCRIPTION', 'TABLESPACE', 'TRANSFORM', 'USER_MAPPING'])
    .map((type) => `OBJECT_${type}`),
);

/** One entry of `objects`, or `object`: RangeVar, names, String, TypeName or ObjectWithArgs. */
export function object(walk: Walk, verb: Verb, type: string, value: unknown): void {
  const rangeVar = as('RangeVar', value);
  if (rangeVar !== null) {
    walk.touch(rangeVar, verb);
    return;
  }
  const parts = partsOf(value);
  if (RELATIONS.has(type)) relation(walk, verb, parts);
  else if (PARTS_OF_RELATIONS.has(type)) {
    const owner = relation(walk, verb === 'create' || verb === 'drop' ? 'alter' : verb, parts.slice(0, -1));
    walk.effect(verb, refOf(type === 'OBJECT_COLUMN' ? 'column' : 'other', owner, parts.at(-1) ?? '?'));
  } else if (NO_SCHEMA.has(type)) walk.effect(verb, refOf(KINDS[type] ?? 'other', undefined, parts.at(-1) ?? '?'));
  else named(walk, verb, KINDS[type] ?? 'other', parts);
}

function partsOf(value: unknown): string[] {
  const list = as('List', value);
  if (list !== null) return items(list['items']).flatMap((item) => partsOf(item));
  const single = text(as('String', value)?.['sval']);
  if (single !== null) return [single];
  const type = as('TypeName', value);
  if (type !== null) return nameParts(type['names']);
  return nameParts(as('ObjectWithArgs', value)?.['objname']);
}

/** Its qualified name. */
function relation(walk: Walk, verb: Verb, parts: readonly string[]): string {
  const resolved = walk.relations.named(parts.at(-2), parts.at(-1) ?? '?', parts.at(-3));
  walk.reach(resolved, verb);
  return resolved.ref.qualified;
}

/** Something that stands in a schema. */
export function named(walk: Walk, verb: Verb, kind: ObjectRef['kind'], parts: readonly string[]): void {
  const name = parts.at(-1) ?? '?';
  walk.effect(verb, refOf(kind, parts.at(-2) ?? walk.relations.home ?? undefined, name));
}

/** Roles of GRANT, ALTER OWNER …: `public`, `current_user`, or a name. */
export function role(walk: Walk, verb: Verb, value: unknown): void {
  const spec = fields(as('RoleSpec', value) ?? value);
  if (spec === null) return;
  const name = text(spec['rolename']) ?? (text(spec['roletype']) ?? '?').replace('ROLESPEC_', '').toLowerCase();
  walk.effect(verb, refOf('role', undefined, name));
}

/** The text of an option. */
export function option(options: unknown, name: string): unknown {
  for (const item of items(options)) {
    const element = as('DefElem', item);
    if (element?.['defname'] === name) return element['arg'];
  }
  return undefined;
}
