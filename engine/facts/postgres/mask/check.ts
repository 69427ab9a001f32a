import type { Fields } from '../parser.ts';
import { REFUSALS } from './refusal.ts';
import { type ColumnPart, isFields, list, STAR, stringOf, unwrap } from './tree.ts';
import type { ColumnRef, Frame, Site, Walk } from './walk.ts';

/** What a walked statement must not hold although each of its relations can be substituted. @throws Refusal */
export function checkQuery(walk: Walk): void {
  checkSettings(walk);
  if (walk.into && walk.sites.length > 0) throw REFUSALS.laundering('SELECT INTO or CREATE TABLE AS');
  for (const column of walk.columns) checkColumn(column, walk);
  for (const frame of walk.frames) if (frame.sites.length > 0) checkGroupBy(frame);
  if (walk.writes) checkWrites(walk);
}

const SYSTEM_COLUMNS: ReadonlySet<string> = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

function checkColumn(column: ColumnRef, walk: Walk): void {
  const { parts } = column;
  const last = parts.at(-1);
  if (parts.length >= 3) {
    const [schema, table] = [parts.at(-3), parts.at(-2)];
    const site = walk.sites.find(({ range, masked }) => range.alias === undefined && range.relname === table && masked.relation.schema === schema);
    if (site !== undefined) throw REFUSALS.threeParts(site.masked.qualified, last === STAR ? '*' : String(last));
  }
  if (typeof last === 'string' && SYSTEM_COLUMNS.has(last) && reaches(column, parts, walk)) throw REFUSALS.systemColumn(last);
}

function reaches(column: ColumnRef, parts: readonly ColumnPart[], walk: Walk): boolean {
  if (parts.length > 1) return walk.sites.some((site) => site.refname === parts.at(-2));
  for (let frame = column.frame; frame !== null; frame = frame.parent) if (frame.sites.length > 0) return true;
  return false;
}

/**
 * A plain column of a site beside GROUP BY: legal only by functional dependency on a primary key, which a sub-select does not have. Columns
 * inside calls may be aggregated; what remains wrong there the server itself refuses.
 */
function checkGroupBy(frame: Frame): void {
  const items = list(frame.fields['groupClause']);
  if (items.length === 0) return;
  const outputs = list(frame.fields['targetList']).map((item) => unwrap(item)?.[1] ?? {});
  const grouped = new Set<string>();
  const group = (item: unknown): void => {
    const node = unwrap(item);
    if (node?.[0] === 'ColumnRef') {
      const name = stringOf(list(node[1]['fields']).at(-1));
      if (name === null) return;
      grouped.add(name);
      const alias = outputs.find((output) => output['name'] === name);
      if (alias !== undefined) plainColumns(alias['val'], (parts) => grouped.add(String(parts.at(-1))));
    } else if (node?.[0] === 'A_Const') {
      const position = Number((node[1]['ival'] as Fields | undefined)?.['ival'] ?? 0);
      plainColumns(outputs[position - 1]?.['val'], (parts) => grouped.add(String(parts.at(-1))));
    } else plainColumns(item, (parts) => grouped.add(String(parts.at(-1))));
  };
  items.forEach(group);
  const check = (parts: readonly ColumnPart[]): void => {
    const name = parts.at(-1);
    if (typeof name !== 'string' || grouped.has(name) || parts.length > 2) return;
    const site = frame.sites.find(({ refname }) => parts.length === 1 || refname === parts[0]);
    if (site?.range.alias?.colnames !== undefined) return;
    const owner = frame.sites.find(
      ({ refname, masked }) => (parts.length === 1 || refname === parts[0]) && masked.relation.columns.some((each) => each.name === name),
    );
    if (owner !== undefined) throw REFUSALS.groupBy(name);
  };
  for (const output of outputs) plainColumns(output['val'], check);
  plainColumns(frame.fields['havingClause'], check);
}

/** Column references outside of calls and sub-queries. */
function plainColumns(value: unknown, found: (parts: readonly ColumnPart[]) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) plainColumns(item, found);
    return;
  }
  if (!isFields(value)) return;
  const node = unwrap(value);
  if (node?.[0] === 'FuncCall' || node?.[0] === 'SubLink' || node?.[0].startsWith('Json') === true) return;
  if (node?.[0] === 'ColumnRef') return found(list(node[1]['fields']).map((field) => stringOf(field) ?? STAR));
  for (const child of Object.values(node?.[1] ?? value)) plainColumns(child, found);
}

/** Settings of the gateway hold the key of keyed masks; a computed name could be theirs. */
const GATEWAY_SETTINGS = 'interlock.';

function checkSettings(walk: Walk): void {
  for (const call of walk.settingCalls) {
    const argument = unwrap(list(call['args'])[0]);
    const constant = argument?.[0] === 'A_Const' ? (argument[1]['sval'] as Fields | undefined)?.['sval'] : undefined;
    if (typeof constant !== 'string' || isGatewaySetting(constant)) throw REFUSALS.setting();
  }
}

export function isGatewaySetting(name: string): boolean {
  return name.toLowerCase().startsWith(GATEWAY_SETTINGS);
}

/**
 * A statement that stores something: substituted or not, it must name no masked column, no star and no whole row over a relation that has one.
 * What it reads of FROM is masked anyway (else it would silently store masks); what it reads of its own target is raw.
 */
function checkWrites(walk: Walk): void {
  const targets = walk.frames.filter(({ target }) => target !== null);
  if (targets.length === 0 && walk.sites.length === 0) return;
  const names = new References(targets, walk.sites);
  const refuse = (what: string): never => {
    throw targets.length > 0 ? REFUSALS.targetRead(what) : REFUSALS.laundering(what);
  };
  for (const site of walk.sites) if (site.range.alias?.colnames !== undefined) refuse(`the column names given to ${site.refname}`);
  if (walk.natural) refuse('NATURAL JOIN');
  for (const name of walk.using) if (names.masked.has(name)) refuse(`USING (${name})`);
  for (const column of walk.columns) {
    const what = names.reads(column);
    if (what !== null) refuse(what);
  }
  for (const { fields } of targets) checkTarget(fields, names, refuse);
}

/** Places of a DML statement that read its target without a ColumnRef. */
function checkTarget(fields: Fields, names: References, refuse: (what: string) => never): void {
  if (holds(fields['whereClause'], 'CurrentOfExpr')) refuse('WHERE CURRENT OF');
  const conflict = fields['onConflictClause'];
  const infer = isFields(conflict) ? conflict['infer'] : undefined;
  if (!isFields(infer)) return;
  if (infer['conname'] !== undefined) refuse('ON CONFLICT ON CONSTRAINT');
  for (const element of list(infer['indexElems'])) {
    const name = unwrap(element)?.[1]['name'];
    if (typeof name === 'string' && names.masked.has(name)) refuse(`ON CONFLICT (${name})`);
  }
}

function holds(value: unknown, type: string): boolean {
  if (Array.isArray(value)) return value.some((item) => holds(item, type));
  if (!isFields(value)) return false;
  return Object.entries(value).some(([key, child]) => key === type || holds(child, type));
}

/** By name only, so in doubt it reads. */
class References {
  readonly masked = new Set<string>();
  /** Name in the statement → columns that may be named after it. */
  readonly #relations = new Map<string, ReadonlySet<string>>();

  constructor(targets: readonly Frame[], sites: readonly Site[]) {
    for (const { fields, target } of targets) {
      if (target === null) continue;
      this.#add(target.refname, target.masked, true);
      if (fields['onConflictClause'] !== undefined) this.#add('excluded', target.masked, true);
    }
    for (const { masked, refname } of sites) this.#add(refname, masked, false);
  }

  #add(refname: string, masked: Site['masked'], target: boolean): void {
    for (const name of masked.masks.keys()) this.masked.add(name);
    const open = new Set(masked.relation.columns.map((column) => column.name).filter((name) => !masked.masks.has(name)));
    if (target) for (const name of SYSTEM_COLUMNS) open.add(name);
    const known = this.#relations.get(refname);
    this.#relations.set(refname, known === undefined ? open : new Set([...open].filter((name) => known.has(name))));
  }

  /** What of masked columns this reference may read; null: nothing. */
  reads({ parts, frame, returning }: ColumnRef): string | null {
    const last = parts.at(-1);
    const before = parts.at(-2);
    if (parts.length === 1) {
      if (last === STAR) return this.#bareStar(frame, returning) ? '*' : null;
      const name = last as string;
      return this.masked.has(name) || this.#relations.has(name) ? name : null;
    }
    const open = typeof before === 'string' ? this.#relations.get(before) : undefined;
    if (open === undefined) return null;
    // a name that is no column would call a function with the whole row
    return last === STAR || !open.has(last as string) ? `${String(before)}.${last === STAR ? '*' : String(last)}` : null;
  }

  #bareStar(frame: Frame | null, returning: boolean): boolean {
    if (frame === null) return true;
    return frame.sites.length > 0 || (returning && frame.target !== null);
  }
}
