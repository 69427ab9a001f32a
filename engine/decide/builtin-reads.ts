/** What a builtin reads of its arguments. One that is not listed reads all of them whole. */
import { type Abstract, BOTTOM, elementsOf, isConstant, join, OTHER, ofPaths, readDeep, readKeys } from './abstract-value.ts';

/** @returns what the result may be */
type Rule = (args: readonly Abstract[]) => Abstract;

const typeTest: Rule = () => OTHER;

const compare: Rule = ([a = BOTTOM, b = BOTTOM]) => {
  readEquality(a, b);
  return OTHER;
};

const RULES: Readonly<Record<string, Rule>> = {
  is_array: typeTest,
  is_boolean: typeTest,
  is_null: typeTest,
  is_number: typeTest,
  is_object: typeTest,
  is_set: typeTest,
  is_string: typeTest,
  type_name: typeTest,
  equal: compare,
  neq: compare,
  lt: compare,
  lte: compare,
  gt: compare,
  gte: compare,
  count: keysOnly,
  'object.keys': keysOnly,
  'internal.member_2': ([item = BOTTOM, collection = BOTTOM]) => member(item, collection),
  'internal.member_3': ([key = BOTTOM, item = BOTTOM, collection = BOTTOM]) => {
    readDeep(key);
    return member(item, collection);
  },
  'object.get': objectGet,
  'object.union': ([a = BOTTOM, b = BOTTOM]) => join(a, b),
  'object.remove': ([object = BOTTOM, keys = BOTTOM]) => through(object, keys),
  'object.filter': ([object = BOTTOM, keys = BOTTOM]) => through(object, keys),
  'json.remove': ([object = BOTTOM, paths = BOTTOM]) => through(object, paths),
  'json.filter': ([object = BOTTOM, paths = BOTTOM]) => through(object, paths),
};

export function readBuiltin(name: string, args: readonly Abstract[]): Abstract {
  const rule = Object.hasOwn(RULES, name) ? RULES[name] : undefined;
  if (rule) return rule(args);
  for (const arg of args) readDeep(arg);
  return OTHER;
}

/** Against a scalar that is known, the shell of a container answers as well as the whole; otherwise equality compares whole values. */
export function readEquality(a: Abstract, b: Abstract): void {
  if (isConstant(a) || isConstant(b)) return;
  readDeep(a);
  readDeep(b);
}

function keysOnly([value = BOTTOM]: readonly Abstract[]): Abstract {
  readKeys(value);
  return OTHER;
}

function member(item: Abstract, collection: Abstract): Abstract {
  readKeys(collection);
  readEquality(item, elementsOf(collection));
  return OTHER;
}

/** The result is (part of) the object itself: what is read of it is read of the object at the same path. */
function through(object: Abstract, selection: Abstract): Abstract {
  readDeep(selection);
  return object;
}

function objectGet([object = BOTTOM, key = BOTTOM, fallback = BOTTOM]: readonly Abstract[]): Abstract {
  const path = constantPath(key);
  if (!path) {
    readDeep(object);
    readDeep(key);
    return join(join(object, elementsOf(object)), join(fallback, OTHER));
  }
  return join(
    path.reduce((at: Abstract, step) => dot(at, step), object),
    fallback,
  );
}

function constantPath(key: Abstract): readonly string[] | null {
  if (isConstant(key)) return key.constants.size === 1 ? [...key.constants] : null;
  const [site, ...more] = [...key.sites];
  const alone = site && more.length === 0 && key.paths.size === 0 && key.constants.size === 0 && !key.other;
  return alone && site.kind === 'array' ? site.literal : null;
}

/** The value under one constant key, given as JSON. */
export function dot(source: Abstract, key: string): Abstract {
  let result: Abstract = source.other ? OTHER : BOTTOM;
  for (const node of source.paths) result = join(result, ofPaths(key.startsWith('"') ? node.child(JSON.parse(key) as string) : node.anyChild()));
  for (const site of source.sites) result = join(result, site.element);
  return result;
}
