/** Every bound of agents on what a peer, or time, can make grow (invariant 9), with its unit. */
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

export const LIMITS = {
  /** Names ever used, removed ones included. */
  agents: 10_000,
  /** Of one human. */
  agentsPerOwner: 100,
  targetsPerAgent: 64,
  groupsPerAgent: 100,
  nameChars: 128,
  /** Groups of a human, as their token names them. */
  humanGroups: 1_000,

  /** A signed statement or token that is presented. */
  tokenChars: 16_384,
  /** The life of a client's assertion, whatever its `exp` says, and how far two clocks may differ. */
  assertionMs: 5 * MINUTE_MS,
  toleranceMs: 30_000,
  jtiChars: 256,
  /** Assertions that were used: refused again until they have expired. Full of fresh ones: nobody gets a token for a moment. */
  usedAssertions: 100_000,
  /** The fields of a request for a token: names that are known, each once (`resource` may be repeated). */
  fieldsPerRequest: 16,
  resourcesPerRequest: 64,

  /** Keys of engines that are accepted; the one that was not seen for longest goes. */
  issuerKeys: 64,

  /** An agent that asks for tokens is written down again so often, so that what several engines share always holds it. */
  renewMs: DAY_MS,
  /** An engine says again that its key is in use. */
  issuerMs: 7 * DAY_MS,

  /** How long after a change, and how often, sessions are compared with the registry: nobody slips in beside it. */
  sweepMs: 200,
  /** One listing of what is open elsewhere. */
  sweepDeadlineMs: 2_000,

  /** What an agent's claims are made of. */
  tablesProbed: 40,
  operationsProbed: 100,
  toolsProbed: 100,
} as const;

/** Tokens of one agent: in a burst, and on average. */
export const TOKEN_RATE = { burst: 30, perSecond: 1, tracked: 10_000 } as const;
