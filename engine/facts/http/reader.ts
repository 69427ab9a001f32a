/** Bytes of an HTTP request (engine/client/http-message.ts) → facts. Total: whatever the bytes are, facts come back. */
import { type HttpMessage, readHttpMessage } from '#client/http-message';
import type { GraphqlFacts, HttpFacts, HttpOperation, ResponseField } from '#schemas/http-facts';
import type { HttpCatalog, HttpRoute } from '#schemas/knowledge';
import type { Effect, Opaque } from '#schemas/sql-facts';
import { readBody, type ReadBody } from './body.ts';
import { findRoute, type Match } from './routes.ts';
import { readTarget, type Target } from './target.ts';
import { Trouble } from './trouble.ts';

/** What a GraphQL request says, beside what is known of it as an HTTP request. */
export interface GraphqlReading {
  /** null: not understood; `opaque` says why, and the request is not parsed. */
  readonly graphql: GraphqlFacts | null;
  /** Complete; absent: not known. */
  readonly output?: readonly ResponseField[];
  /** By field: they stand instead of the operation's. */
  readonly effects: readonly Effect[];
  readonly opaque: readonly Opaque[];
}

export interface GraphqlRequest {
  readonly method: string;
  readonly query: HttpFacts['query'];
  readonly body: HttpFacts['body'];
  /** The schema in its own language; null: none is known. */
  readonly schema: string | null;
}

/** Total, as everything here. */
export type ReadGraphql = (request: GraphqlRequest) => GraphqlReading;

export interface HttpReading {
  /** null: nothing is known of the target's operations. */
  readonly catalog: HttpCatalog | null;
  readonly graphql: ReadGraphql;
}

export function readHttp(bytes: Uint8Array, reading: HttpReading): HttpFacts {
  const message = readHttpMessage(bytes);
  if (message === null) return unparsed('', '', new Trouble('syntax', 'not a request as the gateway writes it'));
  return readMessage(message, reading);
}

function readMessage(message: HttpMessage, reading: HttpReading): HttpFacts {
  const { method } = message;
  const target = readTarget(message.target);
  if (target instanceof Trouble) return unparsed(method, '', target);
  if (target.path === '*' && method !== 'OPTIONS') return unparsed(method, '*', new Trouble('syntax', 'the target * is for OPTIONS alone'));
  const headers = headersOf(message);
  const overriding = OVERRIDES.find((name) => Object.hasOwn(headers, name));
  if (overriding !== undefined) return unparsed(method, target.path, new Trouble('unsupported', `${overriding} asks for another method`));
  const { catalog } = reading;
  const match = catalog === null ? null : findRoute(catalog, method, target.segments);
  const read = readBody(message.body, {
    type: headers['content-type'] ?? [],
    encoding: headers['content-encoding'] ?? [],
    consumes: match?.route.consumes ?? null,
  });
  if (read instanceof Trouble) return unparsed(method, target.path, read);
  if (message.body.length > 0 && !takesBody(method, match)) return unparsed(method, target.path, new Trouble('unsupported', `${method} with a body`));
  return withGraphql(factsOf(method, target, headers, match, read, catalog), match, reading);
}

/** Frameworks take the method from these (H3); the enforcer has dropped them. */
const OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const;
const BODILESS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Of GET nobody takes one for granted; of DELETE only where the description says so (H1). */
function takesBody(method: string, match: Match | null): boolean {
  if (BODILESS.has(method)) return false;
  return method !== 'DELETE' || (match?.route.consumes?.length ?? 0) > 0;
}

function headersOf({ headers }: HttpMessage): Record<string, string[]> {
  const known: Record<string, string[]> = {};
  for (const [name, value] of headers) {
    if (Object.hasOwn(known, name)) known[name]?.push(value);
    else known[name] = [value];
  }
  return known;
}

function factsOf(
  method: string,
  target: Target,
  headers: Record<string, string[]>,
  match: Match | null,
  { body, opaque }: ReadBody,
  catalog: HttpCatalog | null,
): HttpFacts {
  const upgrade = headers['upgrade']?.[0]?.toLowerCase();
  return {
    dialect: 'http',
    parsed: true,
    method,
    path: target.path,
    segments: [...target.segments],
    operation: match === null ? null : operationOf(match.route, method),
    params: match?.params ?? {},
    query: target.query,
    headers,
    body,
    ...(upgrade !== undefined && { upgrade }),
    ...(match?.route.output !== undefined && { output: match.route.output.map(({ field, path }) => ({ field, path })) }),
    effects: [effectOf(method, target.path, match, catalog)],
    opaque: [...opaque],
  };
}

function operationOf({ id, route, tags, class: known }: HttpRoute, method: string): HttpOperation {
  return { id, route, tags: [...tags], class: method === 'HEAD' ? 'read' : known };
}

const VERBS: Readonly<Record<string, Effect['verb']>> = {
  GET: 'read',
  HEAD: 'read',
  OPTIONS: 'read',
  POST: 'insert',
  PUT: 'update',
  PATCH: 'update',
  DELETE: 'delete',
};

function effectOf(method: string, path: string, match: Match | null, catalog: HttpCatalog | null): Effect {
  const described = match === null ? `${method} ${path}` : `${method} ${catalog?.base ?? ''}${match.route.route}`;
  const verb = match?.route.class === 'read' ? 'read' : (VERBS[method] ?? 'execute');
  const object = { kind: 'operation', name: match?.route.id ?? described, qualified: described } as const;
  return { verb, object, statement: 0, via: [], confidence: match === null ? (catalog === null ? 'named' : 'unknown') : 'resolved' };
}

function withGraphql(facts: HttpFacts, match: Match | null, { catalog, graphql }: HttpReading): HttpFacts {
  if (match?.route.graphql !== true) return facts;
  const { method, query, body } = facts;
  const reading = graphql({ method, query, body, schema: catalog?.graphql ?? null });
  const opaque = [...facts.opaque, ...reading.opaque];
  if (reading.graphql === null) return { ...unparsed(method, facts.path, null), opaque };
  const { output: _, ...rest } = facts;
  return {
    ...rest,
    graphql: reading.graphql,
    ...(reading.output !== undefined && { output: [...reading.output] }),
    effects: [...reading.effects],
    opaque,
  };
}

function unparsed(method: string, path: string, trouble: Trouble | null): HttpFacts {
  return {
    dialect: 'http',
    parsed: false,
    method,
    path,
    segments: [],
    operation: null,
    params: {},
    query: {},
    headers: {},
    body: { kind: 'none', media: '', bytes: 0, keys: [] },
    effects: [],
    opaque: trouble === null ? [] : [trouble.opaque],
  };
}
