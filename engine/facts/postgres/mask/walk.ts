import type { Fields } from '../parser.ts';
import type { MaskedRelation, MaskPlan, Verdict } from './plan.ts';
import { refuseTainted } from './plan.ts';
import { REFUSALS } from './refusal.ts';
import { type Names, resolve, resolveRead } from './resolve.ts';
import { columnParts, type ColumnPart, isFields, isRangeVar, list, type RangeVar, STAR, stringOf, textOf, unwrap } from './tree.ts';

/** One reference in FROM to a relation with masked columns: the node that must be replaced. */
export interface Site {
  readonly node: Fields;
  readonly range: RangeVar;
  readonly masked: MaskedRelation;
  /** The name under which the columns are referred to. */
  readonly refname: string;
  readonly frame: Frame;
  /** `TABLE t`: its star, whose place in the text changes. */
  readonly star: readonly unknown[] | null;
}

/** One SELECT or DML statement, as far as names of columns are looked up in it. */
export interface Frame {
  readonly parent: Frame | null;
  readonly kind: 'select' | 'write';
  readonly fields: Fields;
  readonly sites: Site[];
  /** The relation that a DML statement writes, if it has masked columns. */
  target: { readonly masked: MaskedRelation; readonly refname: string } | null;
}

export interface ColumnRef {
  readonly parts: readonly ColumnPart[];
  readonly frame: Frame | null;
  readonly returning: boolean;
}

/** The names of CTEs that an unqualified name may mean here. */
export interface Scope {
  readonly parent: Scope | null;
  readonly names: ReadonlySet<string>;
}

/** Walks one statement: finds every read of a relation (MASKING.md §2) and keeps what the later checks need. @throws Refusal */
export class Walk {
  readonly sites: Site[] = [];
  readonly frames: Frame[] = [];
  readonly columns: ColumnRef[] = [];
  /** Relations that a statement names without reading them: targets of utility statements. */
  readonly mentions: Verdict[] = [];
  /** Names in JOIN … USING, and whether a NATURAL join stands over a site. */
  readonly using = new Set<string>();
  natural = false;
  /** Whether the text stores anything: DML, SELECT INTO, CREATE TABLE AS. */
  writes = false;
  into = false;
  /** Calls of these take the name of a setting. */
  readonly settingCalls: Fields[] = [];

  readonly #plan: MaskPlan;
  readonly #names: Names;
  #frame: Frame | null = null;
  #returning = false;

  constructor(plan: MaskPlan, names: Names) {
    this.#plan = plan;
    this.#names = names;
  }

  /** A query, or anything that holds queries. RangeVars in places where nothing is read are only mentioned. */
  visit(value: unknown, scope: Scope | null): void {
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, scope);
      return;
    }
    if (!isFields(value)) return;
    const node = unwrap(value);
    if (node !== null) return this.#node(node[0], node[1], scope);
    if (isRangeVar(value)) return this.#mention(value);
    for (const child of Object.values(value)) this.visit(child, scope);
  }

  #node(type: string, fields: Fields, scope: Scope | null): void {
    switch (type) {
      case 'SelectStmt':
        return this.#select(fields, scope);
      case 'InsertStmt':
      case 'UpdateStmt':
      case 'DeleteStmt':
      case 'MergeStmt':
        return this.#write(fields, scope);
      case 'RangeVar':
        return this.#mention(fields as Fields & RangeVar);
      case 'ColumnRef':
        this.columns.push({ parts: columnParts(fields), frame: this.#frame, returning: this.#returning });
        return;
      case 'FuncCall':
        this.#call(fields);
        break;
      case 'IntoClause':
        this.#into(fields);
        return;
      case 'JoinExpr':
      case 'RangeTableSample':
        // only #from knows what they mean
        throw REFUSALS.mismatch(`an unexpected ${type}`);
    }
    for (const child of Object.values(fields)) this.visit(child, scope);
  }

  #select(fields: Fields, outer: Scope | null): void {
    const scope = this.#with(fields['withClause'], outer);
    const arms = [fields['larg'], fields['rarg']].filter(isFields);
    const frame = this.#enter('select', fields);
    for (const arm of arms) this.#select(arm, scope);
    if (isFields(fields['intoClause'])) this.#into(fields['intoClause']);
    for (const item of list(fields['fromClause'])) this.#from(item, scope, frame);
    this.#rest(fields, SELECT_DONE, scope);
    this.#leave(frame);
  }

  #write(fields: Fields, outer: Scope | null): void {
    this.writes = true;
    // the WITH of a DML statement covers its sub-queries, never its target
    const scope = this.#with(fields['withClause'], outer);
    const frame = this.#enter('write', fields);
    const range = fields['relation'];
    if (!isRangeVar(range)) throw REFUSALS.mismatch('a write without a target');
    const target = resolve(this.#plan, this.#names, range);
    if (target?.is === 'tainted') refuseTainted(target);
    if (target?.is === 'masked' && target.relation.hasRules)
      throw REFUSALS.tainted(target.masked.qualified, 'has rules that read what is written to it');
    if (target?.is === 'masked') frame.target = { masked: target.masked, refname: range.alias?.aliasname ?? range.relname };
    for (const item of [...list(fields['fromClause']), ...list(fields['usingClause'])]) this.#from(item, scope, frame);
    if (fields['sourceRelation'] !== undefined) this.#from(fields['sourceRelation'], scope, frame);
    this.#rest(fields, WRITE_DONE, scope);
    this.#returning = true;
    this.visit(fields['returningList'], scope);
    this.#returning = false;
    this.#leave(frame);
  }

  #rest(fields: Fields, done: ReadonlySet<string>, scope: Scope | null): void {
    for (const [key, child] of Object.entries(fields)) if (!done.has(key)) this.visit(child, scope);
  }

  #enter(kind: Frame['kind'], fields: Fields): Frame {
    const frame: Frame = { parent: this.#frame, kind, fields, sites: [], target: null };
    this.frames.push(frame);
    this.#frame = frame;
    return frame;
  }

  #leave(frame: Frame): void {
    this.#frame = frame.parent;
  }

  /** Non-recursive: entry n sees 1…n-1 and outer ones, never itself. RECURSIVE: all see all, forward too. */
  #with(clause: unknown, outer: Scope | null): Scope | null {
    if (!isFields(clause)) return outer;
    const entries = list(clause['ctes']).map((entry) => unwrap(entry)?.[1] ?? {});
    const name = (entry: Fields): string => textOf(entry, 'ctename');
    if (clause['recursive'] === true) {
      const scope = { parent: outer, names: new Set(entries.map(name)) };
      for (const entry of entries) this.#cte(entry, scope);
      return scope;
    }
    let scope = outer;
    for (const entry of entries) {
      this.#cte(entry, scope);
      scope = { parent: scope, names: new Set([name(entry)]) };
    }
    return scope;
  }

  /** A CTE sees no columns of the query that it belongs to, nor is it part of its RETURNING. */
  #cte(entry: Fields, scope: Scope | null): void {
    const returning = this.#returning;
    this.#returning = false;
    this.visit(Object.values(entry), scope);
    this.#returning = returning;
  }

  /** An item of FROM: the only place where a RangeVar is a read. */
  #from(item: unknown, scope: Scope | null, frame: Frame): void {
    const node = unwrap(item);
    if (node === null) throw REFUSALS.mismatch('an unexpected item in FROM');
    const [type, fields] = node;
    if (type === 'RangeVar') return this.#read(item as Fields, fields as Fields & RangeVar, scope, frame);
    if (type === 'JoinExpr') return this.#join(fields, scope, frame);
    if (type === 'RangeTableSample') {
      const before = frame.sites.length;
      this.#from(fields['relation'], scope, frame);
      const sampled = frame.sites[before];
      if (sampled !== undefined) throw REFUSALS.tableSample(sampled.masked.qualified);
      this.#rest(fields, SAMPLE_DONE, scope);
      return;
    }
    this.visit(item, scope);
  }

  #join(fields: Fields, scope: Scope | null, frame: Frame): void {
    const before = frame.sites.length;
    this.#from(fields['larg'], scope, frame);
    this.#from(fields['rarg'], scope, frame);
    if (frame.sites.length > before) {
      if (fields['isNatural'] === true) this.natural = true;
      for (const name of list(fields['usingClause'])) this.using.add(stringOf(name) ?? '');
    }
    this.#rest(fields, JOIN_DONE, scope);
  }

  #read(node: Fields, range: RangeVar & Fields, scope: Scope | null, frame: Frame): void {
    if (range.schemaname === undefined && range.catalogname === undefined && inScope(scope, range.relname)) return;
    const verdict = resolveRead(this.#plan, this.#names, range);
    if (verdict?.is !== 'masked') return;
    const star = isTableCommand(frame.fields) ? list(frame.fields['targetList']) : null;
    const site: Site = { node, range, masked: verdict.masked, refname: range.alias?.aliasname ?? range.relname, frame, star };
    this.sites.push(site);
    frame.sites.push(site);
  }

  /** A relation named where it is not read: unknown ones are the server's business. */
  #mention(range: RangeVar & Fields): void {
    if (this.#frame !== null) throw REFUSALS.mismatch(`${range.relname} in an unexpected place`);
    let verdict: Verdict | null = null;
    try {
      verdict = resolve(this.#plan, this.#names, range);
    } catch (refusal) {
      if (!(refusal instanceof Error) || (refusal as { code?: string }).code !== 'MASK_RELATION_UNKNOWN') throw refusal;
    }
    if (verdict !== null && verdict.is !== 'clean') this.mentions.push(verdict);
  }

  #into(fields: Fields): void {
    this.writes = true;
    this.into = true;
    const range = fields['rel'];
    if (isRangeVar(range)) this.created(range);
  }

  /** A relation that the statement creates: a temporary one may not stand before one that is known. */
  created(range: RangeVar): void {
    const temporary = range.relpersistence === 't' || range.schemaname === 'pg_temp';
    if (temporary && this.#plan.named(range.relname).size > 0) throw REFUSALS.shadow(range.relname);
  }

  #call(fields: Fields): void {
    const name = columnNames(fields['funcname']).at(-1);
    if (name === 'current_setting' || name === 'set_config') this.settingCalls.push(fields);
  }
}

/** `withClause`, FROM and the arms are walked first; lockedRels are aliases, not relations. */
const SELECT_DONE: ReadonlySet<string> = new Set(['withClause', 'larg', 'rarg', 'fromClause', 'intoClause', 'lockingClause']);
const WRITE_DONE: ReadonlySet<string> = new Set(['withClause', 'relation', 'fromClause', 'usingClause', 'sourceRelation', 'returningList']);
const SAMPLE_DONE: ReadonlySet<string> = new Set(['relation']);
const JOIN_DONE: ReadonlySet<string> = new Set(['larg', 'rarg', 'usingClause', 'alias', 'join_using_alias']);

function inScope(scope: Scope | null, name: string): boolean {
  for (let at = scope; at !== null; at = at.parent) if (at.names.has(name)) return true;
  return false;
}

/** The grammar gives the star of `TABLE t` no place in the text. */
function isTableCommand(select: Fields): boolean {
  const items = list(select['targetList']);
  const value = unwrap(unwrap(items[0])?.[1]['val']);
  return items.length === 1 && value?.[0] === 'ColumnRef' && value[1]['location'] === -1 && columnParts(value[1])[0] === STAR;
}

export function columnNames(names: unknown): readonly string[] {
  return list(names).map((name) => stringOf(name) ?? '');
}
