/**
 * What an argument of a tool is itself: SQL in it is judged once more, as a statement on the target that it belongs to, by that target's policies
 * (SECURITY §1.9). The strictest of both counts. What it reads is masked in it, as on its own target: the call leaves with the rewritten statement
 * (ADR 30), and where that cannot be had it is refused.
 */
import type { Rewrite } from '#client/decision-service';
import { writeMcpMessage } from '#client/mcp-message';
import type { Catalog } from '#schemas/catalog';
import type { Judgement } from '#schemas/decision';
import type { Resource } from '#schemas/decision-request';
import { type Facts, isMcp } from '#schemas/facts';
import type { ArgumentKind } from '#schemas/knowledge';
import type { ArgumentFacts } from '#schemas/mcp-facts';
import type { SqlFacts } from '#schemas/sql-facts';
import { type CombineContext, type Combined, combine, ownDenial } from './combine.ts';
import type { ReadContext } from './ports.ts';
import type { MaskedForm } from './statement.ts';

export interface NestedStatement {
  readonly argument: string;
  /** null: its target is not known here. */
  readonly resource: Resource | null;
  readonly facts: SqlFacts;
  readonly text: Uint8Array;
}

/** What one of them becomes. */
export interface NestedForm {
  readonly argument: string;
  readonly rewrite: Rewrite;
}

/** A call with its statements: what counts, and which of them leave rewritten. */
export interface NestedJudged {
  readonly combined: Combined;
  readonly forms: readonly NestedForm[];
}

const NONE: readonly NestedStatement[] = [];

/** Of an argument that names no target there is nothing to judge by but its facts. */
export function nestedIn(facts: Facts, { knowledge }: ReadContext): readonly NestedStatement[] {
  if (!isMcp(facts) || facts.nested.length === 0 || knowledge?.kind !== 'mcp') return NONE;
  const kinds = knowledge.tools.find(({ name }) => name === facts.tool?.name)?.arguments ?? [];
  return facts.nested.flatMap((nested) => statementOf(nested, facts.arguments, kinds));
}

function statementOf({ argument, sql }: ArgumentFacts, given: Readonly<Record<string, unknown>>, kinds: readonly ArgumentKind[]): NestedStatement[] {
  const kind = kinds.find((one) => one.argument === argument);
  if (sql === undefined || kind?.target === undefined) return [];
  return [{ argument, resource: kind.resource ?? null, facts: sql, text: Buffer.from(valueAt(given, argument), 'utf8') }];
}

/** `$.query.sql` */
function valueAt(given: Readonly<Record<string, unknown>>, argument: string): string {
  const value = argument
    .split('.')
    .slice(1)
    .reduce<unknown>(
      (at, key) => (typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined),
      given,
    );
  return typeof value === 'string' ? value : '';
}

/** Where the configuration names no database, it is the one by whose catalog the statement was read. */
export function inDatabase(resource: Resource, catalog: Catalog | null): Resource {
  const { database = catalog?.database } = resource.properties;
  return database === undefined ? resource : { ...resource, properties: { ...resource.properties, database } };
}

/** A call, and what one of its arguments is by itself. */
export function withNested({ combined: call, forms }: NestedJudged, argument: string, nested: NestedJudged, context: CombineContext): NestedJudged {
  const { judgement, answers } = nested.combined;
  if (judgement.effect !== 'deny') {
    const combined = call.judgement.effect === 'deny' ? call : combine([...call.answers, ...answers], context);
    return { combined, forms: [...forms, ...nested.forms] };
  }
  const said = judgement.reasons.map((reason) => ({ ...reason, reason: `its ${argument}: ${reason.reason}` }));
  const own = call.judgement.effect === 'deny' ? call.judgement.reasons : [];
  return { combined: denial({ ...judgement, reasons: [...own, ...said] }), forms: [] };
}

export function unchanged(combined: Combined): NestedJudged {
  return { combined, forms: [] };
}

export function denied(judgement: Judgement): NestedJudged {
  return unchanged(denial(judgement));
}

/** The call with its statements as they are masked. */
export function rewrittenCall(text: Uint8Array, forms: readonly NestedForm[]): Rewrite {
  const { method, params } = JSON.parse(Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('utf8')) as {
    readonly method: string;
    readonly params: Readonly<Record<string, unknown>>;
  };
  const given = forms.reduce<unknown>(
    (args, { argument, rewrite }) => replaced(args, argument.split('.').slice(1), Buffer.from(rewrite.text).toString('utf8')),
    params['arguments'],
  );
  const masked = [...new Set(forms.flatMap(({ rewrite }) => rewrite.masked))].toSorted();
  return { text: writeMcpMessage({ method, params: { ...params, arguments: given } }), masked, toOriginal: () => null };
}

/** The path is there: a statement was read at its end. */
function replaced(node: unknown, [key, ...rest]: readonly string[], value: string): unknown {
  if (key === undefined) return value;
  const members = node as Readonly<Record<string, unknown>>;
  return { ...members, [key]: replaced(members[key], rest, value) };
}

export function unknownTarget({ revision }: CombineContext): NestedJudged {
  const reason = 'the target of its statement is not known here';
  return denied(ownDenial('NESTED_TARGET', reason, revision, 'Statements in arguments are judged where their target is enforced too.'));
}

/** Its masks cannot be put into it. */
export function unmaskable(form: (MaskedForm & { readonly ok: false }) | null, { revision }: CombineContext): NestedJudged {
  if (form === null) return denied(ownDenial('MASK_IMPOSSIBLE', 'its masks could not be applied', revision, 'Ask the database’s own target.'));
  return denied(ownDenial(form.code, form.reason, revision, form.hint));
}

/** It reads no masked column. */
export function withoutMasks({ answers }: Combined, context: CombineContext): Combined {
  return combine(
    answers.map((answer) => ({ ...answer, mask: answer.mask.filter(({ columns = [] }) => columns.length === 0) })),
    context,
  );
}

function denial(judgement: Judgement): Combined {
  return { judgement: { ...judgement, effect: 'deny', obligations: [], approval: null }, approved: null, mask: null, masks: [], answers: [] };
}
