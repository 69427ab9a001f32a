/** Every bound of the approvals, with its unit: what a requester or reviewer can make grow. */
export interface ApprovalLimits {
  /** Requests that are open or approved and not used up. */
  readonly liveMax: number;
  /** The same, of one principal: nobody fills the inbox for all. */
  readonly livePerPrincipalMax: number;
  /** The same, through one outside enforcement point, whomever it names. */
  readonly livePerPointMax: number;
  /** Text and parameters of live requests. */
  readonly liveBytesMax: number;
  /** The same, of one principal or enforcement point. */
  readonly liveBytesPerPayerMax: number;
  /** Statements that wait for a verdict. */
  readonly waitsMax: number;
  /** Settled requests that `show` still knows; the journal has all. */
  readonly closedMax: number;
  readonly closedBytesMax: number;
  readonly commentCharsMax: number;
  readonly summaryCharsMax: number;
}

export const APPROVAL_LIMITS: ApprovalLimits = {
  liveMax: 10_000,
  livePerPrincipalMax: 100,
  livePerPointMax: 1_000,
  liveBytesMax: 64 * 1024 * 1024,
  liveBytesPerPayerMax: 8 * 1024 * 1024,
  waitsMax: 10_000,
  closedMax: 10_000,
  closedBytesMax: 16 * 1024 * 1024,
  commentCharsMax: 4_000,
  summaryCharsMax: 2_000,
};

/** What is longer cannot be put before a reviewer whole, so nobody can approve it. */
export const SHOWN_BYTES_MAX = 1024 * 1024;

/** A verdict needs a token at most this old (SECURITY A4). */
export const VERDICT_TOKEN_AGE_MS = 3_600_000;
export const CLOCK_TOLERANCE_MS = 60_000;
