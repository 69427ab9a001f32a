import type { Receipt } from '#client/approvals';
import type { Decided, Rewrite, Statement } from '#client/decision-service';
import type { Position } from '#client/journal';
import type { ApprovalContext } from '#schemas/decision-request';
import type { Asked, Scene } from './asked.ts';
import type { Given } from './given.ts';
import type { Refusal } from './refusal.ts';

declare const cleared: unique symbol;

/** Proof that a statement was decided on these bytes and that its intent stands in the journal. Only `clear` makes one. */
export interface ClearedStatement {
  readonly [cleared]: true;
  readonly refused: false;
  readonly statementId: string;
  readonly statement: Statement;
  /** Position of `statement.cleared`. */
  readonly intent: Position;
  /** An execution, not only a preparation. */
  readonly runs: boolean;
  readonly decidedUs: number;
  /** What goes upstream in place of the text, or null: the text itself. */
  readonly rewrite: Rewrite | null;
  readonly decided: Decided;
  readonly approval: ApprovalContext | null;
  /** The use of an approval that lets it run; null: none was needed, or one that was used before goes on (a suspended portal). */
  readonly use: Use | null;
}

export type Outcome = ClearedStatement | Refusal;

/** A use of an approval: the engine has consumed it. */
export interface Use extends Given {
  readonly receipt: Receipt;
}

export type Mint = (asked: Asked, statement: Statement, decided: Decided, scene: Scene, use: Use | null) => Outcome;
