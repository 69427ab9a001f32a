/** Every bound on what a client or a server can make grow, with its unit (invariant 9, SECURITY §1.14). */
export const MCP_LIMITS = {
  headerBytes: 16_384,
  headers: 100,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 65_000,
  /** Connections of one listener that have not ended. */
  sockets: 10_000,
  /** Of one client's request; a target's `statement_bytes` may be less. */
  messageBytes: 1_048_576,
  /** Requests of one session that are under way; those that wait for a verdict are counted apart. */
  callsPerSession: 64,
  waitingPerSession: 2_000,
  /** Streams that a client keeps open for what the server tells without being asked. */
  streamsPerSession: 4,
  subscriptionsPerSession: 100,
  sessionIdChars: 64,
  /** One message of the server, and all of one answer's stream. */
  answerBytes: 8_388_608,
  streamBytes: 67_108_864,
  sseLineBytes: 8_388_608,
  /** Written to a client and not read by it: the stream ends. */
  unreadBytes: 16_777_216,
  /** Until the server answers a call; progress begins it anew. */
  answerMs: 300_000,
  connectMs: 10_000,
  /** Initialize, discover and lists of the gateway's own. */
  ownMs: 20_000,
  listPages: 64,
  tools: 2_000,
  /** A process of ours: how long it may take to end, and how soon it is started again. */
  processEndMs: 2_000,
  processRestartMs: 1_000,
  stderrLineBytes: 4_096,
  /** Answers whose stream ended before them, and that nobody has come back for. */
  lostAnswers: 64,
  lostMs: 60_000,
  /** Events of one session that a stream can be taken up from. */
  eventIds: 256,
  eventIdChars: 1_024,
  /** Requests of the server that wait for the client. */
  serverRequests: 16,
  /** A state that a client hands back. */
  stateChars: 65_536,
  /** Above this a held call is not put into a task’s name: the name travels in a header. */
  taskCallBytes: 4_096,
  /** Answers of calls that were approved, for whoever lost them. */
  resultsKept: 1_000,
  resultBytesKept: 33_554_432,
  resultMs: 600_000,
  /** How long a state or a task counts that belongs to a call which waits. */
  heldMs: 86_400_000,
  /** So often a client waits for `mcp.poll` with a state; then its agent is told that the call is pending. The reference client gives up after ten. */
  heldRounds: 3,
  /** How often a client should ask about a task. */
  taskPollMs: 5_000,
  /** How long one look at a task waits for its verdict: an engine elsewhere needs a moment to say that there is one. */
  taskLookMs: 500,
  /** Names that a denial says would be allowed. */
  allowedNamed: 20,
  /** How often the server's definitions are compared with the pinned ones. */
  pinsEveryMs: 60_000,
  pinsFileBytes: 16_777_216,
} as const;
