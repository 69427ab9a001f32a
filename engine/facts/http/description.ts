/** The description of an API, an OpenAPI document or a table of routes, as a catalog. Read by the composition root, never by an enforcer. */
import { createHash } from 'node:crypto';
import { parseDocument } from 'yaml';
import type { HttpCatalog, HttpRoute } from '#schemas/knowledge';
import { isObject, type Json } from './answer-fields.ts';
import { type Described, wrongDescription } from './described.ts';
import { HTTP_FACTS_LIMITS } from './limits.ts';
import { openApiRoutes } from './openapi.ts';
import { tableRoutes } from './route-table.ts';
import { templateSegments } from './routes.ts';

/** Texts of the files that a target's configuration names; null: not named. */
export interface Description {
  readonly openapi: SourceText | null;
  readonly routes: SourceText | null;
  /** A GraphQL schema in its own language. */
  readonly graphql: SourceText | null;
}

export interface SourceText {
  /** As errors name it. */
  readonly file: string;
  readonly text: string;
}

/** @throws InterlockError CONFIG_INVALID, naming the file and the operation */
export function readDescription({ openapi, routes, graphql }: Description): HttpCatalog {
  const described =
    openapi !== null ? openApiRoutes(read(openapi), openapi.file) : routes !== null ? tableRoutes(read(routes), routes.file) : NOTHING;
  const all = graphql === null || described.routes.some((route) => route.graphql === true) ? described.routes : [...described.routes, ...GRAPHQL];
  const where = openapi?.file ?? routes?.file ?? graphql?.file ?? '';
  checkRoutes(all, where);
  const content = { base: described.base, routes: all, ...(graphql !== null && { graphql: graphql.text }) };
  const fingerprint = `sha256:${createHash('sha256').update(JSON.stringify(content)).digest('hex')}`;
  return { kind: 'http', fingerprint, ...content };
}

const NOTHING: Described = { base: '', routes: [] };

/** Where a target has a schema, and nothing says otherwise. */
const GRAPHQL: readonly HttpRoute[] = [
  { id: 'graphql', route: '/graphql', method: 'POST', tags: [], class: 'write', graphql: true },
  { id: 'graphql', route: '/graphql', method: 'GET', tags: [], class: 'read', graphql: true },
];

function read({ file, text }: SourceText): Json {
  if (Buffer.byteLength(text) > HTTP_FACTS_LIMITS.descriptionBytes)
    throw wrongDescription(file, '', `is longer than ${HTTP_FACTS_LIMITS.descriptionBytes} bytes`);
  const value: unknown = /^\s*\{/.test(text) ? fromJson(file, text) : fromYaml(file, text);
  if (!isObject(value)) throw wrongDescription(file, '', 'is not a map');
  return value;
}

function fromJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw wrongDescription(file, '', `is not JSON: ${(error as Error).message}`);
  }
}

function fromYaml(file: string, text: string): unknown {
  const document = parseDocument(text, { uniqueKeys: true, strict: true });
  const [error] = document.errors;
  if (error !== undefined) throw wrongDescription(file, '', error.message.split('\n')[0] ?? 'is not YAML');
  // an alias in an alias in an alias would be a small file that is a large document
  return document.toJS({ maxAliasCount: 1_000 });
}

/** Path templates, and no two operations that are the same one. */
function checkRoutes(routes: readonly HttpRoute[], file: string): void {
  if (routes.length > HTTP_FACTS_LIMITS.routes)
    throw wrongDescription(file, '', `describes ${routes.length} operations; the limit is ${HTTP_FACTS_LIMITS.routes}`);
  const places = new Map<string, string>();
  const ids = new Map<string, string>();
  for (const { id, method, route, graphql } of routes) {
    const at = `${method} ${route}`;
    checkTemplate(route, file, at);
    const same = `${method} ${templateSegments(route)
      .map((segment) => segment.replace(/\{[^{}]*\}/g, '{}'))
      .join('/')}`;
    const before = places.get(same);
    if (before !== undefined) throw wrongDescription(file, at, `is the same operation as ${before}`);
    places.set(same, at);
    const named = ids.get(id);
    if (named !== undefined && graphql !== true) throw wrongDescription(file, at, `has the id ${id} of ${named}`);
    ids.set(id, at);
  }
}

function checkTemplate(route: string, file: string, at: string): void {
  if (!/^\/[^?#\s]*$/.test(route)) throw wrongDescription(file, at, 'a route begins with / and has no query');
  const segments = templateSegments(route);
  if (segments.length > HTTP_FACTS_LIMITS.routeSegments)
    throw wrongDescription(file, at, `has more than ${HTTP_FACTS_LIMITS.routeSegments} segments`);
  for (const [index, segment] of segments.entries()) {
    if (segment === '' && index < segments.length - 1) throw wrongDescription(file, at, 'has an empty segment');
    if (!/^(?:[^{}]|\{[^{}]+\})*$/.test(segment)) throw wrongDescription(file, at, 'has a brace that does not fit');
    if (/\}\{/.test(segment)) throw wrongDescription(file, at, 'has two parameters with nothing between them');
    if (segment.endsWith('+}') && index < segments.length - 1) throw wrongDescription(file, at, 'a parameter that takes the rest stands last');
  }
}
