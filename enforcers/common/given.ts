import type { ApprovalContext } from '#schemas/decision-request';
import type { Survey } from './survey.ts';

/** An approval that is about to be used. */
export interface Given {
  readonly approval: ApprovalContext;
  /** What the names meant a moment ago, as it was approved: it must be so when the statement runs. */
  readonly survey: Survey;
  /** The most rows that it may touch; null: no ceiling. */
  readonly rowCeiling: number | null;
  /** As they were approved. */
  readonly settings: Readonly<Record<string, string>>;
  /** For the client: which decision, which approval. */
  readonly detail: string;
}
