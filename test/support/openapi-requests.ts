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

export async function requestsOf(text: string, count: number, random: Random): Promise<MadeRequest[]> {
  const document = parse(text) as Json;
  const base = basePath(document);
  const operations = Object.entries(document['paths'] as Record<string, Json>).flatMap(([route, item]) =>
    Object.entries(item).flatMap(([method, operation]) =>
      METHODS.includes(method)
        ? [{ route, method: method.toUpperCase(), operation: operation as Json, shared: (item['parameters'] ?? []) as Json[] }]
        : [],
    ),
  );
  const made: MadeRequest[] = [];
  for (let index = 0; index < count; index++) {
    const { route, method, operation, shared } = operations[Math.floor(random() * operations.length)] as (typeof operations)[number];
    made.push(await make(document, base + route, method, operation, shared, random));
  }
  return made;
}

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete'];

function basePath(document: Json): string {
  const [server] = (document['servers'] ?? []) as Json[];
  return server === undefined ? '' : new URL(String(server['url']), 'http://x').pathname.replace(/\/$/, '');
}

async function make(document: Json, route: string, method: string, operation: Json, shared: readonly Json[], random: Random): Promise<MadeRequest> {
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
  return { method, target: text === '' ? path : `${path}?${text}`, ...(await bodyOf(document, operation, random)) };
}

async function bodyOf(document: Json, operation: Json, random: Random): Promise<Pick<MadeRequest, 'type' | 'body'>> {
  if (operation['requestBody'] === undefined) return { type: null, body: new Uint8Array(0) };
  const content = resolve(document, operation['requestBody'] as Json)['content'] as Record<string, Json>;
  const [type, media] = Object.entries(content)[0] as [string, Json];
  const schema = resolve(document, (media['schema'] ?? {}) as Json);
  const value = valueOf(document, schema, random, 0);
  if (type === 'multipart/form-data') return formOf(document, schema, value as Json, random);
  if (type === 'application/x-www-form-urlencoded') {
    const form = new URLSearchParams(Object.entries(value as Json).map(([name, one]): [string, string] => [name, String(one)]));
    return { type, body: Buffer.from(form.toString()) };
  }
  if (/json/.test(type))
    return { type: random() < 0.3 ? `${type}; charset=utf-8` : type, body: Buffer.from(JSON.stringify(value, null, random() < 0.3 ? 2 : 0)) };
  return { type, body: Buffer.from(Array.from({ length: 64 }, () => Math.floor(random() * 256))) };
}

/** As `fetch` encodes a `FormData`: files for what is binary, a field for each value of a list. */
async function formOf(document: Json, schema: Json, value: Json, random: Random): Promise<Pick<MadeRequest, 'type' | 'body'>> {
  const form = new FormData();
  for (const [name, one] of Object.entries(value)) {
    const property = resolve(document, ((schema['properties'] ?? {}) as Record<string, Json>)[name] ?? {});
    for (const each of Array.isArray(one) ? (one as unknown[]) : [one]) {
      if (property['format'] === 'binary' || (property['items'] as Json | undefined)?.['format'] === 'binary') form.append(name, fileOf(random));
      else form.append(name, typeof each === 'object' && each !== null ? JSON.stringify(each) : String(each));
    }
  }
  const response = new Response(form);
  return { type: response.headers.get('content-type') ?? '', body: new Uint8Array(await response.arrayBuffer()) };
}

function fileOf(random: Random): File {
  const bytes = Uint8Array.from({ length: Math.floor(random() * 600) }, () => Math.floor(random() * 256));
  return new File([bytes], pick(['report.pdf', 'photo 1.jpg', 'naïve.csv', 'v1.2.tar.gz', '東京.png'], random), {
    type: pick(['application/pdf', 'image/jpeg', 'text/csv', 'application/vnd.oasis.opendocument.text', ''], random),
  });
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
