/** Bounds of GraphQL operations (SECURITY H11), with their units. What is over one is not understood, and so refused. */
export const GRAPHQL_LIMITS = {
  textBytes: 65_536,
  tokens: 8_000,
  /** Brackets of any kind inside each other, and selections: an introspection as clients ask it has 13. */
  brackets: 64,
  depth: 20,
  /** Fields with fragments expanded, and what they are called by all types that they may belong to. */
  fields: 2_000,
  namedFields: 10_000,
  /** The same field in one selection, under different names. */
  aliases: 30,
  /** Of a schema. */
  schemaBytes: 4 * 1024 * 1024,
  schemas: 32,
} as const;
