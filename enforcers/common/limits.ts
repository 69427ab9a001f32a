/** Every bound on what a peer can make grow, in one place, with its unit in its name (invariant 9, SECURITY §1.14). */
export const LIMITS = {
  /** Before a client has proved who it is. */
  preAuthMs: 10_000,
  preAuthBytes: 10_240,
  preAuthConnectionsPerAddress: 64,
  /** Cancel requests need no login, so they are counted: a bucket of this size for each address, refilled at this rate. */
  cancelsPerAddressBurst: 32,
  cancelsPerAddressPerSecond: 8,
  addressesTracked: 10_000,

  /** One message of the data phase that is not a statement (Describe, Close …). */
  controlMessageBytes: 8_192,
  /** Bind: all parameters together, and how many. */
  paramsBytes: 1_048_576,
  paramsCount: 65_535,
  /** A message larger than this is not even skipped: the connection ends. */
  messageBytesMax: 268_435_456,
  /** What may stand unanswered at the target before the client is read on (a pipeline segment, SECURITY §1.14). */
  unansweredMessages: 1_000,
  /** Binds and what describes them, that wait for the execution that they are for. */
  deferredMessages: 1_000,
  /** What a client may have sent ahead while a statement waits. */
  readAheadBytes: 4_194_304,
  preparedPerSession: 5_000,
  portalsPerSession: 1_000,
  /** Texts that a session sends again and again are kept once. */
  sharedTexts: 64,
  sharedTextBytes: 2_048,
  /** Names longer than this would be cut by the server, and two could become one. */
  nameBytes: 63,

  /** What is kept of a target: one control message (errors, notices, row descriptions), never rows. */
  targetMessageBytes: 1_048_576,
  targetStartupBytes: 262_144,
  targetConnectMs: 10_000,
  scramIterations: 100_000,
  scramMessageBytes: 4_096,
  /** Rows of the gateway's own queries. */
  ownQueryBytes: 268_435_456,
  ownQueryMs: 30_000,

  /** Relations and functions that a statement may name when somebody is to decide about it, and how many lines say what stands behind them. */
  surveyNames: 200,
  surveyLines: 50,
  /** EXPLAIN for a reviewer, how much of a plan is kept, and all that is asked about one statement together. */
  explainMs: 500,
  planBytes: 65_536,
  surveyMs: 5_000,
  /** Statements that wait for the gateway's own connection to one database. */
  surveysWaiting: 64,
  /** How long an approved write waits for its locks; its approval is used only when it has them. */
  approvedLockMs: 3_000,
  /** What an approved write answers is kept back until it is committed: all of it together. */
  withheldBytes: 4_194_304,

  /** What a transaction did before an approval is asked for in it, to be shown with it. */
  beforeStatements: 50,
  beforeChars: 65_536,

  /** A decision is good for this long (M6). */
  decisionMs: 5_000,
  /** One that is older than this when everything else is there is made anew, so that there is time left to record the use. */
  decisionReusedMs: 1_000,
  /** How long a session that ends waits for what is running at the target. */
  closeMs: 10_000,
  drainMs: 30_000,
  /** How often idle and expired sessions are looked for. */
  reapMs: 500,
  /** Distinct sets of settings kept as one object each. */
  settingSets: 4_096,
  settingBytes: 8_192,
} as const;
