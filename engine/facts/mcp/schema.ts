/**
 * Validates arguments against the pinned `inputSchema` of a tool: JSON Schema 2020-12 as far as its meaning can be had without fetching,
 * compiling or backtracking. What a schema says and we do not know is an error of the schema: the tool cannot be called.
 * https://json-schema.org/draft/2020-12/json-schema-validation
 */
import { matches } from './pattern.ts';
import { LIMITS } from './limits.ts';

type Json = unknown;
type Schema = Readonly<Record<string, Json>>;

/** What a wrong argument is told as: `$.limit: must be an integer`. null: valid. */
export function invalid(value: Json, schema: Json): string | null {
  const run: Run = { root: schema, steps: LIMITS.schemaSteps };
  try {
    return check(value, schema, '$', run, 0);
  } catch (error) {
    if (error instanceof Unsupported) return `the schema of the tool ${error.message}`;
    throw error;
  }
}

/** What keeps a definition from being used at all; null: nothing. Called when it is pinned. */
export function unusable(schema: Json): string | null {
  let nodes = 0;
  const walk = (node: Json, depth: number): string | null => {
    if (typeof node === 'boolean') return null;
    if (!isObject(node)) return 'is not a schema';
    if ((nodes += 1) > LIMITS.schemaNodes || depth > LIMITS.schemaDepth) return 'is too large';
    for (const [keyword, operand] of Object.entries(node)) {
      const problem = problemOf(keyword, operand) ?? inside(keyword, operand, (inner) => walk(inner, depth + 1));
      if (problem !== null) return problem;
    }
    return null;
  };
  return walk(schema, 0);
}

interface Run {
  readonly root: Json;
  steps: number;
}

class Unsupported extends Error {}

const ANNOTATIONS: ReadonlySet<string> = new Set([
  '$schema',
  '$id',
  '$comment',
  '$defs',
  'definitions',
  '$anchor',
  '$vocabulary',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'format',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
  'nullable',
  'enumNames',
]);
const ONE: ReadonlySet<string> = new Set(['additionalProperties', 'items', 'contains', 'not', 'if', 'then', 'else', 'propertyNames']);
const LISTS: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);
const MAPS: ReadonlySet<string> = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']);
const LEAVES: ReadonlySet<string> = new Set([
  'type',
  'enum',
  'const',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minLength',
  'maxLength',
  'pattern',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minContains',
  'maxContains',
  'minProperties',
  'maxProperties',
  'required',
  'dependentRequired',
  '$ref',
]);

function problemOf(keyword: string, operand: Json): string | null {
  if (keyword.startsWith('x-') || ANNOTATIONS.has(keyword)) return null;
  if (keyword === '$ref') return typeof operand === 'string' && operand.startsWith('#') ? null : 'refers to another document';
  if (keyword === 'pattern') return typeof operand === 'string' && matches(operand, '') !== null ? null : 'has a pattern that RE2 does not know';
  if (keyword === 'patternProperties' && isObject(operand))
    return Object.keys(operand).every((pattern) => matches(pattern, '') !== null) ? null : 'has a pattern that RE2 does not know';
  return ONE.has(keyword) || LISTS.has(keyword) || MAPS.has(keyword) || LEAVES.has(keyword)
    ? null
    : `uses ${keyword.slice(0, 40)}, which is not supported`;
}

function inside(keyword: string, operand: Json, walk: (schema: Json) => string | null): string | null {
  const schemas = ONE.has(keyword) ? [operand] : LISTS.has(keyword) ? arrayOf(operand) : MAPS.has(keyword) ? Object.values(objectOf(operand)) : [];
  for (const schema of schemas) {
    const problem = walk(schema);
    if (problem !== null) return problem;
  }
  return null;
}

function check(value: Json, schema: Json, at: string, run: Run, depth: number): string | null {
  if ((run.steps -= 1) < 0 || depth > LIMITS.schemaDepth) throw new Unsupported('takes too long to check');
  if (schema === true) return null;
  if (schema === false) return `${at}: is not allowed`;
  if (!isObject(schema)) throw new Unsupported('is not one');
  const known = problemIn(schema);
  if (known !== null) throw new Unsupported(known);
  const on = (inner: Json, innerSchema: Json, where: string): string | null => check(inner, innerSchema, where, run, depth + 1);
  return (
    reference(value, schema, at, run, on) ??
    ofValue(value, schema, at) ??
    (typeof value === 'string' ? ofString(value, schema, at) : null) ??
    (typeof value === 'number' ? ofNumber(value, schema, at) : null) ??
    (Array.isArray(value) ? ofArray(value, schema, at, on, run) : null) ??
    (isObject(value) ? ofObject(value, schema, at, on) : null) ??
    combined(value, schema, at, on)
  );
}

type On = (value: Json, schema: Json, at: string) => string | null;

/** By schema object: whether all of its keywords are known. */
const PROBLEMS = new WeakMap<Schema, string>();

function problemIn(schema: Schema): string | null {
  let problem = PROBLEMS.get(schema);
  if (problem === undefined) {
    problem = Object.entries(schema).reduce((found, [keyword, operand]) => found || (problemOf(keyword, operand) ?? ''), '');
    PROBLEMS.set(schema, problem);
  }
  return problem === '' ? null : problem;
}

function reference(value: Json, schema: Schema, at: string, run: Run, on: On): string | null {
  const ref = schema['$ref'];
  return typeof ref === 'string' ? on(value, resolved(ref, run.root), at) : null;
}

function resolved(ref: string, root: Json): Json {
  if (ref === '#') return root;
  if (!ref.startsWith('#/')) throw new Unsupported('refers to an anchor');
  let node: Json = root;
  for (const part of ref.slice(2).split('/')) {
    const key = decodeURIComponentOr(part).replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) throw new Unsupported('refers to something that is not there');
    node = (node as Record<string, Json>)[key];
  }
  return node;
}

function decodeURIComponentOr(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // compared with the keys as it stands, and not found
  }
}

function ofValue(value: Json, schema: Schema, at: string): string | null {
  const { type } = schema;
  if (type !== undefined) {
    const types = Array.isArray(type) ? (type as Json[]) : [type];
    if (!types.some((one) => isOf(value, one)) && !(schema['nullable'] === true && value === null)) return `${at}: must be ${types.join(' or ')}`;
  }
  if ('const' in schema && !same(value, schema['const'])) return `${at}: must be ${JSON.stringify(schema['const'])}`;
  const options = schema['enum'];
  if (Array.isArray(options) && !options.some((one) => same(value, one))) return `${at}: must be one of the listed values`;
  return null;
}

function isOf(value: Json, type: Json): boolean {
  switch (type) {
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return isObject(value);
    case 'integer':
      return Number.isInteger(value);
    case 'string':
    case 'number':
    case 'boolean':
      return typeof value === type;
    default:
      throw new Unsupported('names a type that there is not');
  }
}

function ofString(value: string, schema: Schema, at: string): string | null {
  const { minLength, maxLength, pattern } = schema;
  if (minLength !== undefined || maxLength !== undefined) {
    const length = Array.from(value).length;
    if (typeof minLength === 'number' && length < minLength) return `${at}: must have at least ${minLength} characters`;
    if (typeof maxLength === 'number' && length > maxLength) return `${at}: must have at most ${maxLength} characters`;
  }
  if (typeof pattern !== 'string') return null;
  if (value.length > LIMITS.matchedChars) return `${at}: is too long for its pattern`;
  return matches(pattern, value) === true ? null : `${at}: must match ${pattern.slice(0, 80)}`;
}

function ofNumber(value: number, schema: Schema, at: string): string | null {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (typeof minimum === 'number' && value < minimum) return `${at}: must be at least ${minimum}`;
  if (typeof maximum === 'number' && value > maximum) return `${at}: must be at most ${maximum}`;
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) return `${at}: must be more than ${exclusiveMinimum}`;
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum) return `${at}: must be less than ${exclusiveMaximum}`;
  if (typeof multipleOf === 'number' && !(multipleOf > 0 && Math.abs(value / multipleOf - Math.round(value / multipleOf)) < 1e-9))
    return `${at}: must be a multiple of ${multipleOf}`;
  return null;
}

function ofArray(value: readonly Json[], schema: Schema, at: string, on: On, run: Run): string | null {
  const { minItems, maxItems, uniqueItems, items, contains } = schema;
  if (typeof minItems === 'number' && value.length < minItems) return `${at}: must have at least ${minItems} items`;
  if (typeof maxItems === 'number' && value.length > maxItems) return `${at}: must have at most ${maxItems} items`;
  if (uniqueItems === true) {
    run.steps -= value.length;
    if (new Set(value.map(canonical)).size !== value.length) return `${at}: must not have an item twice`;
  }
  const prefix = arrayOf(schema['prefixItems'] ?? (Array.isArray(items) ? items : []));
  for (const [index, item] of value.entries()) {
    const rest = Array.isArray(items) ? true : (items ?? true);
    const wrong = on(item, index < prefix.length ? prefix[index] : rest, `${at}[${index}]`);
    if (wrong !== null) return wrong;
  }
  if (contains === undefined) return null;
  const found = value.filter((item) => on(item, contains, at) === null).length;
  const { minContains = 1, maxContains = Number.POSITIVE_INFINITY } = schema as { minContains?: number; maxContains?: number };
  return found >= minContains && found <= maxContains ? null : `${at}: must contain what its schema asks for`;
}

function ofObject(value: Readonly<Record<string, Json>>, schema: Schema, at: string, on: On): string | null {
  const keys = Object.keys(value);
  const { minProperties, maxProperties, additionalProperties = true, propertyNames } = schema;
  if (typeof minProperties === 'number' && keys.length < minProperties) return `${at}: must have at least ${minProperties} members`;
  if (typeof maxProperties === 'number' && keys.length > maxProperties) return `${at}: must have at most ${maxProperties} members`;
  const missing = arrayOf(schema['required']).find((key) => typeof key !== 'string' || !Object.hasOwn(value, key));
  if (missing !== undefined) return `${at}: ${JSON.stringify(missing)} is missing`;
  const lacking = dependency(value, schema);
  if (lacking !== null) return `${at}: ${lacking} is missing`;
  const properties = objectOf(schema['properties']);
  const patterns = Object.entries(objectOf(schema['patternProperties']));
  for (const key of keys) {
    const where = `${at}.${key.slice(0, 80)}`;
    const declared = Object.hasOwn(properties, key);
    const byPattern = patterns.filter(([pattern]) => matches(pattern, key) === true);
    const wrong =
      (propertyNames === undefined ? null : on(key, propertyNames, where)) ??
      (declared ? on(value[key], properties[key], where) : null) ??
      first(byPattern, ([, inner]) => on(value[key], inner, where)) ??
      (declared || byPattern.length > 0 ? null : on(value[key], additionalProperties, where));
    if (wrong !== null) return wrong;
  }
  const dependents = Object.entries(objectOf(schema['dependentSchemas'])).filter(([key]) => Object.hasOwn(value, key));
  return first(dependents, ([, inner]) => on(value, inner, at));
}

function dependency(value: Readonly<Record<string, Json>>, schema: Schema): string | null {
  for (const [key, needed] of Object.entries(objectOf(schema['dependentRequired']))) {
    if (!Object.hasOwn(value, key)) continue;
    const missing = arrayOf(needed).find((one) => typeof one !== 'string' || !Object.hasOwn(value, one));
    if (missing !== undefined) return JSON.stringify(missing);
  }
  return null;
}

function combined(value: Json, schema: Schema, at: string, on: On): string | null {
  const wrong = first(arrayOf(schema['allOf']), (inner) => on(value, inner, at));
  if (wrong !== null) return wrong;
  const { anyOf, oneOf, not } = schema;
  if (Array.isArray(anyOf) && !anyOf.some((inner) => on(value, inner, at) === null)) return `${at}: fits none of the forms that its schema allows`;
  if (Array.isArray(oneOf) && oneOf.filter((inner) => on(value, inner, at) === null).length !== 1) return `${at}: must fit exactly one of the forms`;
  if (not !== undefined && on(value, not, at) === null) return `${at}: has a form that its schema excludes`;
  if (schema['if'] === undefined) return null;
  const branch = on(value, schema['if'], at) === null ? schema['then'] : schema['else'];
  return branch === undefined ? null : on(value, branch, at);
}

function first<T>(list: readonly T[], judge: (one: T) => string | null): string | null {
  for (const one of list) {
    const wrong = judge(one);
    if (wrong !== null) return wrong;
  }
  return null;
}

function same(left: Json, right: Json): boolean {
  return left === right || canonical(left) === canonical(right);
}

function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? 'null';
  const keys = Object.keys(value).toSorted();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(',')}}`;
}

function isObject(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function arrayOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

function objectOf(value: Json): Readonly<Record<string, Json>> {
  return isObject(value) ? value : {};
}
