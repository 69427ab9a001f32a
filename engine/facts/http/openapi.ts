/**
 * Operations of an OpenAPI document, 3.0 and 3.1 (https://spec.openapis.org/oas/v3.1.1). Only references inside the document are followed: what
 * a target's description says is decided by the file that its owner reviewed, not by an address.
 */
import type { HttpRoute } from '#schemas/knowledge';
import { answerFields, isObject, type Json, type Resolve } from './answer-fields.ts';
import { classOf, CLASSES, type Described, METHODS, wrongDescription } from './described.ts';

export function openApiRoutes(document: Json, file: string): Described {
  const version = document['openapi'];
  if (typeof version !== 'string' || !/^3\.[01]\./.test(version)) {
    const found = typeof version === 'string' ? `openapi ${version}` : document['swagger'] === undefined ? 'no `openapi`' : 'Swagger 2';
    throw wrongDescription(file, '', `${found}; read are OpenAPI 3.0 and 3.1`);
  }
  const reader = new OpenApi(document, file);
  return { base: reader.base(), routes: reader.routes() };
}

/** References that refer to references. */
const HOPS_MAX = 16;

class OpenApi {
  readonly #document: Json;
  readonly #file: string;
  /** Which operation is being read. */
  #at = '';

  constructor(document: Json, file: string) {
    this.#document = document;
    this.#file = file;
  }

  /** The path of the first server, variables filled in: `/v1`; what stands in front of it is the target's own business. */
  base(): string {
    const servers = this.#document['servers'];
    const first: unknown = Array.isArray(servers) ? servers[0] : undefined;
    if (!isObject(first) || typeof first['url'] !== 'string') return '';
    const variables = isObject(first['variables']) ? first['variables'] : {};
    const url = first['url'].replace(/\{([^{}]+)\}/g, (_, name: string) => {
      const variable = Object.hasOwn(variables, name) ? variables[name] : undefined;
      return isObject(variable) && typeof variable['default'] === 'string' ? variable['default'] : '';
    });
    const path = URL.canParse(url, 'http://server.invalid') ? new URL(url, 'http://server.invalid').pathname : '/';
    return path.replace(/\/+$/, '');
  }

  routes(): HttpRoute[] {
    const paths = this.#document['paths'];
    if (!isObject(paths)) return [];
    return Object.entries(paths).flatMap(([route, item]) => (isPath(route) ? this.#item(route, this.#object(item, route)) : []));
  }

  #item(route: string, item: Json): HttpRoute[] {
    return Object.entries(item).flatMap(([key, operation]) => {
      const method = key.toUpperCase();
      if (!METHODS.includes(method) || key !== key.toLowerCase() || !isObject(operation)) return [];
      return [this.#operation(method, route, operation)];
    });
  }

  #operation(method: string, route: string, operation: Json): HttpRoute {
    const at = `${method} ${route}`;
    this.#at = at;
    const id = typeof operation['operationId'] === 'string' ? operation['operationId'] : at;
    const consumes = this.#consumes(operation, at);
    const output = this.#output(operation, id, at);
    return {
      id,
      route,
      method,
      tags: texts(operation['tags']),
      class: this.#class(operation, method, at),
      ...(consumes !== null && { consumes }),
      ...(output !== null && { output }),
      ...(operation['x-interlock-graphql'] === true && { graphql: true }),
    };
  }

  #class(operation: Json, method: string, at: string): HttpRoute['class'] {
    const said = operation['x-interlock-class'];
    if (said === undefined) return classOf(method);
    const known = CLASSES.find((one) => one === said);
    if (known === undefined) throw wrongDescription(this.#file, at, `x-interlock-class: allowed are ${CLASSES.join(', ')}`);
    return known;
  }

  /** Empty: no body; null: one of which nothing is said. */
  #consumes(operation: Json, at: string): readonly string[] | null {
    if (operation['requestBody'] === undefined) return [];
    const content = this.#object(operation['requestBody'], at)['content'];
    return isObject(content) ? Object.keys(content).map(mediaOf) : null;
  }

  /** null: some answer is JSON that is not described, or too much to be kept. */
  #output(operation: Json, id: string, at: string): NonNullable<HttpRoute['output']> | null {
    const responses = operation['responses'];
    if (!isObject(responses)) return null;
    const schemas: Json[] = [];
    for (const response of Object.values(responses)) {
      const content = this.#object(response, at)['content'];
      for (const [media, type] of Object.entries(isObject(content) ? content : {})) {
        if (!/json/i.test(media)) continue;
        const schema = isObject(type) ? type['schema'] : undefined;
        if (schema === false) continue;
        if (!isObject(schema)) return null;
        schemas.push(schema);
      }
    }
    const { fields, complete } = answerFields(schemas, id, this.#resolve);
    return complete ? fields : null;
  }

  /** A map, or the one that it refers to. */
  #object(value: unknown, at: string): Json {
    let found = value;
    for (let hop = 0; hop < HOPS_MAX; hop++) {
      if (!isObject(found)) throw wrongDescription(this.#file, at, 'is not a map where one must stand');
      const ref = found['$ref'];
      if (typeof ref !== 'string') return found;
      found = this.#pointed(ref, at);
    }
    throw wrongDescription(this.#file, at, 'refers to itself');
  }

  readonly #resolve: Resolve = (ref) => {
    const schema = this.#pointed(ref, this.#at);
    return isObject(schema) ? { name: nameOf(ref), schema } : null;
  };

  /** RFC 6901, as a fragment. */
  #pointed(ref: string, at: string): unknown {
    if (!ref.startsWith('#/')) throw wrongDescription(this.#file, at, `refers to ${ref.slice(0, 80)}, outside the document: put it into one file`);
    let found: unknown = this.#document;
    for (const part of ref.slice(2).split('/')) {
      const key = decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');
      found = Array.isArray(found) ? (found as unknown[])[Number(key)] : isObject(found) && Object.hasOwn(found, key) ? found[key] : undefined;
    }
    if (found === undefined) throw wrongDescription(this.#file, at, `refers to ${ref.slice(0, 80)}, which is not there`);
    return found;
  }
}

/** Some write a query behind it, which is none of OpenAPI: what is asked for so is the operation without. */
function isPath(route: string): boolean {
  return !route.startsWith('x-') && !/[?#]/.test(route);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** `#/components/schemas/Customer` → `Customer` */
function nameOf(ref: string): string {
  return decoded(ref.slice(ref.lastIndexOf('/') + 1))
    .replaceAll('~1', '/')
    .replaceAll('~0', '~');
}

function mediaOf(type: string): string {
  return (type.split(';')[0] ?? '').trim().toLowerCase();
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : [];
}
