import { describe, expect, test } from 'vitest';
import { readDescription } from '#engine/facts/http/description';
import type { HttpCatalog } from '#schemas/knowledge';

function openapi(document: object, version = '3.1.0'): HttpCatalog {
  const text = JSON.stringify({ openapi: version, info: { title: 'x', version: '1' }, paths: {}, ...document });
  return readDescription({ openapi: { file: 'api.json', text }, routes: null, graphql: null });
}

const answer = (schema: object): object => ({ responses: { 200: { description: 'ok', content: { 'application/json': { schema } } } } });
const fields = (catalog: HttpCatalog, at = 0): Record<string, string[]> =>
  Object.fromEntries(
    Object.entries(Object.groupBy(catalog.routes[at]?.output ?? [], ({ field }) => field)).map(([field, all]) => [
      field,
      (all ?? []).map(({ path }) => path),
    ]),
  );

describe('OpenAPI 3.0 and 3.1', () => {
  test('operations with what policies ask of them', () => {
    const catalog = openapi({
      servers: [{ url: 'https://api.example.com/{version}', variables: { version: { default: 'v2' } } }],
      paths: {
        '/orders/{id}': {
          parameters: [],
          get: { operationId: 'getOrder', tags: ['orders'], responses: {} },
          delete: { 'x-interlock-class': 'admin', responses: {} },
          put: { operationId: 'putOrder', requestBody: { $ref: '#/components/requestBodies/Order' }, responses: {} },
        },
      },
      components: { requestBodies: { Order: { content: { 'application/json; charset=utf-8': {}, 'text/*': {} } } } },
    });
    expect(catalog.base).toBe('/v2');
    expect(catalog.routes).toMatchObject([
      { id: 'getOrder', method: 'GET', route: '/orders/{id}', tags: ['orders'], class: 'read', consumes: [] },
      { id: 'DELETE /orders/{id}', method: 'DELETE', class: 'admin' },
      { id: 'putOrder', method: 'PUT', class: 'write', consumes: ['application/json', 'text/*'] },
    ]);
  });

  test('named fields of the answer, through lists, maps, allOf and references', () => {
    const catalog = openapi({
      paths: {
        '/customers': {
          get: {
            operationId: 'list',
            ...answer({ type: 'object', properties: { items: { type: 'array', items: { $ref: '#/components/schemas/Customer' } } } }),
          },
        },
      },
      components: {
        schemas: {
          Person: { type: 'object', properties: { ssn: { type: 'string' } } },
          Customer: {
            allOf: [
              { $ref: '#/components/schemas/Person' },
              { properties: { 'e-mail': {}, cards: { type: 'object', additionalProperties: { $ref: '#/components/schemas/Card' } } } },
            ],
          },
          Card: { properties: { number: {}, owner: { properties: { name: {} } } } },
        },
      },
    });
    expect(fields(catalog)).toEqual({
      'list.items': ['$.items'],
      'Person.ssn': ['$.items[*].ssn'],
      'Customer.ssn': ['$.items[*].ssn'],
      'Customer.e-mail': ['$.items[*]["e-mail"]'],
      'Customer.cards': ['$.items[*].cards'],
      'Card.number': ['$.items[*].cards[*].number'],
      'Card.owner': ['$.items[*].cards[*].owner'],
      'Card.owner.name': ['$.items[*].cards[*].owner.name'],
    });
  });

  test('a schema that stands in itself is described at any depth, once', () => {
    const catalog = openapi({
      paths: { '/tree': { get: { operationId: 'tree', ...answer({ $ref: '#/components/schemas/Tree' }) } } },
      components: { schemas: { Tree: { properties: { ssn: {}, children: { type: 'array', items: { $ref: '#/components/schemas/Tree' } } } } } },
    });
    expect(fields(catalog)).toEqual({ 'Tree.ssn': ['$.ssn', '$.children[*]..ssn'], 'Tree.children': ['$.children', '$.children[*]..children'] });
  });

  test('answers of errors count too, and what is not described says so', () => {
    const described = openapi({
      paths: {
        '/a': {
          get: {
            operationId: 'a',
            responses: { 404: { content: { 'application/problem+json': { schema: { title: 'x', properties: { ssn: {} } } } } }, 204: {} },
          },
        },
      },
    });
    expect(fields(described)).toEqual({ 'a.ssn': ['$.ssn'] });
    const undescribed = openapi({ paths: { '/a': { get: { responses: { 200: { content: { 'application/json': {} } } } } } } });
    expect(undescribed.routes[0]).not.toHaveProperty('output');
  });

  test('a description that would grow without end is not complete, and takes no time', () => {
    const names = Array.from({ length: 40 }, (_, index) => `S${index}`);
    const every = Object.fromEntries(
      names.map((name) => [name, { properties: Object.fromEntries(names.map((other) => [other, { $ref: `#/components/schemas/${other}` }])) }]),
    );
    const catalog = openapi({ paths: { '/a': { get: answer({ $ref: '#/components/schemas/S0' }) } }, components: { schemas: every } });
    expect(catalog.routes[0]).not.toHaveProperty('output');
  });

  test.each([
    ['Swagger 2', { openapi: undefined, swagger: '2.0' }, /read are OpenAPI 3\.0 and 3\.1/],
    ['another version', { openapi: '4.0.0' }, /openapi 4\.0\.0/],
    ['a reference to an address', { paths: { '/a': { get: answer({ $ref: 'https://evil.example/x.json' }) } } }, /outside the document/],
    ['a reference to nothing', { paths: { '/a': { get: answer({ $ref: '#/components/schemas/X' }) } } }, /which is not there/],
    ['a reference to itself', { paths: { '/a': { $ref: '#/paths/~1a' } } }, /refers to itself/],
    [
      'two operations that are one',
      { paths: { '/a/{x}': { get: {} }, '/a/{y}': { get: {} } } },
      /GET \/a\/\{y\}: is the same operation as GET \/a\/\{x\}/,
    ],
    ['an id twice', { paths: { '/a': { get: { operationId: 'x' } }, '/b': { get: { operationId: 'x' } } } }, /has the id x of GET \/a/],
    ['a class that is none', { paths: { '/a': { get: { 'x-interlock-class': 'harmless' } } } }, /x-interlock-class: allowed are read/],
  ])('%s is an error that names the place', (_, document, message) => {
    expect(() => openapi(document)).toThrow(message);
  });

  test('a query behind a path is none of OpenAPI', () => {
    expect(openapi({ paths: { '/a': { get: {} }, '/a?beta=true': { get: {} } } }).routes.map(({ route }) => route)).toEqual(['/a']);
  });

  test('YAML as well, and the fingerprint changes with the content alone', () => {
    const yaml = (id: string): HttpCatalog =>
      readDescription({
        openapi: { file: 'api.yaml', text: `openapi: 3.0.3\npaths:\n  /a:\n    get: { operationId: ${id} }\n` },
        routes: null,
        graphql: null,
      });
    expect(yaml('x').routes).toMatchObject([{ id: 'x' }]);
    expect(yaml('x').fingerprint).toBe(yaml('x').fingerprint);
    expect(yaml('x').fingerprint).not.toBe(yaml('y').fingerprint);
  });
});

describe('a table of routes', () => {
  const table = (text: string): HttpCatalog => readDescription({ openapi: null, routes: { file: 'routes.yaml', text }, graphql: null });

  test('with fields of answers', () => {
    expect(table('routes: [{ route: "GET /c/{id}", output: { Customer.ssn: [$.ssn, $..ssn] } }]').routes).toEqual([
      {
        id: 'GET /c/{id}',
        route: '/c/{id}',
        method: 'GET',
        tags: [],
        class: 'read',
        output: [
          { field: 'Customer.ssn', path: '$.ssn' },
          { field: 'Customer.ssn', path: '$..ssn' },
        ],
      },
    ]);
  });

  test.each([
    ['routes: [{ route: "get /a" }]', /routes\[0\]\.route: must be a method and a path/],
    ['routes: [{ route: "GET /a", clas: read }]', /the key `clas` is not known/],
    ['routes: [{ route: "GET /a", class: harmless }]', /routes\[0\]\.class: allowed are/],
    ['routes: [{ route: "GET /a//b" }]', /has an empty segment/],
    ['routes: [{ route: "GET /a/{b+}/c" }]', /stands last/],
    ['routes: [{ route: "GET /a/{b}{c}" }]', /nothing between them/],
    ['base: v1\nroutes: []', /must be a path such as \/v1/],
    ['routes: 7', /routes: must be a list/],
    ['routes: [', /routes\.yaml/],
  ])('%s', (text, message) => {
    expect(() => table(text)).toThrow(message);
  });

  test('a GraphQL schema has its endpoint without being told', () => {
    const catalog = readDescription({ openapi: null, routes: null, graphql: { file: 's.graphql', text: 'type Query { a: Int }' } });
    expect(catalog.routes.map(({ method, route, graphql }) => [method, route, graphql])).toEqual([
      ['POST', '/graphql', true],
      ['GET', '/graphql', true],
    ]);
  });
});
