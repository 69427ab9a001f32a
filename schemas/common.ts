/** Fragments that several parts of the contract share (CONTRACT.md). */

/** `sha256:` and 64 lower-case hexadecimal digits. */
export const Digest = { type: 'string', pattern: '^sha256:[0-9a-f]{64}$' } as const;
export type Digest = string;

/** RFC 3339, microseconds, UTC: `2026-11-23T10:00:00.000000Z`. */
export const Timestamp = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z$' } as const;
export type Timestamp = string;

/** Version of the contract that every document and record carries. */
export const CONTRACT_VERSION = 1;
