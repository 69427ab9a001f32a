import type { Catalog } from '#schemas/catalog';
import type { SqlFacts } from '#schemas/sql-facts';

/** What reads the SQL of an argument: the engine of the target that the argument belongs to. */
export interface SqlReading {
  read(text: Uint8Array, context: SqlContext): SqlFacts | Promise<SqlFacts>;
  /** The newest catalog of a target; null: none was read in this process. */
  catalogOf(target: string): Catalog | null;
}

export interface SqlContext {
  readonly major: number;
  readonly database: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly catalog: Catalog | null;
}
