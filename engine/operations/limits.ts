/** Every bound of the operations, with its unit. */
export const LIMITS = {
  /** Of the listener of its own. */
  connections: 64,
  headerBytes: 8 * 1024,
  headersMs: 5_000,
  requestMs: 10_000,
  idleMs: 5_000,
  /** Metrics are made anew after this; whoever asks more often gets the same text. */
  metricsEveryMs: 250,
  /** A wall clock that is further from the engine's is told. */
  clockOffsetMs: 1_000,
  /** The projection is told when it is behind by more. */
  projectionBehindRecords: 100_000,
  /** How often the configuration file is looked at. */
  configEveryMs: 1_000,
  /** Shortest token of a reader of metrics, in characters. */
  tokenChars: 16,
} as const;
