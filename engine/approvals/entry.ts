/** A request in memory: its record, and what stands beside it. */
import type { Bound } from './binding.ts';
import type { Deadline } from './deadline.ts';
import type { ApprovalRecord, StatementEnd } from './record.ts';

export interface Entry {
  record: ApprovalRecord;
  /** null: the text is no longer held, so the request is closed and only its outline is shown. */
  readonly bound: Bound | null;
  /** What people wrote to it, by the digest of the payload. */
  readonly words: Map<string, string>;
  /** The target's plan, where it is kept in clear. */
  readonly plan: string | null;
  /** What became of its uses, by statement. */
  readonly executions: Map<string, Execution>;
  /** Opened through this engine. */
  readonly here: boolean;
  /** End of waiting while open, end of the grant while approved. */
  deadline: Deadline;
}

export interface Execution {
  readonly outcome: 'running' | StatementEnd['outcome'];
  readonly rows?: number;
  readonly time: string;
}
