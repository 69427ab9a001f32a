/**
 * GraphQL over HTTP → what the one operation that would run asks for (SECURITY H11): by type and field, with fragments expanded, whatever the
 * answer calls it. `@include` and `@skip` never make it less. Total, as all readers of facts.
 */
import { GraphQLError, Kind, parse, type DocumentNode, type FragmentDefinitionNode, type OperationDefinitionNode } from 'graphql';
import { GRAPHQL_LIMITS } from './graphql-limits.ts';
import { readRequest, type GraphqlCall } from './graphql-request.ts';
import { repeated } from './graphql-unique.ts';
import { tooDeep } from './graphql-scan.ts';
import { GraphqlWalk } from './graphql-walk.ts';
import { typesOf } from './graphql-types.ts';
import type { GraphqlReading, GraphqlRequest } from './reader.ts';
import { Trouble } from './trouble.ts';

export function readGraphql(request: GraphqlRequest): GraphqlReading {
  const call = readRequest(request);
  if (call instanceof Trouble) return refused(call);
  const document = readDocument(call.query);
  if (document instanceof Trouble) return refused(document);
  const chosen = choose(document, call);
  if (chosen instanceof Trouble) return refused(chosen);
  if (chosen.operation !== 'query' && request.method === 'GET') return refused(new Trouble('unsupported', `a ${chosen.operation} by GET`));
  const types = typesOf(request.schema);
  if (types instanceof Trouble) return refused(types);
  const walk = new GraphqlWalk(chosen, fragmentsOf(document), call.variables, types);
  const trouble = walk.run();
  if (trouble !== null) return refused(trouble);
  return {
    graphql: {
      operation: chosen.operation,
      name: chosen.name?.value ?? null,
      fields: [...walk.fields],
      depth: walk.depth,
      introspection: walk.introspection,
    },
    output: walk.output,
    effects: walk.effects,
    opaque: walk.opaque,
  };
}

function refused(trouble: Trouble): GraphqlReading {
  return { graphql: null, effects: [], opaque: [trouble.opaque] };
}

function readDocument(text: string): DocumentNode | Trouble {
  if (Buffer.byteLength(text) > GRAPHQL_LIMITS.textBytes) return new Trouble('budget', `an operation of more than ${GRAPHQL_LIMITS.textBytes} bytes`);
  if (tooDeep(text)) return new Trouble('budget', `more than ${GRAPHQL_LIMITS.brackets} brackets inside each other`);
  let document: DocumentNode;
  try {
    document = parse(text, { noLocation: true, maxTokens: GRAPHQL_LIMITS.tokens });
  } catch (error) {
    if (error instanceof RangeError) return new Trouble('budget', 'deeper than the parser goes');
    if (!(error instanceof GraphQLError)) throw error;
    const many = error.message.includes('Parsing aborted');
    return many
      ? new Trouble('budget', `more than ${GRAPHQL_LIMITS.tokens} tokens`)
      : new Trouble('syntax', `not GraphQL: ${error.message.slice(0, 120)}`);
  }
  return checked(document);
}

/** What a server refuses is refused here, so that no server may read it differently. */
function checked(document: DocumentNode): DocumentNode | Trouble {
  const operations: string[] = [];
  const fragments: string[] = [];
  for (const definition of document.definitions) {
    if (definition.kind === Kind.OPERATION_DEFINITION) operations.push(definition.name?.value ?? '');
    else if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.push(definition.name.value);
    else return new Trouble('syntax', 'definitions of types beside the operation');
  }
  if (new Set(operations).size !== operations.length) return new Trouble('syntax', 'two operations of one name');
  if (new Set(fragments).size !== fragments.length) return new Trouble('syntax', 'two fragments of one name');
  if (operations.length > 1 && operations.includes('')) return new Trouble('syntax', 'an operation without a name beside others');
  const twice = repeated(document);
  if (twice !== null) return new Trouble('syntax', twice);
  return document;
}

/** The one operation that would run. */
function choose({ definitions }: DocumentNode, { operationName }: GraphqlCall): OperationDefinitionNode | Trouble {
  const operations = definitions.filter((definition) => definition.kind === Kind.OPERATION_DEFINITION);
  if (operationName === null) {
    const [only, ...others] = operations;
    if (only !== undefined && others.length === 0) return only;
    return new Trouble('syntax', only === undefined ? 'no operation' : 'several operations, and none is named');
  }
  const named = operations.find(({ name }) => name?.value === operationName);
  return named ?? new Trouble('syntax', 'operationName names none of the operations');
}

function fragmentsOf({ definitions }: DocumentNode): ReadonlyMap<string, FragmentDefinitionNode> {
  return new Map(
    definitions.flatMap((definition) => (definition.kind === Kind.FRAGMENT_DEFINITION ? [[definition.name.value, definition] as const] : [])),
  );
}
