import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { getIntrospectionQuery } from 'graphql';
import { describe, expect, it } from 'vitest';
import { writeHttpMessage } from '#client/http-message';
import { readGraphql } from '#engine/facts/http/graphql';
import { GRAPHQL_LIMITS } from '#engine/facts/http/graphql-limits';
import { readHttp } from '#engine/facts/http/reader';
import type { HttpFacts } from '#schemas/http-facts';
import type { HttpCatalog } from '#schemas/knowledge';
import { cpuMs } from '#test/support/stopwatch';

const SCHEMA = `
  type Query { order(id: ID!): Order orders(filter: String): [Order!]! search(text: String!): [Hit!]! someone(id: ID!): Person places: [[Place]] }
  type Mutation { deleteOrder(id: ID!): Order placeOrder(input: PlaceOrder!): Order }
  type Subscription { orderChanged: Order }
  type Order { id: ID! total: Float customer: Customer! }
  interface Person { name: String! ssn: String }
  type Customer implements Person { id: ID! name: String! ssn: String orders: [Order!]! }
  type Clerk implements Person { name: String! ssn: String desk: String }
  type Place { city: String }
  union Hit = Customer | Order | Clerk
  input PlaceOrder { item: String! quantity: Int! }
`;

describe('facts of GraphQL: which operation runs (H11)', () => {
  it('the only one, or the one that is named', () => {
    expect(graphql('{ orders { id } }')).toMatchObject({ operation: 'query', name: null });
    const two = 'query Safe { orders { id } } mutation Evil { deleteOrder(id: 1) { id } }';
    expect(graphql(two, { operationName: 'Evil' })).toMatchObject({ operation: 'mutation', name: 'Evil' });
    expect(graphql(two, { operationName: 'Safe' })?.fields.map(({ field }) => field)).toEqual(['orders', 'id']);
  });

  it.each([
    ['several, none named', body({ query: 'query A { orders { id } } query B { orders { id } }' })],
    ['one that is not there', body({ query: 'query A { orders { id } }', operationName: 'B' })],
    ['an empty name', body({ query: 'query A { orders { id } }', operationName: '' })],
    ['one name twice', body({ query: 'query A { orders { id } } mutation A { deleteOrder(id: 1) { id } }', operationName: 'A' })],
    ['one without a name beside another', body({ query: '{ orders { id } } mutation A { deleteOrder(id: 1) { id } }', operationName: 'A' })],
    ['none', body({ query: 'fragment F on Order { id }' })],
    ['types beside it', body({ query: '{ orders { id } } type Query { a: Int }' })],
    ['a batch', body([{ query: '{ orders { id } }' }])],
    ['no text', body({ operationName: 'A' })],
    ['a hash alone', body({ extensions: { persistedQuery: { version: 1, sha256Hash: 'ab' } } })],
    ['an id beside the text', body({ query: '{ orders { id } }', id: '7' })],
    ['another hash beside the text', body({ query: '{ orders { id } }', extensions: { persistedQuery: { version: 1, sha256Hash: 'ab' } } })],
    ['another spelling of query', body({ query: '{ orders { id } }', QUERY: 'mutation { deleteOrder(id: 1) { id } }' })],
    ['text in the address as well', { ...body({ query: '{ orders { id } }' }), target: '/graphql?query=mutation%7BdeleteOrder(id:1)%7Bid%7D%7D' }],
    ['a mutation by GET', { method: 'GET', target: '/graphql?query=mutation%7BdeleteOrder(id:1)%7Bid%7D%7D' }],
    [
      'a variable twice in the address',
      {
        method: 'GET',
        target: `/graphql?query=${encodeURIComponent('query($a:ID){orders(id:$a){id}}')}&variables=${encodeURIComponent('{"a":1,"a":2}')}`,
      },
    ],
    ['variables in the address that are no JSON', { method: 'GET', target: '/graphql?query=%7Borders%7Bid%7D%7D&variables=x' }],
    ['twice in the address', { method: 'GET', target: '/graphql?query=%7Borders%7Bid%7D%7D&query=%7Bx%7D' }],
    ['a form', { method: 'POST', type: 'application/x-www-form-urlencoded', body: 'query=%7Borders%7Bid%7D%7D' }],
    ['the text itself', { method: 'POST', type: 'application/graphql', body: '{ orders { id } }' }],
    ['no GraphQL', body({ query: 'SELECT 1' })],
    ['variables that are no object', body({ query: '{ orders { id } }', variables: [1] })],
    ['a fragment that is not there', body({ query: '{ orders { ...F } }' })],
    [
      'a fragment in itself',
      body({ query: '{ orders { ...F } } fragment F on Order { customer { orders { ...G } } } fragment G on Order { ...F }' }),
    ],
    ['an argument twice', body({ query: '{ orders(id: 1, id: 2) { id } }' })],
    ['an argument of a directive twice', body({ query: '{ orders { id @include(if: true, if: false) } }' })],
    ['a member of an argument twice', body({ query: '{ orders(filter: { a: 1, b: [{ c: 1, c: 2 }] }) { id } }' })],
    ['a variable twice', body({ query: 'query ($a: ID = 1, $a: ID = 2) { orders(id: $a) { id } }' })],
    ['two fragments of one name', body({ query: '{ orders { ...F } } fragment F on Order { id } fragment F on Order { total }' })],
    ['an answer in pieces', body({ query: '{ orders { ... @defer { customer { ssn } } } }' })],
  ])('%s is not understood, and so refused', (_, request) => {
    expect(facts(request)).toMatchObject({ parsed: false });
    expect(facts(request).opaque).not.toEqual([]);
    expect(facts(request)).not.toHaveProperty('graphql');
  });

  it('the hash of the very text may stand beside it', () => {
    const query = '{ orders { id } }';
    const sha256Hash = createHash('sha256').update(query).digest('hex');
    expect(facts(body({ query, extensions: { persistedQuery: { version: 1, sha256Hash } } })).parsed).toBe(true);
  });

  it('a query by GET, with variables', () => {
    const variables = encodeURIComponent('{"f":"x"}');
    const query = encodeURIComponent('query($f: String) { orders(filter: $f) { id } }');
    const read = facts({ method: 'GET', target: `/graphql?query=${query}&variables=${variables}` });
    expect(read.graphql?.fields[0]).toEqual({ type: 'Query', field: 'orders', path: '$.data.orders', arguments: { filter: 'x' } });
  });
});

describe('facts of GraphQL: what it asks for (H11)', () => {
  it('fields by type, whatever the answer calls them, with fragments expanded', () => {
    const read = facts(body({ query: '{ a: order(id: 1) { ...S ... on Order { b: total } } } fragment S on Order { c: customer { x: ssn } }' }));
    expect(read.graphql?.fields.map(({ type, field, path }) => [`${type}.${field}`, path])).toEqual([
      ['Query.order', '$.data.a'],
      ['Order.customer', '$.data.a.c'],
      ['Customer.ssn', '$.data.a.c.x'],
      ['Person.ssn', '$.data.a.c.x'],
      ['Order.total', '$.data.a.b'],
    ]);
    expect(read.output).toContainEqual({ field: 'Customer.ssn', path: '$.data.a.c.x' });
  });

  it('lists, of unions and interfaces every type that it may be', () => {
    const read = facts(
      body({
        query: '{ search(text: "A") { ... on Customer { a: ssn } } someone(id: 1) { b: ssn } orders { customer { orders { id } } } places { city } }',
      }),
    );
    const at = (path: string): string[] =>
      (read.output ?? [])
        .filter((one) => one.path === path)
        .map(({ field }) => field)
        .toSorted();
    expect(at('$.data.search[*].a')).toEqual(['Customer.ssn', 'Person.ssn']);
    expect(at('$.data.someone.b')).toEqual(['Clerk.ssn', 'Customer.ssn', 'Person.ssn']);
    expect(at('$.data.orders[*].customer.orders[*].id')).toEqual(['Order.id']);
    expect(at('$.data.places[*][*].city')).toEqual(['Place.city']);
  });

  it('without a schema a nested type may be any', () => {
    const read = facts(body({ query: '{ customer(id: 1) { x: ssn ... on Person { y: ssn } } }' }), null);
    expect(read.graphql?.fields.map(({ type, field }) => `${type}.${field}`)).toEqual(['Query.customer', '?.ssn', 'Person.ssn']);
    expect(read.output).toContainEqual({ field: '?.ssn', path: '$.data.customer.x' });
    expect(read.output).toContainEqual({ field: '?.ssn', path: '$.data.customer.y' });
    expect(read.output).toContainEqual({ field: 'Person.ssn', path: '$.data.customer.y' });
  });

  it('@include and @skip never make it less', () => {
    const query = 'mutation($x: Boolean = false) { deleteOrder(id: 1) @include(if: $x) { id @skip(if: true) } }';
    expect(graphql(query)?.fields.map(({ field }) => field)).toEqual(['deleteOrder', 'id']);
  });

  it('arguments with literals, variables and defaults', () => {
    const query =
      'mutation($i: PlaceOrder!, $n: Int = 3, $none: Int) { a: placeOrder(input: $i) { id } b: placeOrder(input: {item: "b\\u0061", quantity: $n, x: [1.5, null, RED, $none], big: 9007199254740993}) { id } }';
    expect(graphql(query, { variables: { i: { item: 'book', quantity: 2 } } })?.fields.filter(({ field }) => field === 'placeOrder')).toMatchObject([
      { arguments: { input: { item: 'book', quantity: 2 } } },
      { arguments: { input: { item: 'ba', quantity: 3, x: [1.5, null, 'RED', null], big: '9007199254740993' } } },
    ]);
  });

  it('a name of an argument that changes objects is only a name', () => {
    const read = graphql('{ orders(filter: {__proto__: {admin: true}, constructor: 1}) { id } }');
    expect(Object.keys((read?.fields[0]?.arguments['filter'] ?? {}) as object)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('what a mutation does is an effect of its own; all else is read', () => {
    const read = facts(body({ query: 'mutation { deleteOrder(id: 1) { id customer { name } } }' }));
    expect(read.effects.map(({ verb, object, confidence }) => `${verb} ${object.kind} ${object.qualified} ${confidence}`)).toEqual([
      'execute field Mutation.deleteOrder resolved',
      'read field Order.id resolved',
      'read field Order.customer resolved',
      'read field Customer.name resolved',
      'read field Person.name resolved',
    ]);
    expect(facts(body({ query: 'subscription { orderChanged { id } }' })).graphql?.operation).toBe('subscription');
  });

  it('what the schema does not have is named, and so is a directive that nobody knows', () => {
    const read = facts(body({ query: '{ orders { id nothing } x: someone(id: 1) { ... on Nobody { ssn } } orders @hidden { id } }' }));
    expect(read.parsed).toBe(true);
    expect(read.opaque.map(({ code, detail }) => `${code}: ${detail}`)).toEqual([
      'unknown_object: the schema has no field Order.nothing',
      'unknown_object: the schema has no type Nobody',
      'unknown_object: the schema has no field Nobody.ssn',
      'unknown_object: what @hidden does is not known',
    ]);
    expect(read.output).toContainEqual({ field: 'Nobody.ssn', path: '$.data.x.ssn' });
  });

  it('introspection is told, also beside other fields, and fits into the budget as clients ask it', () => {
    expect(graphql(getIntrospectionQuery())).toMatchObject({ introspection: true });
    expect(facts(body({ query: getIntrospectionQuery() })).opaque).toEqual([]);
    expect(graphql('{ orders { id } t: __type(name: "Order") { name } }')?.introspection).toBe(true);
    expect(graphql('{ orders { __typename } }')?.introspection).toBe(false);
  });
});

describe('facts of GraphQL: budgets (H11)', () => {
  it.each([
    ['deep selections', `${'{orders{customer'.repeat(15)}{id${'}'.repeat(31)}`],
    ['one field under many names', `{${Array.from({ length: 40 }, (_, index) => ` a${index}: orders { id }`).join('')} }`],
    ['many tokens', `{ ${'orders { id } '.repeat(4_000)} }`],
    ['a long text', `{ orders { id } } #${'x'.repeat(GRAPHQL_LIMITS.textBytes)}`],
    ['many brackets', `{ orders(filter: ${'['.repeat(5_000)}1${']'.repeat(5_000)}) { id } }`],
    ['brackets hidden behind a quote', `{ orders(filter: "\\\\\\"") { id } x: orders(filter: ${'{a:'.repeat(2_000)}1${'}'.repeat(2_000)}) { id } }`],
    [
      'fragments that multiply',
      `{ orders { ...A0 } } ${Array.from({ length: 20 }, (_, index) => `fragment A${index} on Order { ...A${index + 1} ... on Order { ...A${index + 1} } }`).join(' ')} fragment A20 on Order { id }`,
    ],
  ])('%s', (_, query) => {
    const took = cpuMs(() => expect(facts(body({ query }))).toMatchObject({ parsed: false, opaque: [{ code: 'budget' }] }));
    expect(took).toBeLessThan(1_000);
  });

  it('whatever the text, nothing is thrown', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '(',
      ')',
      '[',
      ']',
      ':',
      '"',
      '"""',
      '\\',
      '#',
      '\n',
      '...',
      'on',
      'query',
      'mutation',
      'fragment',
      'A',
      'orders',
      'id',
      '$a',
      '=',
      '@include',
      '@',
      '1',
      '!',
      '|',
      '&',
      '\0',
      '\ufeff',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        const read = readGraphql({
          method: 'POST',
          query: {},
          body: { kind: 'json', media: 'application/json', bytes: 1, keys: [], json: { query: pieces.join(' ') } },
          schema: SCHEMA,
        });
        expect(read.graphql !== null || read.opaque.length === 1).toBe(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it('a schema that cannot be read is no schema to judge by', () => {
    expect(facts(body({ query: '{ a }' }), 'type Query {')).toMatchObject({ parsed: false });
  });
});

interface Request {
  readonly method: string;
  readonly target?: string;
  readonly type?: string;
  readonly body?: string;
}

function body(json: unknown): Request {
  return { method: 'POST', type: 'application/json', body: JSON.stringify(json) };
}

function facts({ method, target = '/graphql', type, body: text = '' }: Request, schema: string | null = SCHEMA): HttpFacts {
  const route = { id: 'graphql', route: '/graphql', tags: [] as string[], graphql: true };
  const catalog: HttpCatalog = {
    kind: 'http',
    fingerprint: 'x',
    base: '',
    routes: [
      { ...route, method: 'GET', class: 'read' },
      { ...route, method: 'POST', class: 'write' },
    ],
    ...(schema !== null && { graphql: schema }),
  };
  const headers: [string, string][] = [['host', 'api.internal'], ...(type === undefined ? [] : [['content-type', type] as [string, string]])];
  return readHttp(writeHttpMessage({ method, target, headers, body: Buffer.from(text) }), { catalog, graphql: readGraphql });
}

function graphql(query: string, more: object = {}): HttpFacts['graphql'] {
  return facts(body({ query, ...more })).graphql;
}
