/** Every bound of the log that several engines share, with its unit. */
export const LOG_LIMITS = {
  /** From the plan to the state that everybody sees, with all that another engine was faster in between. */
  commitMs: 5_000,
  /** How often another engine may be faster. */
  attemptsMax: 100,
  /** For one answer; then the same message is sent again. */
  publishMs: 1_000,
  /** Without a connection for so long, what waits for others is refused (I6). */
  cutOffMs: 750,
  /** Between two tries to follow. */
  retryMs: 100,
  /** How far what was received may be ahead of what is durable here. */
  aheadMax: 1_000,
  /** One change with all that stands beside it, decompressed. */
  bodyBytesMax: 16 << 20,
  /** What is longer is compressed. */
  plainBytesMax: 4 << 10,
  /** Changes remembered by name, so that what is told twice counts once. */
  changesMax: 200_000,
  /** Principals whose last position is remembered. */
  subjectsMax: 1_000_000,
  /** Between two words of one engine to the others. */
  presenceMs: 2_000,
  /** Messages left out that engines tell each other; whoever has as many uses no older grant. */
  leftOutMax: 256,
  /** Ends of uses on their way, and how often one is tried: they tell and decide nothing. */
  remarksMax: 10_000,
  remarkAttemptsMax: 3,
  /** Engines that are told apart. */
  enginesMax: 256,
  /** What stands in the stream for 100 days: requests that wait, grants, and delegations end before. */
  waitDaysMax: 30,
  grantDaysMax: 30,
  delegationDaysMax: 95,
  /** An engine that was not heard for so long before an interruption had nothing to lose in it. */
  absentMs: 24 * 3_600_000,
} as const;
