/** Bounds of everything here that somebody else makes grow, with their units. What is over one is not understood, and so refused. */
export const HTTP_FACTS_LIMITS = {
  /** Path and query together. */
  targetBytes: 8_192,
  segments: 128,
  /** Parameters of a query, fields of a form. */
  parameters: 1_000,
  /** Of a JSON body: nesting, and values altogether. */
  jsonDepth: 100,
  jsonValues: 50_000,
  /** Of a multipart body: parts, the head of each, a filename. */
  parts: 200,
  partHeadBytes: 2_048,
  filenameBytes: 255,
  /** Requests up to this are kept with their facts, all together within the other. */
  cachedBytes: 4_096,
  cacheBytes: 16 * 1024 * 1024,
  /** Of a description. */
  descriptionBytes: 16 * 1024 * 1024,
  /** Of reading one again while the gateway runs, in a thread of its own. */
  descriptionMs: 60_000,
  descriptionHeapMiB: 512,
  routes: 10_000,
  routeSegments: 64,
  /** Named fields of the answers of one operation, and how deep they are followed. */
  outputFields: 5_000,
  outputDepth: 24,
  /** Steps that one operation's schemas may take to be read: `allOf`, `$ref` and the like. */
  schemaSteps: 50_000,
} as const;
