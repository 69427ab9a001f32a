/** What a schema says of types and fields; nothing is known without one. */
import {
  buildASTSchema,
  getNamedType,
  isAbstractType,
  isInterfaceType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
  type GraphQLNamedType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type OperationTypeNode,
} from 'graphql';
import { GRAPHQL_LIMITS } from './graphql-limits.ts';
import { Trouble } from './trouble.ts';

/** A field as one of its types has it. */
export interface KnownField {
  /** What it yields: the name of a type, and how many lists stand around it. */
  readonly yields: string;
  readonly lists: number;
}

export class GraphqlTypes {
  readonly #schema: GraphQLSchema;

  constructor(schema: GraphQLSchema) {
    this.#schema = schema;
  }

  root(operation: OperationTypeNode): string | null {
    return this.#schema.getRootType(operation)?.name ?? null;
  }

  has(type: string): boolean {
    return this.#schema.getType(type) !== undefined;
  }

  knowsDirective(name: string): boolean {
    return this.#schema.getDirective(name) !== undefined;
  }

  field(type: string, name: string): KnownField | null {
    const found = this.#fieldsOf(this.#schema.getType(type))?.[name];
    if (found === undefined) return null;
    let lists = 0;
    let yields: GraphQLOutputType = found.type;
    while (isListType(yields) || isNonNullType(yields)) {
      if (isListType(yields)) lists++;
      yields = yields.ofType as GraphQLOutputType;
    }
    return { yields: getNamedType(yields).name, lists };
  }

  /** All by which a field of this type may be known: itself, what it may be when it runs, and the interfaces that these have it from. */
  owners(type: string, field: string): readonly string[] {
    const named = this.#schema.getType(type);
    if (named === undefined) return [type];
    const possible = isAbstractType(named) ? this.#schema.getPossibleTypes(named) : isObjectType(named) ? [named] : [];
    const names = new Set([type, ...possible.flatMap((one) => [one.name, ...one.getInterfaces().map((above) => above.name)])]);
    return [...names].filter((owner) => owner === type || this.#fieldsOf(this.#schema.getType(owner))?.[field] !== undefined);
  }

  #fieldsOf(type: GraphQLNamedType | undefined) {
    return isObjectType(type) || isInterfaceType(type) ? type.getFields() : undefined;
  }
}

/** null: there is no schema. The last few schemas are kept, by their text. */
export function typesOf(text: string | null): GraphqlTypes | null | Trouble {
  if (text === null) return null;
  const known = KNOWN.get(text);
  if (known !== undefined) return known;
  const made = build(text);
  if (KNOWN.size >= GRAPHQL_LIMITS.schemas) KNOWN.delete(KNOWN.keys().next().value as string);
  KNOWN.set(text, made);
  return made;
}

function build(text: string): GraphqlTypes | Trouble {
  if (text.length > GRAPHQL_LIMITS.schemaBytes) return new Trouble('budget', 'the schema is too long');
  try {
    return new GraphqlTypes(buildASTSchema(parse(text, { noLocation: true })));
  } catch {
    return new Trouble('unsupported', 'the schema cannot be read'); // the configuration was checked: this is a text of another engine's
  }
}

const KNOWN = new Map<string, GraphqlTypes | Trouble>();
