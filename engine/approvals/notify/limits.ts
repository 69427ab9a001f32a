/** Every bound of notification, with its unit: what requesters, receivers and time can make grow. */
export interface NotifyLimits {
  /** Messages that wait in one channel; what comes on top is dead at once (and visible). A broken glass always has a place. */
  readonly queueMax: number;
  /** Dead messages that are kept to be sent again; the journal has all. */
  readonly deadMax: number;
  /** Delivered ones that are still listed. */
  readonly deliveredMax: number;
  /** Messages of which it is remembered that they were told. */
  readonly knownMax: number;
  /** Attempts at the same time in one channel. */
  readonly concurrency: number;
  readonly triesMax: number;
  /** Where the answer says that trying again will not help. */
  readonly triesRefusedMax: number;
  readonly timeoutMs: number;
  readonly backoffMs: number;
  readonly backoffMsMax: number;
  /** More of the same kind by the same principal within so long are told in one message. */
  readonly gatherMs: number;
  /** What is older than this at a start is not told any more. */
  readonly ageMsMax: number;
  readonly addressesMax: number;
}

export const NOTIFY_LIMITS: NotifyLimits = {
  queueMax: 1_000,
  deadMax: 1_000,
  deliveredMax: 200,
  knownMax: 50_000,
  concurrency: 2,
  triesMax: 10,
  triesRefusedMax: 3,
  timeoutMs: 10_000,
  backoffMs: 2_000,
  backoffMsMax: 900_000,
  gatherMs: 15_000,
  ageMsMax: 86_400_000,
  addressesMax: 50,
};
