/** What the engine may oblige an enforcement point to; one that does not say what it can do is told all of it, and must refuse what it cannot (AuthZEN Obligations Profile). */
export const ALL_OBLIGATIONS: readonly string[] = [
  'mask',
  'mask.paths',
  'mask.detectors',
  'row_limit',
  'byte_limit',
  'statement_timeout_ms',
  'session_ttl_s',
  'estimated_rows_max',
  'read_only',
  'step_up',
  'record',
  'notification',
];
