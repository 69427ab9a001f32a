/**
 * A table of routes, where an API has no OpenAPI document:
 *
 *     base: /v1
 *     routes:
 *       - route: GET /orders/{id}
 *         id: getOrder                   # default: the route
 *         tags: [orders]
 *         class: read                    # default: by the method
 *         consumes: [application/json]   # default: JSON and forms
 *         output: { Customer.ssn: $.customer.ssn }
 */
import type { HttpRoute } from '#schemas/knowledge';
import { isObject, type Json } from './answer-fields.ts';
import { classOf, CLASSES, type Described, METHODS, wrongDescription } from './described.ts';

export function tableRoutes(document: Json, file: string): Described {
  known(document, ['base', 'routes'], file, '');
  const base = document['base'] ?? '';
  if (typeof base !== 'string' || !/^(\/[^/?#\s{}]+)*$/.test(base))
    throw wrongDescription(file, 'base', 'must be a path such as /v1, without a slash at its end');
  const routes = document['routes'];
  if (!Array.isArray(routes)) throw wrongDescription(file, 'routes', 'must be a list');
  return { base, routes: routes.map((entry: unknown, index) => routeOf(entry, file, `routes[${index}]`)) };
}

const KEYS = ['route', 'id', 'tags', 'class', 'consumes', 'output', 'graphql'];

function routeOf(entry: unknown, file: string, at: string): HttpRoute {
  if (!isObject(entry)) throw wrongDescription(file, at, 'must be a map with `route`');
  known(entry, KEYS, file, at);
  const { route: line, id, tags, class: said, consumes, output, graphql } = entry;
  const [, method = '', route = ''] = typeof line === 'string' ? (/^([A-Z]+) (\/\S*)$/.exec(line) ?? []) : [];
  if (!METHODS.includes(method))
    throw wrongDescription(file, `${at}.route`, `must be a method and a path, such as GET /orders/{id}; methods are ${METHODS.join(', ')}`);
  const kind = said === undefined ? classOf(method) : CLASSES.find((one) => one === said);
  if (kind === undefined) throw wrongDescription(file, `${at}.class`, `allowed are ${CLASSES.join(', ')}`);
  if (id !== undefined && typeof id !== 'string') throw wrongDescription(file, `${at}.id`, 'must be a text');
  return {
    id: id ?? `${method} ${route}`,
    route,
    method,
    tags: list(tags, file, `${at}.tags`) ?? [],
    class: kind,
    ...(consumes !== undefined && { consumes: (list(consumes, file, `${at}.consumes`) ?? []).map((media) => media.toLowerCase()) }),
    ...(output !== undefined && { output: outputOf(output, file, `${at}.output`) }),
    ...(graphql === true && { graphql: true }),
  };
}

/** Field → one path, or several. */
function outputOf(output: unknown, file: string, at: string): NonNullable<HttpRoute['output']> {
  if (!isObject(output)) throw wrongDescription(file, at, 'must be a map from fields to paths, such as Customer.ssn: $.items[*].ssn');
  return Object.entries(output).flatMap(([field, paths]) =>
    (typeof paths === 'string' ? [paths] : (list(paths, file, `${at}.${field}`) ?? [])).map((path) => {
      if (!path.startsWith('$')) throw wrongDescription(file, `${at}.${field}`, 'a path begins with $');
      return { field, path };
    }),
  );
}

function list(value: unknown, file: string, at: string): string[] | null {
  if (value === undefined) return null;
  if (!Array.isArray(value) || !value.every((one): one is string => typeof one === 'string'))
    throw wrongDescription(file, at, 'must be a list of texts');
  return value;
}

function known(map: Json, keys: readonly string[], file: string, at: string): void {
  const other = Object.keys(map).find((key) => !keys.includes(key));
  if (other !== undefined) throw wrongDescription(file, at, `the key \`${other}\` is not known; known are ${keys.join(', ')}`);
}
