/** What every part of the bench is told. */
import type { PostgresServer } from '#test/support/postgres';

/** Of every server that is measured. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = { max_connections: '400', shared_buffers: '256MB' };

export interface Run {
  readonly name: string;
  readonly subject: string;
  readonly [field: string]: unknown;
}

export interface BenchOptions {
  readonly only: RegExp;
  readonly clients: readonly number[];
  readonly seconds: number;
  readonly rounds: number;
  /** Of the projection's journal: 1 is a hundred thousand sessions and a million statements. */
  readonly scale: number;
  readonly server: PostgresServer;
  /** Journals go here: `ram` and `disk`. */
  readonly journals: Readonly<Record<'ram' | 'disk', string>>;
  readonly report: (run: Run) => void;
}
