/** What the names of a statement mean at the target: asked in SQL, read into lines that a reviewer reads and an approval is bound to (A2). */
import { createHash } from 'node:crypto';
import type { DraftEstimate } from '#client/approvals';
import { LIMITS } from '#enforcers/common/limits';
import type { Lock, Survey } from '#enforcers/common/survey';
import { InterlockError } from '#schemas/errors';
import type { SqlFacts } from '#schemas/sql-facts';
import { surveySql, type AskedName } from './survey-sql.ts';

/** What `surveySql` answers. */
export interface SurveyDocument {
  readonly relations: readonly SurveyedRelation[] | null;
  readonly functions: readonly SurveyedFunction[] | null;
  /** Operators and casts that schemas of the search_path add to the built-in ones: any of them may take the place of one. */
  readonly overloads: { readonly count: number; readonly hash: string | null; readonly code: number };
  readonly settings: Readonly<Record<string, string>>;
}

interface SurveyedRelation {
  readonly oid: string;
  readonly kind: string;
  readonly schema: string;
  readonly name: string;
  /** false: reached through another one. */
  readonly named: boolean;
  readonly definition: string;
  readonly lock: string | null;
}

interface SurveyedFunction {
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  readonly arguments: number;
  /** SECURITY DEFINER. */
  readonly definer: boolean;
  readonly how: 'called' | 'inside' | 'trigger';
  readonly body: string;
}

/** The question for one statement; the same over the gateway's connection and over the session's. @throws InterlockError BUDGET_TEXT */
export function questionOf(facts: SqlFacts): string {
  const relations = relationsOf(facts);
  const functions = functionsOf(facts);
  if (relations.length + functions.length > LIMITS.surveyNames) {
    throw new InterlockError('BUDGET_TEXT', `names more than ${LIMITS.surveyNames} relations and functions: nobody could see what they mean`);
  }
  return surveySql(relations, functions);
}

/** Each name with its schema as the facts have it, and alone: which of both was written they do not say. */
function relationsOf(facts: SqlFacts): AskedName[] {
  const named = facts.effects.filter(({ object }) => object.kind === 'table' || object.kind === 'view' || object.kind === 'other');
  return distinct(named.map(({ object }) => ({ schema: object.schema ?? null, name: object.name })));
}

/** `public.lower`: any dot may be the one between schema and name. What operators and casts mean is asked for all of them at once. */
function functionsOf(facts: SqlFacts): AskedName[] {
  const names = facts.statements.flatMap(({ functions }) => functions.map(({ name }) => name));
  const called = facts.effects.filter(({ object }) => object.kind === 'function').map(({ object }) => object.qualified);
  return distinct(
    [...names, ...called].flatMap((name) => {
      const parts = name.split('.');
      return parts.slice(1).map((_, at) => ({ schema: parts.slice(0, at + 1).join('.'), name: parts.slice(at + 1).join('.') }));
    }),
  );
}

function distinct(names: readonly AskedName[]): AskedName[] {
  return [...new Map(names.map((one) => [`${one.schema ?? ''}\0${one.name}`, one])).values()];
}

/** @throws InterlockError CATALOG_UNAVAILABLE: it is not what was asked for */
export function documentOf(answer: string | null | undefined): SurveyDocument {
  try {
    const document = JSON.parse(answer ?? '') as SurveyDocument;
    if (typeof document.settings === 'object' && typeof document.overloads === 'object') return document;
  } catch (error) {
    throw new InterlockError('CATALOG_UNAVAILABLE', 'the target did not say what the names of the statement mean', { cause: error });
  }
  throw new InterlockError('CATALOG_UNAVAILABLE', 'the target did not say what the names of the statement mean');
}

export function surveyOf(document: SurveyDocument, estimate: DraftEstimate | null): Survey {
  return { objects: objectsOf(document), estimate, locks: locksOf(document) };
}

/** `table public.payments (oid 16402, definition sha256:5891b5b522d5df08)`; what is only reached is counted when it is too much to be read. */
export function objectsOf({ relations, functions, overloads }: SurveyDocument): string[] {
  const named = (relations ?? []).filter((one) => one.named).map(relationLine);
  const called = (functions ?? []).filter((one) => one.how === 'called').map(functionLine);
  const beyond = [
    ...(relations ?? []).filter((one) => !one.named).map((one) => `behind it: ${relationLine(one)}`),
    ...(functions ?? []).filter((one) => one.how !== 'called').map((one) => `behind it: ${functionLine(one)}`),
  ];
  return [...named, ...called, ...addedLines(overloads), ...counted(beyond)].toSorted((a, b) => (a < b ? -1 : 1));
}

/** What the names of the text mean, without how it is defined: what the statement itself may change is not in it. */
export function meaningsOf({ relations, functions, overloads }: SurveyDocument): string[] {
  const named = (relations ?? [])
    .filter((one) => one.named)
    .map(({ oid, kind, schema, name }) => `${KINDS[kind] ?? 'relation'} ${schema}.${name} (oid ${oid})`);
  const called = (functions ?? []).filter((one) => one.how === 'called').map(functionLine);
  return [...named, ...called, ...addedLines(overloads)];
}

function addedLines({ count, hash }: SurveyDocument['overloads']): readonly string[] {
  return count === 0 ? [] : [`${count} operators and casts that are not built in (sha256:${short(hash ?? '')})`];
}

function counted(lines: readonly string[]): readonly string[] {
  if (lines.length <= LIMITS.surveyLines) return lines;
  return [`behind it: ${lines.length} relations and functions (sha256:${short(createHash('sha256').update(lines.join('\n')).digest('hex'))})`];
}

const KINDS: Readonly<Record<string, string>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
  S: 'sequence',
};

function relationLine({ oid, kind, schema, name, definition }: SurveyedRelation): string {
  return `${KINDS[kind] ?? 'relation'} ${schema}.${name} (oid ${oid}, definition sha256:${short(definition)})`;
}

function functionLine({ oid, schema, name, arguments: count, definer, how, body }: SurveyedFunction): string {
  const rights = definer ? ', with the rights of its owner' : '';
  return `${how === 'trigger' ? 'trigger function' : 'function'} ${schema}.${name}/${count} (oid ${oid}, body sha256:${short(body)}${rights})`;
}

/** 128 bits: enough that nobody finds another definition with the same, and short enough to be read. */
function short(hash: string): string {
  return hash.slice(0, 32);
}

function locksOf({ relations }: SurveyDocument): Lock[] {
  return (relations ?? []).flatMap(({ named, schema, name, lock }) =>
    named && lock !== null ? [{ object: `${quoted(schema)}.${quoted(name)}`, mode: lock }] : [],
  );
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Code of users that planning alone may run; null: none. Triggers only run when rows are written. */
export function codeAtPlanning({ functions, overloads }: SurveyDocument): string | null {
  const found = (functions ?? []).find((one) => one.how !== 'trigger');
  if (found) return `${found.schema}.${found.name}`;
  return overloads.code > 0 ? 'an operator or cast' : null;
}
