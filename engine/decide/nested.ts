/**
 * What an argument of a tool is itself: SQL in it is judged once more, as a statement on the target that it belongs to, by that target's policies
 * (SECURITY §1.9). The strictest of both counts. Nothing of it is rewritten: where its masks would have to be, the call is refused.
 */
import type { Judgement } from '#schemas/decision';
import type { Resource } from '#schemas/decision-request';
import { type Facts, isMcp } from '#schemas/facts';
import type { ArgumentKind } from '#schemas/knowledge';
import type { ArgumentFacts } from '#schemas/mcp-facts';
import type { SqlFacts } from '#schemas/sql-facts';
import { type CombineContext, type Combined, combine, ownDenial } from './combine.ts';
import type { ReadContext } from './ports.ts';

export interface NestedStatement {
  readonly argument: string;
  /** null: its target is not known here. */
  readonly resource: Resource | null;
  readonly facts: SqlFacts;
  readonly text: Uint8Array;
}

/** Of an argument that names no target there is nothing to judge by but its facts. */
export function nestedIn(facts: Facts, { knowledge }: ReadContext): readonly NestedStatement[] {
  if (!isMcp(facts) || facts.nested.length === 0 || knowledge?.kind !== 'mcp') return [];
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

/** A call, and what one of its arguments is by itself. */
export function withNested(call: Combined, argument: string, nested: Combined, context: CombineContext): Combined {
  if (nested.judgement.effect !== 'deny') {
    return call.judgement.effect === 'deny' ? call : combine([...call.answers, ...nested.answers], context);
  }
  const said = nested.judgement.reasons.map((reason) => ({ ...reason, reason: `its ${argument}: ${reason.reason}` }));
  const own = call.judgement.effect === 'deny' ? call.judgement.reasons : [];
  return denial({ ...nested.judgement, reasons: [...own, ...said] });
}

export function unknownTarget({ revision }: CombineContext): Combined {
  return denial(ownDenial('NESTED_TARGET', 'the target of its statement is not known here', revision));
}

/** Its masks are for rows that pass the gateway, and these do not. */
export function unmaskable({ revision }: CombineContext): Combined {
  return denial(
    ownDenial(
      'MASK_IMPOSSIBLE',
      'it reads masked columns, and what a tool answers cannot be masked by column',
      revision,
      'Ask the database’s own target.',
    ),
  );
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
