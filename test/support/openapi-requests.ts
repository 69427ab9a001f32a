/** Requests as clients generated from an OpenAPI document make them: values by type, encoded as clients encode. */
import { parse } from 'yaml';

export interface MadeRequest {
  readonly method: string;
  /** With its query. */
  readonly target: string;
  readonly type: string | null;
  readonly body: Uint8Array;
}

type Json = Record<string, unknown>;
type Random = () => number;

const WORDS = [
  'order',
  'Ünïcode',
  'a b',
  'x/y',
  "O'Neil",
  '100%',
  'naïve café',
  'rock&roll',
  '東京',
  'v1.2-rc.1',
  'under_score',
  'tilde~',
  'plus+minus',
  '',
  'admin',
  'q="x"',
  'a,b;c',
  'emoji 🚀',
  '#7',
  '?',
];
/** Of paths: what applications use for ids. Slashes, percent signs and the like are for queries and bodies. */
const IDS = [
  '42',
  'cus_NffrFeUfNV2Hib',
  'alice@example.com',
  'café',
  'a b',
  'v1.2-rc.1',
  '2026-11-23T10:00:00Z',
  'octo-cat',
  'Ünï',
  '0',
  'sku:7',
  'a,b',
  '東京',
  '3f2504e0-4f89-11d3-9a0c-0305e82c3301',
];

export function requestsOf(text: string, count: number, random: Random): MadeRequest[] {
  const document = parse(text) as Json;
  const base = basePath(document);
  const operations = Object.entries(document['paths'] as Record<string, Json>).flatMap(([route, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      METHODS.includes(method)
        ? [{ route, method: method.toUpperCase(), operation: operation as Json, shared: (item['parameters'] ?? []) as Json[] }]
        : [],
    ),
  );
  return Array.from({ length: count }, () => {
    const { route, method, operation, shared } = operations[Math.floor(random() * operations.length)] as (typeof operations)[number];
    return make(document, base + route, method, operation, shared, random);
  });
}

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'];

function basePath(document: Json): string {
  const [server] = (document['servers'] ?? []) as Json[];
  return server === undefined ? '' : new URL(String(server['url']), 'http://x').pathname.replace(/\/$/, '');
}

function make(document: Json, route: string, method: string, operation: Json, shared: readonly Json[], random: Random): MadeRequest {
  const parameters = [...shared, ...((operation['parameters'] ?? []) as Json[])].map((one) => resolve(document, one));
  const path = route.replace(/\{([^{}]+)\}/g, (_, name: string) => {
    const schema = parameters.find((one) => one['name'] === name && one['in'] === 'path')?.['schema'] as Json | undefined;
    return encodeURIComponent(
      schema?.['type'] === 'integer' ? String(Math.floor(random() * 1e6)) : schema?.['pattern'] === 'word' ? 'main' : pick(IDS, random),
    );
  });
  const query = new URLSearchParams();
  for (const one of parameters) {
    if (one['in'] !== 'query' || (one['required'] !== true && random() < 0.4)) continue;
    const value = valueOf(document, (one['schema'] ?? {}) as Json, random, 0);
    for (const each of Array.isArray(value) ? value : [value]) query.append(String(one['name']), String(each));
  }
  // half of all clients encode brackets, and blanks as %20
  const raw = query.toString();
  const text = random() < 0.5 ? raw : raw.replaceAll('+', '%20').replaceAll('%5B', '[').replaceAll('%5D', ']');
  return { method, target: text === '' ? path : `${path}?${text}`, ...bodyOf(document, operation, random) };
}

function bodyOf(document: Json, operation: Json, random: Random): Pick<MadeRequest, 'type' | 'body'> {
  if (operation['requestBody'] === undefined) return { type: null, body: new Uint8Array(0) };
  const content = resolve(document, operation['requestBody'] as Json)['content'] as Record<string, Json>;
  const [type, media] = Object.entries(content)[0] as [string, Json];
  const value = valueOf(document, (media['schema'] ?? {}) as Json, random, 0);
  if (type === 'application/x-www-form-urlencoded') {
    const form = new URLSearchParams(Object.entries(value as Json).map(([name, one]): [string, string] => [name, String(one)]));
    return { type, body: Buffer.from(form.toString()) };
  }
  if (/json/.test(type))
    return { type: random() < 0.3 ? `${type}; charset=utf-8` : type, body: Buffer.from(JSON.stringify(value, null, random() < 0.3 ? 2 : 0)) };
  return { type, body: Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256))) };
}

function valueOf(document: Json, given: Json, random: Random, depth: number): unknown {
  const schema = resolve(document, given);
  switch (schema['type']) {
    case 'integer':
      return Math.floor((random() - 0.2) * 10 ** Math.floor(random() * 12));
    case 'number':
      return Math.round(random() * 1e6) / 100;
    case 'boolean':
      return random() < 0.5;
    case 'array':
      return depth > 4
        ? []
        : Array.from({ length: Math.floor(random() * 4) }, () => valueOf(document, (schema['items'] ?? {}) as Json, random, depth + 1));
    case 'object':
      return Object.fromEntries(
        Object.entries((schema['properties'] ?? {}) as Record<string, Json>).flatMap(([name, one]) =>
          depth > 4 || random() < 0.2 ? [] : [[name, valueOf(document, one, random, depth + 1)] as const],
        ),
      );
    default:
      if (schema['format'] === 'email') return 'alice+tag@example.com';
      if (schema['format'] === 'date-time') return '2026-11-23T10:00:00.123+01:00';
      return Array.isArray(schema['enum']) ? (schema['enum'] as unknown[])[Math.floor(random() * schema['enum'].length)] : pick(WORDS, random);
  }
}

function resolve(document: Json, value: Json): Json {
  const ref = value['$ref'];
  if (typeof ref !== 'string') return value;
  return ref
    .slice(2)
    .split('/')
    .reduce<unknown>((found, part) => (found as Json)[part.replaceAll('~1', '/').replaceAll('~0', '~')], document) as Json;
}

function pick<T>(from: readonly T[], random: Random): T {
  return from[Math.floor(random() * from.length)] as T;
}
