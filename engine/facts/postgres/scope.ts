/** Which columns a name in an expression can mean. Where the text does not tell, every candidate counts. */
import type { Confidence, OutputColumn } from '#schemas/sql-facts';

/** One item of FROM. */
export interface Source {
  readonly alias: string;
  /** Schema it can be qualified with; null: an alias or a sub-select. */
  readonly schema: string | null;
  /** Base relation; null: derived. */
  readonly relation: string | null;
  /** What it yields. An entry named `*` stands for columns that are not known one by one; null: nothing is known. */
  readonly outputs: readonly OutputColumn[] | null;
  /** `outputs` is null, but it has the columns of a table. */
  readonly ofTable?: true;
}

export interface CommonTable {
  readonly outputs: readonly OutputColumn[] | null;
}

/** The columns of the row that an output is, where a function is known to give one. */
export const rowsIn = new WeakMap<OutputColumn, readonly string[]>();

export class Scope {
  readonly parent: Scope | null;
  readonly sources: Source[] = [];
  /** Common table expressions that this level adds. */
  readonly tables = new Map<string, CommonTable>();

  constructor(parent: Scope | null) {
    this.parent = parent;
  }

  commonTable(name: string): CommonTable | null {
    return this.tables.get(name) ?? this.parent?.commonTable(name) ?? null;
  }

  /** FROM a, b: by alias, or by schema and name, from the inside out. */
  source(alias: string, schema: string | null = null): Source | null {
    const found = this.sources.find((each) => each.alias === alias && (schema === null || each.schema === schema));
    return found ?? this.parent?.source(alias, schema) ?? null;
  }
}

export interface Meaning {
  readonly columns: readonly string[];
  readonly confidence: Confidence;
  /** It is that column's value itself, whatever sub-selects it passed. */
  readonly direct: boolean;
  /** More than these columns may be in it. */
  readonly unknown: boolean;
}

const NOWHERE: Meaning = { columns: [], confidence: 'unknown', direct: false, unknown: true };
const SYSTEM_COLUMNS = new Set(['ctid', 'xmin', 'xmax', 'cmin', 'cmax', 'tableoid']);

/** `ColumnRef.fields` as names; `*` last for a star with a qualifier. */
export function meaningOf(parts: readonly string[], scope: Scope): Meaning {
  const [first = '', second, third] = parts;
  if (parts.length === 1) return bare(first, scope);
  if (parts.length === 2 && second !== undefined) {
    const source = scope.source(first);
    if (source) return inSource(source, second);
    return NOWHERE;
  }
  const [schema, alias, column] = parts.length === 3 ? [first, second, third] : [second, third, parts[3]];
  const source = scope.source(alias ?? '', schema ?? null);
  return source && column !== undefined ? inSource(source, column) : NOWHERE;
}

function inSource(source: Source, column: string): Meaning {
  if (column === '*') return { columns: starOf(source), confidence: 'named', direct: true, unknown: false };
  const found = lookUp(source, column);
  return {
    columns: found?.columns ?? [],
    confidence: found === null ? 'unknown' : 'named',
    direct: found?.direct ?? false,
    unknown: found?.unknown ?? true,
  };
}

function bare(name: string, scope: Scope): Meaning {
  const columns = new Set<string>();
  let candidates = 0;
  let direct = true;
  let unknown = false;
  for (let level: Scope | null = scope; level !== null; level = level.parent) {
    const found = level.sources.map((source) => lookUp(source, name) ?? wholeRow(source, name)).filter((each) => each !== null);
    const certain = found.filter((each) => each.certain);
    const counted = (certain.length > 0 ? certain : found).filter((each) => each.columns.length > 0 || each.unknown);
    for (const each of counted) for (const column of each.columns) columns.add(column);
    direct &&= counted.every((each) => each.direct);
    unknown ||= counted.some((each) => each.unknown);
    candidates += certain.length > 0 ? 1 : counted.length;
    if (certain.length > 0) break;
  }
  return {
    columns: [...columns],
    confidence: candidates > 1 ? 'ambiguous' : candidates === 1 ? 'named' : 'unknown',
    direct: direct && columns.size === 1,
    unknown: unknown || candidates === 0,
  };
}

interface Found {
  readonly columns: readonly string[];
  readonly certain: boolean;
  readonly direct: boolean;
  readonly unknown: boolean;
}

function lookUp(source: Source, name: string): Found | null {
  if (source.relation !== null && SYSTEM_COLUMNS.has(name))
    return { columns: [`${source.relation}.${name}`], certain: false, direct: true, unknown: false };
  if (source.outputs === null) return { columns: [], certain: false, direct: false, unknown: false };
  const exact = source.outputs.filter((output) => output.name === name);
  if (exact.length > 0)
    return { columns: exact.flatMap(known), certain: true, direct: exact.every((output) => output.direct), unknown: exact.some(isUnknown) };
  const open = source.outputs.filter((output) => output.name === '*');
  if (open.length === 0) return null;
  const columns = open.flatMap(known).map((column) => (column.endsWith('.*') ? `${column.slice(0, -1)}${name}` : column));
  // a name that equals the alias may be the whole row
  return {
    columns: source.alias === name ? [...columns, ...starOf(source)] : columns,
    certain: false,
    direct: open.every((output) => output.direct),
    unknown: open.some(isUnknown),
  };
}

/** `SELECT c FROM customers c`. */
function wholeRow(source: Source, name: string): Found | null {
  return source.alias === name ? { columns: starOf(source), certain: true, direct: false, unknown: (source.outputs ?? []).some(isUnknown) } : null;
}

export function starOf(source: Source): string[] {
  const columns = (source.outputs ?? []).flatMap(known);
  return [...new Set(source.relation === null ? columns : [`${source.relation}.*`, ...columns])];
}

function isUnknown(output: OutputColumn): boolean {
  return output.sources.includes('?');
}

function known(output: OutputColumn): readonly string[] {
  return output.sources.filter((column) => column !== '?');
}

/** `AS t(a, b)`: the first columns get new names; which ones they are is lost after a star. */
export function renamed(outputs: readonly OutputColumn[] | null, names: readonly string[]): readonly OutputColumn[] | null {
  if (names.length === 0) return outputs;
  if (outputs === null) return null;
  const star = outputs.findIndex((output) => output.name === '*');
  const certain = star < 0 ? outputs.length : star;
  const all = [...new Set(outputs.flatMap((output) => output.sources))];
  const fresh = names.map(
    (name, at): OutputColumn => (at < certain ? named(outputs[at] as OutputColumn, name) : { name, sources: all, direct: false }),
  );
  return [...fresh, ...outputs.slice(star < 0 ? names.length : Math.min(names.length, star))];
}

function named(output: OutputColumn, name: string): OutputColumn {
  const fresh = { ...output, name };
  const row = rowsIn.get(output);
  if (row !== undefined) rowsIn.set(fresh, row);
  return fresh;
}

/** What a ColumnRef of one or two names stands for, where it is the output of a sub-select. */
export function outputOf(parts: readonly string[], scope: Scope | null): OutputColumn | null {
  const [name = '', alias] = [...parts].reverse();
  if (scope === null || parts.length > 2) return null;
  const sources = alias === undefined ? scope.sources : [scope.source(alias)];
  const found = sources.flatMap((source) => source?.outputs?.filter((output) => output.name === name) ?? []);
  return found.length === 1 ? (found[0] ?? null) : alias === undefined && found.length === 0 ? outputOf(parts, scope.parent) : null;
}
