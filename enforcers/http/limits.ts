/** Bounds of the HTTP enforcer on what its peers make grow or last, with their units (invariant 9, SECURITY §1.14); what all protocols share is in common. */
export const HTTP_LIMITS = {
  /** Of a client: start line and headers together, and how many headers. */
  headBytes: 16_384,
  headers: 100,
  /** From the first byte of a head to its end (slow-loris), and of a body. */
  headMs: 10_000,
  bodyMs: 30_000,
  /** A connection without a request is closed after this. */
  keepAliveMs: 75_000,
  /** A connection that we end is read on for so long, so that its client sees the answer. */
  lingerMs: 1_000,
  /** What a client may send ahead while its request is answered. */
  readAheadBytes: 16_384,
  /** A client that takes nothing of its answer for so long is let go. */
  unreadMs: 60_000,

  /** Of HTTP/2: requests at a time on one connection; frames that are wrong; resets, pings and settings in a burst, and per second. */
  streams: 100,
  invalidFrames: 50,
  controlBurst: 200,
  controlPerSecond: 20,
  sessionMegabytes: 10,

  /** Sessions, which outlive connections: a token from one address. */
  sessionsMax: 10_000,
  /** Requests of one session at a time, and connections to the target for them. */
  requestsPerSession: 64,
  /** Texts that a session sends again and again are kept once. */
  sharedTexts: 64,
  sharedTextBytes: 2_048,

  /** Of the target: head of an answer, how many headers, and a line of its chunks. */
  answerHeadBytes: 65_536,
  answerHeaders: 200,
  chunkLineBytes: 64,
  interimAnswers: 16,
  /** A connection that is not used is closed after this: less than what servers commonly keep theirs. */
  idleConnectionMs: 4_000,
  idleConnections: 64,
} as const;
