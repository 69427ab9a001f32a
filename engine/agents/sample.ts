/** Arguments that a tool takes, as plain as its schema lets them be: what is required, and nothing else (JSON Schema 2020-12, its common part). */
type Schema = Readonly<Record<string, unknown>>;

/** What its owner writes as a value that would do comes before what the type suggests. What no plain value fulfils is left to be refused. */
export function sampleArguments(schema: unknown): Readonly<Record<string, unknown>> {
  return objectOf(schemaOf(schema), DEPTH_MAX);
}

const DEPTH_MAX = 4;
const FORMATS: Readonly<Record<string, string>> = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  email: 'somebody@example.com',
  time: '00:00:00Z',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

function objectOf({ properties, required }: Schema, depth: number): Record<string, unknown> {
  const known = schemaOf(properties);
  const names = Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [];
  return Object.fromEntries(names.map((name) => [name, depth === 0 ? null : valueOf(schemaOf(known[name]), depth - 1)]));
}

function valueOf(schema: Schema, depth: number): unknown {
  for (const given of [schema['const'], schema['default'], first(schema['examples']), first(schema['enum'])]) if (given !== undefined) return given;
  const either = first(schema['anyOf']) ?? first(schema['oneOf']);
  if (either !== undefined) return depth === 0 ? null : valueOf(schemaOf(either), depth - 1);
  switch (first(schema['type']) ?? schema['type']) {
    case 'string':
      return textOf(schema);
    case 'integer':
    case 'number':
      return numberOf(schema);
    case 'boolean':
      return false;
    case 'array':
      return Array.from({ length: Math.min(bound(schema['minItems'], 0), 16) }, () =>
        depth === 0 ? null : valueOf(schemaOf(schema['items']), depth - 1),
      );
    case 'object':
      return objectOf(schema, depth);
    case 'null':
      return null;
    default:
      return schema['properties'] === undefined ? textOf(schema) : objectOf(schema, depth);
  }
}

function textOf({ format, minLength, maxLength }: Schema): string {
  const text = (typeof format === 'string' ? FORMATS[format] : undefined) ?? 'example';
  return text.padEnd(Math.min(bound(minLength, 0), 1_000), 'x').slice(0, bound(maxLength, 1_000));
}

function numberOf({ minimum, maximum, exclusiveMinimum }: Schema): number {
  const least = Math.max(bound(minimum, 1), bound(exclusiveMinimum, 0) + 1);
  return Math.min(least, bound(maximum, least));
}

function bound(value: unknown, otherwise: number): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : otherwise;
}

function first(list: unknown): unknown {
  return Array.isArray(list) ? (list as readonly unknown[])[0] : undefined;
}

function schemaOf(value: unknown): Schema {
  return typeof value === 'object' && value !== null ? (value as Schema) : {};
}
