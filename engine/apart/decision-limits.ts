/** Bounds of remote judging, with their units (invariant 9). */
export const DECISION_LIMITS = {
  /** Everything that one statement waits for the engine, together; then it is refused (E6). */
  answerMs: 500,
  /** To tell the engine a catalog, which may be large; and how long a text waits to be read until it is told. */
  learnMs: 30_000,
  learnWaitMs: 5_000,

  /** So many answers in a row that were late, and the engine is not waited for; it is tried again after so long. */
  lateInARow: 8,
  openMs: 1_000,

  // at the engine
  sessionsPerConnection: 10_000,
  /** Who and what a session is. */
  scopeBytes: 65_536,
  /** Texts that were read and may be decided again without being sent: the oldest goes, and is read again if it comes back. */
  statementsPerSession: 1_024,
  statementsPerConnection: 65_536,
  textBytesPerConnection: 268_435_456,
  settingsPerSession: 256,
  settingsBytes: 65_536,
  paramsBytes: 8_388_608,
  statementIdBytes: 64,
  catalogBytes: 268_435_456,
  /** Databases whose catalogs were learned, of all targets. */
  catalogs: 1_024,

  // at the enforcer
  /** Texts that a session sends again and again, by their settings. */
  knownTexts: 1_024,
  knownTextBytes: 4_194_304,
  /** One longer than this is not kept for the next time. */
  sharedTextBytes: 65_536,
  /** Facts as the same object for the same facts: the journal stores an object once. */
  factsBytes: 16_777_216,
} as const;
export type DecisionLimits = { readonly [K in keyof typeof DECISION_LIMITS]: number };

/** How often the engine looks whether another revision is in force. */
export const STATE_EVERY_MS = 100;
