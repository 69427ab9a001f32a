/** What of a request is the operation: https://graphql.github.io/graphql-over-http/draft/#sec-Request-Parameters */
import { createHash } from 'node:crypto';
import { isObject } from './answer-fields.ts';
import { folded } from './fields.ts';
import { readJson } from './json.ts';
import type { GraphqlRequest } from './reader.ts';
import { Trouble } from './trouble.ts';

export interface GraphqlCall {
  readonly query: string;
  /** null: not said. */
  readonly operationName: string | null;
  readonly variables: Readonly<Record<string, unknown>>;
}

const PARAMETERS = ['query', 'operationName', 'variables', 'extensions'] as const;
type Parameter = (typeof PARAMETERS)[number];
type Said = Partial<Record<Parameter, unknown>>;

export function readRequest(request: GraphqlRequest): GraphqlCall | Trouble {
  const said = request.method === 'GET' ? byQuery(request) : byBody(request);
  return said instanceof Trouble ? said : callOf(said);
}

function byQuery({ query }: GraphqlRequest): Said | Trouble {
  const said: Said = {};
  for (const name of namesIn(Object.keys(query))) {
    if (name instanceof Trouble) return name;
    const [value, ...more] = query[name] ?? [];
    if (value === undefined || more.length > 0) return new Trouble('syntax', `${name} stands in the query twice`);
    if (name !== 'variables' && name !== 'extensions') said[name] = value;
    else {
      const document = readJson(value);
      if (document instanceof Trouble) return document;
      said[name] = document.value;
    }
  }
  return said;
}

function byBody({ method, query, body }: GraphqlRequest): Said | Trouble {
  if (method !== 'POST') return new Trouble('unsupported', `GraphQL by ${method}`);
  if (namesIn(Object.keys(query)).length > 0)
    return new Trouble('unsupported', 'parameters of GraphQL in the query of a POST, which some servers prefer');
  if (body.kind !== 'json') return new Trouble('unsupported', `GraphQL in a body that is not JSON (${body.media || 'no content-type'})`);
  if (Array.isArray(body.json)) return new Trouble('unsupported', 'a batch of operations: send them one by one');
  if (!isObject(body.json)) return new Trouble('syntax', 'the body is no JSON object');
  const said: Said = {};
  for (const name of namesIn(Object.keys(body.json))) {
    if (name instanceof Trouble) return name;
    said[name] = body.json[name];
  }
  const unknown = Object.keys(body.json).find((name) => !PARAMETERS.includes(name as Parameter));
  if (unknown !== undefined)
    return new Trouble('unsupported', `the body holds ${JSON.stringify(unknown.slice(0, 40))}: operations by reference are not known here`);
  return said;
}

/** The parameters among names; Trouble: one in another spelling, which some servers take for it (H5). */
function namesIn(names: readonly string[]): (Parameter | Trouble)[] {
  return names.flatMap((name) => {
    const meant = PARAMETERS.find((parameter) => folded(parameter) === folded(name));
    if (meant === undefined) return [];
    return [meant === name ? meant : new Trouble('syntax', `${JSON.stringify(name)} is not ${meant}, and some servers take it for that`)];
  });
}

function callOf({ query, operationName, variables, extensions }: Said): GraphqlCall | Trouble {
  if (typeof query !== 'string' || query === '')
    return new Trouble('unsupported', 'no operation: operations by reference (persisted) are not known here');
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string')
    return new Trouble('syntax', 'operationName is no text');
  if (operationName === '') return new Trouble('syntax', 'operationName is empty');
  if (variables !== undefined && variables !== null && !isObject(variables)) return new Trouble('syntax', 'variables are no JSON object');
  if (!fits(extensions, query)) return new Trouble('unsupported', 'extensions that name another operation');
  return { query, operationName: operationName ?? null, variables: variables ?? {} };
}

/** `persistedQuery` beside the text of an operation registers it; under another hash it would be another one. */
function fits(extensions: unknown, query: string): boolean {
  if (extensions === undefined || extensions === null) return true;
  if (!isObject(extensions)) return false;
  const persisted = extensions['persistedQuery'];
  if (persisted === undefined) return true;
  return isObject(persisted) && persisted['sha256Hash'] === createHash('sha256').update(query).digest('hex');
}
