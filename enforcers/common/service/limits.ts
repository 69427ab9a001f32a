/** Bounds on reaching a service, with their units (invariant 9). */
export const SERVICE_LIMITS = {
  /** It must accept a connection within this, which is less than a decision is good for. */
  connectMs: 3_000,
  /** The addresses of its name are looked up again after this. */
  resolvedMs: 30_000,
  addresses: 16,
  /** Of an authority that gives tokens (OAuth). */
  tokenAnswerBytes: 65_536,
  tokenHeadBytes: 16_384,
  tokenMs: 5_000,
  /** A token that ends within this is not used for anything new. */
  tokenLeftMs: 10_000,
} as const;
