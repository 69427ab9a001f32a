import type { MaskPlan, Verdict } from './plan.ts';
import { refuseTainted } from './plan.ts';
import { REFUSALS } from './refusal.ts';
import type { RangeVar } from './tree.ts';

/** What an unqualified name is looked up in. `path` null: not known, or changed by the text itself. */
export interface Names {
  readonly database: string;
  readonly path: readonly string[] | null;
  /** What `$user` stands for, where it is known. */
  readonly role: string | null;
}

/** Built-in relations that show raw values of tables, or statements of other sessions, whoever owns them. */
const SYSTEM_REFUSED: ReadonlySet<string> = new Set([
  'pg_statistic',
  'pg_statistic_ext_data',
  'pg_stats',
  'pg_stats_ext',
  'pg_stats_ext_exprs',
  'pg_largeobject',
  'pg_stat_activity',
  'pg_stat_statements',
  'pg_prepared_statements',
  'pg_cursors',
]);

/** What a RangeVar that is read names (MASKING.md §2); null for a relation of the system. @throws Refusal */
export function resolveRead(plan: MaskPlan, names: Names, range: RangeVar): Verdict | null {
  const verdict = resolve(plan, names, range);
  if (verdict?.is === 'tainted') refuseTainted(verdict);
  if (verdict !== null && SYSTEM_REFUSED.has(verdict.relation.name)) throw REFUSALS.systemRelation(verdict.relation.name);
  return verdict;
}

/** The same without judging what was found. */
export function resolve(plan: MaskPlan, names: Names, range: RangeVar): Verdict | null {
  const name = range.relname;
  const shown = range.schemaname === undefined ? name : `${range.schemaname}.${name}`;
  if (range.catalogname !== undefined && range.catalogname !== names.database) throw REFUSALS.unknown(`${range.catalogname}.${shown}`);
  if (range.schemaname === undefined) return unqualified(plan, names, name);
  if (range.schemaname === 'pg_catalog' || range.schemaname === 'information_schema') return system(name);
  const verdict = plan.find(range.schemaname, name);
  if (verdict === null) throw REFUSALS.unknown(shown);
  return verdict;
}

function system(name: string): null {
  if (SYSTEM_REFUSED.has(name)) throw REFUSALS.systemRelation(name);
  return null;
}

/**
 * A schema of the path counts only where the role may use it, which is not known here: so several bearers of a name on the path are
 * ambiguous as soon as one of them is not clean.
 */
function unqualified(plan: MaskPlan, names: Names, name: string): Verdict | null {
  const bearers = plan.named(name);
  if (bearers.size === 0) {
    // pg_catalog stands before the path; nothing else does but pg_temp, whose relations are unknown
    if (plan.isSystem(name) || names.path?.includes('information_schema') === true) return system(name);
    throw REFUSALS.unknown(name);
  }
  if (plan.isSystem(name)) system(name);
  const reachable = names.path === null ? [...bearers.values()] : onPath(bearers, names.path, names.role);
  const [first] = reachable;
  if (first === undefined) throw REFUSALS.unknown(name);
  if (reachable.length > 1 && reachable.some((verdict) => verdict.is !== 'clean')) throw REFUSALS.ambiguous(name);
  return first;
}

function onPath(bearers: ReadonlyMap<string, Verdict>, path: readonly string[], role: string | null): readonly Verdict[] {
  const found = new Set<Verdict>();
  for (const entry of path) {
    if (entry === '$user' && role === null) {
      for (const verdict of bearers.values()) if (!path.includes(verdict.relation.schema)) found.add(verdict);
      continue;
    }
    const verdict = bearers.get(entry === '$user' ? (role as string) : entry);
    if (verdict !== undefined) found.add(verdict);
  }
  return [...found];
}

const NAME_BYTES_MAX = 63;

/** The value of search_path as SHOW prints it; null when it cannot be read. https://www.postgresql.org/docs/current/runtime-config-client.html */
export function parsePath(value: string | undefined): readonly string[] | null {
  if (value === undefined) return null;
  const entries: string[] = [];
  if (value.trim() === '') return entries;
  const entry = /\s*(?:"((?:[^"]|"")*)"|([^\s",]+))\s*(,|$)/y;
  for (;;) {
    const match = entry.exec(value);
    if (match === null) return null;
    const name = match[1] === undefined ? (match[2] as string).toLowerCase() : match[1].replaceAll('""', '"');
    if (Buffer.byteLength(name) > NAME_BYTES_MAX) return null;
    entries.push(name);
    if (match[3] === '') return entries;
  }
}
