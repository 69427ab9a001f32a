/** Every bound of enrolment on what a peer, or time, can make grow (invariant 9), with its unit. */
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export const LIMITS = {
  /** Names ever used, removed ones included: they are not given twice by mistake. */
  enforcers: 10_000,
  targetsPerEnforcer: 64,
  /** A join code. */
  codeTtlMsMin: 1_000,
  codeTtlMsMax: 7 * DAY_MS,
  codeChars: 256,
  /** A request for a certificate, DER: one of P-256 takes about 250 bytes. */
  requestBytes: 2_048,
  /** A question or answer of the join protocol. */
  frameBytes: 16_384,
  /** Connections that join at a time, and how long each may take. */
  joining: 32,
  joinMs: 10_000,
  /** Of an enforcer's certificate. */
  certificateMs: DAY_MS,
  /** Of the engine's own; made anew with each start. */
  engineCertificateMs: 7 * DAY_MS,
  authorityMs: 20 * 365 * DAY_MS,
  /** A certificate begins so much before it is made: clocks of two machines differ. */
  skewMs: 5 * MINUTE_MS,
} as const;

/** Of the certificate's life: then it is renewed. */
export const RENEW_AT = 2 / 3;
/** Of the certificate's life: no enforcer gets certificates faster than this, whatever it asks. */
export const RENEW_EVERY_MIN = 1 / 20;
