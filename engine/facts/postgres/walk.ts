/** What the parts of the walker ask of each other; facts.ts joins them. */
import type { Confidence, ObjectRef, OpaqueCode, OutputColumn } from '#schemas/sql-facts';
import type { Names } from './names.ts';
import type { Fields } from './parser.ts';
import type { Relations, Resolved } from './relations.ts';
import type { Report, StatementReport, Use, Verb, Where } from './report.ts';
import type { Scope } from './scope.ts';

export interface Walk {
  readonly names: Names;
  readonly relations: Relations;
  readonly report: Report;
  readonly here: StatementReport;
  /** The whole text: parameter numbers are compared with what is written. */
  readonly bytes: Uint8Array;
  /** Anything: every relation, function, operator, type and column in it is told. */
  expression(value: unknown, use: Use, scope: Scope): void;
  /** A SELECT, VALUES, INSERT, UPDATE, DELETE or MERGE, and what it yields; null: not known. */
  query(value: unknown, use: Use, scope: Scope): readonly OutputColumn[] | null;
  /** A statement inside a statement (CREATE SCHEMA …, EXPLAIN …, a rule's actions). */
  utility(tag: string, node: Fields): void;
  /** An effect on a relation, and on what it stands for in the catalog. */
  touch(rangeVar: Fields, verb: Verb): Resolved;
  reach(resolved: Resolved, verb: Verb): void;
  effect(verb: Verb, object: ObjectRef, confidence?: Confidence): void;
  unclear(code: OpaqueCode, detail: string): void;
  /** A part that changes rows, and how its rows are chosen. */
  wrote(where: Where): void;
}
