/** Bounds of what engine and enforcers ask of each other, with their units (invariant 9). */
export const APART_LIMITS = {
  /** An answer of the engine later than this is a refusal. Its death is noticed at once, its silence by the heartbeats; this is for one that is stuck. */
  answerMs: 5_000,
  /** Verifying a token may fetch keys of its issuer. */
  authenticateMs: 10_000,
  /** A program that prints a password may take 15 s. */
  leaseMs: 16_000,
  /** A statement that an enforcer runs for somebody who asked at the engine. */
  callMs: 60_000,
  /** The policies are built and tested on arrival. */
  bundleMs: 60_000,
  /** After a connection died, another engine is asked the same if it is there within this; then it is a refusal (I6: within a second). */
  againMs: 700,
  /** How an enforcer is, and which policies are the newest. */
  reportMs: 1_000,
  /** What an engine says of a target is asked again so often: it may have read its configuration anew. */
  describeEveryMs: 2_000,
  /** How often the engine says which policies are its newest. */
  confirmMs: 5_000,
  /** Without a report for so long an enforcer is said to be silent. */
  silentMs: 5_000,
  /** Which leases an enforcer still uses is told so often; an engine that hears nothing of one for five minutes ends it. */
  keepMs: 20_000,
  leasesAtOnce: 1_000,
  leasesHeld: 20_000,
  /** An enforcer that ends waits so long for its engine to hear that its leases are over. */
  leasesOverMs: 2_000,
  /** A password that was made for one session is looked for in the log so long: signing in is over by then. */
  hiddenMs: 60_000,
  /** Approved statements that run at once; of what is beyond, the engine does not learn the end. */
  usesRunning: 10_000,
  /** Ends of approved statements that an enforcer keeps to tell them again to an engine that has not heard of them. */
  endsKept: 1_000,
  endsAtOnce: 256,
  /** So far back an enforcer that starts looks for them in its own journal. */
  recordsRecalled: 200_000,
  /** What agents did lately, of one enforcer: at once, and in all. */
  agentsAtOnce: 1_000,
  agentsCounted: 10_000,
  enforcersCounted: 256,
  /** The windows of `context.usage`: what an enforcer said longer ago than this is in none. */
  statementsMs: 60_000,
  denialsMs: 300_000,
  rowsMs: 3_600_000,
  /** Enforcers whose last report is kept after they went. */
  goneKept: 256,
} as const;
