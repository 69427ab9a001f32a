/** One text's tree → facts. Pure; the tree is within the budget. */
import type { Catalog } from '#schemas/catalog';
import type { Opaque, OutputColumn, SqlFacts, SqlStatement } from '#schemas/sql-facts';
import { SQL_KINDS } from '#schemas/sql-kinds';
import { reach } from './closure.ts';
import { expression } from './expressions.ts';
import { explainOf, kindOf } from './kinds.ts';
import { namesOf } from './names.ts';
import type { Fields, ParserMajor, ParseTree, RawStatement } from './parser.ts';
import { whereOfSelect } from './predicate.ts';
import { limitOf, select } from './queries.ts';
import { Relations } from './relations.ts';
import { Report, StatementReport, weakest, type Verb, type Where } from './report.ts';
import { Scope } from './scope.ts';
import { shapeOf } from './shape.ts';
import { fields, tagOf } from './tree.ts';
import { utility } from './utilities.ts';
import type { Walk } from './walk.ts';
import { insert, merge, remove, update, type Write } from './writes.ts';

/** Structurally the `ReadContext` that judging hands over. */
export interface TextContext {
  readonly major: number;
  readonly database: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly catalog: Catalog | null;
}

export function factsOf(tree: ParseTree, bytes: Uint8Array, major: ParserMajor, context: TextContext): SqlFacts {
  const report = new Report();
  const relations = new Relations(namesOf(major), context.database, context.catalog, context.settings['search_path']);
  const statements = tree.stmts.map((raw, index) => new Walker(report, relations, major, bytes, index).statement(raw));
  return {
    dialect: 'postgresql',
    parser: { name: 'libpg_query', major },
    parsed: true,
    statements,
    effects: report.effects,
    session: report.session,
    params: [],
    opaque: report.opaque,
  };
}

/** Facts of a text without a tree. */
export function unparsed(major: number, ...opaque: readonly Opaque[]): SqlFacts {
  return {
    dialect: 'postgresql',
    parser: { name: 'libpg_query', major },
    parsed: false,
    statements: [],
    effects: [],
    session: [],
    params: [],
    opaque: [...opaque],
  };
}

const WRITES: Readonly<Record<string, Write>> = { InsertStmt: insert, UpdateStmt: update, DeleteStmt: remove, MergeStmt: merge };
/** What EXPLAIN without ANALYZE does not do: it only plans, which reads. */
const NOT_PLANNED: ReadonlySet<Verb> = new Set(['insert', 'update', 'delete', 'truncate', 'create']);

class Walker implements Walk {
  readonly report: Report;
  readonly relations: Relations;
  readonly bytes: Uint8Array;
  readonly here: StatementReport;
  readonly #major: ParserMajor;
  /** The weakest WHERE of the parts that write. */
  #written: Where | null = null;

  constructor(report: Report, relations: Relations, major: ParserMajor, bytes: Uint8Array, index: number) {
    this.report = report;
    this.relations = relations;
    this.bytes = bytes;
    this.#major = major;
    this.here = new StatementReport(index);
  }

  get names(): Walk['names'] {
    return namesOf(this.#major);
  }

  statement(raw: RawStatement): SqlStatement {
    const { here } = this;
    const tag = tagOf(raw.stmt) ?? '';
    const node = fields(raw.stmt[tag]) ?? {};
    // before the walk: SET search_path is for the statements after it
    const shape = shapeOf(raw.stmt, this.names, this.relations);
    here.kind = kindOf(tag, node);
    this.#top(tag, node);
    if (this.#written !== null) here.where = this.#written;
    this.#generated();
    return {
      index: here.index,
      parent: null,
      kind: here.kind,
      class: SQL_KINDS[here.kind],
      span: this.#span(raw),
      shape,
      where: here.where,
      limit: here.limit,
      locking: here.locking,
      columns: here.columns,
      output: here.output.map(({ name, sources, direct }) => ({
        name,
        sources: sources.length === 0 && name === '*' ? ['?'] : [...sources],
        direct,
      })),
      functions: here.functions,
      explain: here.explain,
      ...(here.copy === undefined ? {} : { copy: here.copy }),
    };
  }

  #top(tag: string, node: Fields): void {
    const { here } = this;
    if (tag === 'ExplainStmt') {
      here.explain = explainOf(node);
      const inner = fields(node['query']) ?? {};
      this.#top(tagOf(inner) ?? '', fields(inner[tagOf(inner) ?? '']) ?? {});
      here.output = [{ name: 'QUERY PLAN', sources: ['?'], direct: false }];
      return;
    }
    if (tag === 'SelectStmt') {
      here.where = whereOfSelect(node);
      here.limit = limitOf(node);
    }
    if (tag === 'SelectStmt' || WRITES[tag] !== undefined) here.output = this.query({ [tag]: node }, 'output', new Scope(null)) ?? [];
    else this.utility(tag, node);
  }

  /** A generated column is a use of the columns that it is computed from. */
  #generated(): void {
    const { index } = this.relations;
    if (index === null) return;
    for (const { column, in: use, confidence } of this.here.columns) {
      const at = column.lastIndexOf('.');
      const relation = index.byName.get(column.slice(0, at).replace('.', '\0'));
      const generated = relation?.columns.find((each) => each.name === column.slice(at + 1))?.generatedFrom ?? [];
      for (const from of relation?.columns ?? []) {
        if (use !== 'write' && generated.includes(from.attnum)) this.here.column(`${column.slice(0, at)}.${from.name}`, use, confidence);
      }
    }
  }

  /** Leading blanks are no part of it; comments are. */
  #span(raw: RawStatement): SqlStatement['span'] {
    let start = raw.stmt_location ?? 0;
    const end = raw.stmt_len === undefined ? this.bytes.length : start + raw.stmt_len;
    while (start < end && BLANKS.has(this.bytes[start] ?? 0)) start += 1;
    return { start, end };
  }

  expression: Walk['expression'] = (value, use, scope) => expression(this, value, use, scope);

  query: Walk['query'] = (value, use, scope): readonly OutputColumn[] | null => {
    const node = fields(value) ?? {};
    const tag = tagOf(node) ?? '';
    const inner = fields(node[tag]) ?? {};
    if (tag === 'SelectStmt') return select(this, inner, use, scope);
    const write = WRITES[tag];
    if (write !== undefined) return write(this, inner, use, scope);
    this.utility(tag, inner);
    return null;
  };

  utility: Walk['utility'] = (tag, node) => {
    if (tag in WRITES || tag === 'SelectStmt') this.query({ [tag]: node }, 'other', new Scope(null));
    else if (!utility(this, tag, node)) this.unclear('unknown_statement', tag === '' ? 'no statement' : tag);
  };

  touch: Walk['touch'] = (rangeVar, verb) => {
    const resolved = this.relations.resolve(rangeVar);
    this.reach(resolved, verb);
    return resolved;
  };

  reach: Walk['reach'] = (resolved, verb) => reach(this.report, this.here.index, resolved, this.#planned(verb), this.relations.index);

  effect: Walk['effect'] = (verb, object, confidence = 'named') => this.report.effect(this.here.index, this.#planned(verb), object, confidence);

  unclear: Walk['unclear'] = (code, detail) => this.report.unclear(this.here.index, code, detail);

  wrote: Walk['wrote'] = (where) => {
    this.#written = this.#written === null ? where : weakest(this.#written, where);
  };

  #planned(verb: Verb): Verb {
    return this.here.explain === 'plan' && NOT_PLANNED.has(verb) ? 'read' : verb;
  }
}

/** The lexer's: blank, tab, line feed, carriage return, form feed, vertical tab. */
const BLANKS = new Set([32, 9, 10, 13, 12, 11]);
