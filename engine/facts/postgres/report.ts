/** What is found of one text while it is walked. Everything is told once. */
import type {
  ColumnUse,
  Confidence,
  Effect,
  FunctionUse,
  ObjectRef,
  Opaque,
  OpaqueCode,
  OutputColumn,
  SessionEffect,
  SqlStatement,
  Via,
} from '#schemas/sql-facts';
import type { SqlKind } from '#schemas/sql-kinds';

export type Verb = Effect['verb'];
export type Use = ColumnUse['in'];
export type Where = SqlStatement['where'];

/** Effects that closure may add to one text; beyond it the facts say so. */
const EFFECTS_MAX = 2_000;

export class Report {
  readonly effects: Effect[] = [];
  readonly session: SessionEffect[] = [];
  readonly opaque: Opaque[] = [];
  readonly #seen = new Set<string>();
  #full = false;

  effect(statement: number, verb: Verb, object: ObjectRef, confidence: Confidence, via: readonly Via[] = []): void {
    const key = `${statement} ${verb} ${object.kind} ${object.qualified} ${via.map((step) => `${step.kind}:${step.name}`).join()}`;
    if (this.#seen.has(key)) return;
    if (this.effects.length >= EFFECTS_MAX) {
      if (!this.#full) this.opaque.push({ code: 'budget', detail: `more than ${EFFECTS_MAX} effects`, statement });
      this.#full = true;
      return;
    }
    this.#seen.add(key);
    this.effects.push({ verb, object, statement, via: [...via], confidence });
  }

  unclear(statement: number, code: OpaqueCode, detail: string): void {
    const key = `? ${statement} ${code} ${detail}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.opaque.push({ code, detail, statement });
  }
}

/** One statement's own part. */
export class StatementReport {
  readonly index: number;
  kind: SqlKind = 'unknown';
  where: Where = 'none';
  limit: SqlStatement['limit'] = 'none';
  locking = false;
  explain: SqlStatement['explain'] = 'no';
  copy: SqlStatement['copy'];
  output: readonly OutputColumn[] = [];
  readonly #columns = new Map<string, ColumnUse>();
  readonly #functions = new Map<string, FunctionUse>();
  /** Sets that gather the columns named while they are open. */
  readonly #gathering: Set<string>[] = [];

  constructor(index: number) {
    this.index = index;
  }

  column(column: string, use: Use, confidence: Confidence): void {
    if (use !== 'write') for (const set of this.#gathering) set.add(column);
    // a plan writes nothing
    const as = use === 'write' && this.explain === 'plan' ? 'other' : use;
    const key = `${as} ${column}`;
    if (!this.#columns.has(key)) this.#columns.set(key, { column, in: as, confidence });
  }

  calls(use: FunctionUse): void {
    if (!this.#functions.has(use.name)) this.#functions.set(use.name, use);
  }

  /** What is being gathered depends on more than the text tells. */
  unknownSource(): void {
    for (const set of this.#gathering) set.add('?');
  }

  /** The columns that `walk` names, other than to write them. */
  gather(walk: () => void): string[] {
    const set = new Set<string>();
    this.#gathering.push(set);
    walk();
    this.#gathering.pop();
    return [...set];
  }

  get columns(): ColumnUse[] {
    return [...this.#columns.values()];
  }

  get functions(): FunctionUse[] {
    return [...this.#functions.values()];
  }
}

const WHERE_ORDER: readonly Where[] = ['none', 'constant', 'other', 'bound', 'keyed'];

/** Of several parts that write, the one that says least counts. */
export function weakest(a: Where, b: Where): Where {
  return WHERE_ORDER.indexOf(a) <= WHERE_ORDER.indexOf(b) ? a : b;
}
