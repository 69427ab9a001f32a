/** What `verify` reports. */
export interface Problem {
  /** Of the record; -1: of none in particular. */
  readonly seq: number;
  readonly code: ProblemCode;
  readonly detail: string;
}
export type ProblemCode =
  | 'SEGMENT_MISSING'
  | 'SEGMENT_HEADER'
  | 'RECORD_CORRUPT'
  | 'CHAIN_BROKEN'
  | 'SEQ_GAP'
  | 'FORMAT'
  | 'PAYLOAD_CORRUPT'
  | 'PAYLOAD_MISSING'
  | 'CHECKPOINT_SIGNATURE'
  | 'CHECKPOINT_ROOT'
  | 'CHECKPOINT_MISSING'
  | 'TRUNCATED'
  | 'SESSION_SEQ'
  | 'LIFECYCLE'
  | 'APPROVAL_NOT_CONSUMED'
  | 'SILENCE'
  | 'FORKED'
  | 'WITNESS_UNKNOWN';

export type Report = (seq: number, code: ProblemCode, detail: string) => void;
