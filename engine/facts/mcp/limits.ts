/** Bounds on what one call of a tool can make the gateway do, with their units. */
export const LIMITS = {
  /** Of a call: one MCP message (SECURITY §1.14). */
  messageBytes: 1_048_576,
  depth: 64,
  values: 100_000,
  /** Steps of one validation: a schema may refer to itself. */
  schemaSteps: 200_000,
  schemaDepth: 64,
  /** Subschemas of one definition. */
  schemaNodes: 5_000,
  patternChars: 1_024,
  patternsKept: 1_000,
  /** What a pattern is matched against. */
  matchedChars: 65_536,
  /** Arguments of one call that other engines read. */
  nested: 16,
  uriChars: 8_192,
  pathChars: 4_096,
  /** Facts that are kept for calls that come again. */
  cacheBytes: 16 * 1024 * 1024,
  cachedMessageBytes: 65_536,
} as const;
