/** A GraphQL server with customers in it, for the profile's schema. */
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import { buildSchema, graphql, subscribe, parse, type GraphQLSchema } from 'graphql';

const schema: GraphQLSchema = buildSchema(readFileSync(fileURLToPath(new URL('./schema.graphql', import.meta.url)), 'utf8'));

const alice = {
  __typename: 'Customer',
  id: '1',
  name: 'Alice',
  ssn: '123-45-6789',
  cardNumber: '4111111111111111',
  email: 'alice@example.com',
  orders: () => [order],
};
const order = { __typename: 'Order', id: '7', item: 'book', quantity: 1, customer: () => alice };
const roots = {
  customer: () => alice,
  customers: () => [alice],
  order: () => order,
  orders: () => [order],
  search: () => [alice, order],
  node: () => alice,
  createOrder: () => order,
  deleteCustomer: () => alice,
};

interface Call {
  readonly query: string;
  readonly operationName?: string | null;
  readonly variables?: Record<string, unknown> | null;
}

/** As lenient servers do it: a batch is answered one by one, and parameters in the address count. */
export async function answerGraphql(url: URL, body: Buffer, response: ServerResponse): Promise<void> {
  const asked = (url.searchParams.has('query') ? Object.fromEntries(url.searchParams) : JSON.parse(body.toString('utf8'))) as Call | Call[];
  const calls = Array.isArray(asked) ? asked : [asked];
  const [first] = calls;
  if (first !== undefined && /\bsubscription\b/.test(first.query)) return events(first, response);
  const results = await Promise.all(calls.map(run));
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(Array.isArray(asked) ? results : results[0]));
}

function run({ query, operationName, variables }: Call): Promise<unknown> {
  return graphql({ schema, source: query, rootValue: roots, variableValues: variables ?? {}, operationName: operationName ?? null });
}

async function events({ query }: Call, response: ServerResponse): Promise<void> {
  const changed = async function* (): AsyncGenerator<unknown> {
    yield { customerChanged: alice };
  };
  const results = await subscribe({ schema, document: parse(query), rootValue: { customerChanged: changed } });
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  if (Symbol.asyncIterator in results) for await (const result of results) response.write(`event: next\ndata: ${JSON.stringify(result)}\n\n`);
  else response.write(`event: next\ndata: ${JSON.stringify(results)}\n\n`);
  response.end('event: complete\ndata: {}\n\n');
}
