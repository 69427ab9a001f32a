/** Every bound of the AuthZEN interface, with its unit: what an outside enforcement point can make grow. */
export const AUTHZEN_LIMITS = {
  bodyBytes: 2 * 1024 * 1024,
  statementBytes: 1024 * 1024,
  /** Of a question without a statement: policy sees all of it. */
  questionChars: 64 * 1024,
  evaluations: 50,
  params: 1_000,
  nameChars: 256,
  groups: 1_000,
  settings: 50,
  requestIdChars: 200,
  depth: 32,
  /** Pairs of an enforcement point and a subject at a target whose evaluations stand in one session of the record. */
  sessions: 500,
  sessionIdleMs: 300_000,
  /** Denials that may still be requested, of all and of one enforcement point: the oldest is forgotten, and is asked again. */
  denials: 10_000,
  /** Submissions remembered by their `Idempotency-Key`. */
  submissions: 10_000,
} as const;

/** How long a denial may be requested. */
export const REQUESTABLE_MS = 600_000;
/** Idempotency-Key state is kept for so long. */
export const SUBMISSION_MS = 24 * 3_600_000;
