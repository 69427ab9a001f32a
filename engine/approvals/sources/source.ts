/** Where the names behind a reference come from. */
import type { Asking, Named } from '../world.ts';

/** What a reference is resolved for. */
export interface SourceContext extends Asking {
  /** Of the target; null: it is not configured (any more). */
  readonly env: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly nowUs: number;
}

export interface ApproverSource {
  /** What stands before the colon: `directory`, `oncall`, `rego`. */
  readonly scheme: string;
  /** Whom `name`, what stands behind the colon, names now; null: it does not answer, so nobody. From what was last read; never throws. */
  resolve(name: string, context: SourceContext): readonly Named[] | null;
  /** Reads again what these names need, if it is too old. Bounded in time; never rejects. */
  refresh?(names: readonly string[]): Promise<void>;
}
