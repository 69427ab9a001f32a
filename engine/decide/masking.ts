/** From the masks that policies ask for to the rewritten statement, read again. */
import type { Judgement, Mask, Obligation } from '#schemas/decision';
import { isHttp } from '#schemas/facts';
import type { HttpFacts } from '#schemas/http-facts';
import type { McpFacts } from '#schemas/mcp-facts';
import { type Combined, ownDenial } from './combine.ts';
import type { MaskRewriter, ReadContext, FactsReader, RewriteAnswer } from './ports.ts';
import type { MaskedForm, ReadStatement } from './statement.ts';

/** Of one statement: as many sets of masks as sessions with other rights ask for. */
const FORMS_MAX = 16;

export interface MaskingHost {
  readonly facts: FactsReader;
  readonly masks: MaskRewriter;
  statement(text: Uint8Array, facts: ReadStatement['facts'], context: ReadContext): ReadStatement;
}

/** Remembered on the statement by the set of masks. */
export function maskedForm(statement: ReadStatement, columns: Readonly<Record<string, Mask>>, host: MaskingHost): MaskedForm | Promise<MaskedForm> {
  const known = statement.masked.get(columns);
  if (known) return known;
  if (statement.masked.size >= FORMS_MAX) statement.masked.clear();
  const form = makeForm(statement, columns, host);
  statement.masked.set(columns, form);
  if (form instanceof Promise) {
    form.then(
      (done) => statement.masked.set(columns, done),
      () => statement.masked.delete(columns),
    );
  }
  return form;
}

function makeForm(statement: ReadStatement, columns: Readonly<Record<string, Mask>>, host: MaskingHost): MaskedForm | Promise<MaskedForm> {
  const answer = host.masks.rewrite(statement.text, mapOf(columns), statement.context);
  return answer instanceof Promise ? answer.then((done) => readAgain(done, statement, host)) : readAgain(answer, statement, host);
}

/** A judgement's masks are the same object for all its statements, and so is the map: what the rewriter works out of it is found by identity. */
const maps = new WeakMap<object, ReadonlyMap<string, Mask>>();

function mapOf(columns: Readonly<Record<string, Mask>>): ReadonlyMap<string, Mask> {
  let map = maps.get(columns);
  if (!map) maps.set(columns, (map = new Map(Object.entries(columns))));
  return map;
}

function readAgain(answer: RewriteAnswer, original: ReadStatement, host: MaskingHost): MaskedForm | Promise<MaskedForm> {
  if (!answer.ok) return answer;
  const { rewrite } = answer;
  const made = (statement: ReadStatement): MaskedForm => ({ ok: true, rewrite, statement });
  if (rewrite.masked.length === 0) return made(original);
  const facts = host.facts.read(rewrite.text, original.context);
  return facts instanceof Promise
    ? facts.then((done) => made(host.statement(rewrite.text, done, original.context)))
    : made(host.statement(rewrite.text, facts, original.context));
}

/** Of one judgement, by the masked columns that a statement reads: as many as there are combinations in use. */
const PRUNED_MAX = 256;
const prunedOf = new WeakMap<Judgement, Map<string, Judgement>>();

/**
 * Policies may ask for the same masks at every statement. What a statement does not read is left out of its decision; one that reads no
 * masked column is simply allowed. The same object for the same columns, whatever the text: the journal then writes it once.
 */
export function pruned({ rewrite }: MaskedForm & { ok: true }, judgement: Judgement, combined: Combined): Judgement {
  return remembered(rewrite.masked, judgement, combined);
}

/** Of what is no SQL nothing is rewritten: masks are for the answer, by the named fields that the facts know to be in it, and by paths. */
export function withFields(facts: HttpFacts | McpFacts, judgement: Judgement, combined: Combined): Judgement {
  const output = isHttp(facts) ? facts.output : undefined;
  if (output === undefined) return ownDenial('MASK_IMPOSSIBLE', 'a field is to be masked, but what is answered is not described', judgement.revision);
  return remembered([...new Set(output.map(({ field }) => field))].toSorted(), judgement, combined);
}

function remembered(masked: readonly string[], judgement: Judgement, combined: Combined): Judgement {
  let known = prunedOf.get(judgement);
  if (!known) prunedOf.set(judgement, (known = new Map()));
  const key = masked.length === 0 ? '' : JSON.stringify(masked);
  let result = known.get(key);
  if (!result) {
    if (known.size >= PRUNED_MAX) known.clear();
    known.set(key, (result = prune(new Set(masked), judgement, combined)));
  }
  return result;
}

function prune(masked: ReadonlySet<string>, judgement: Judgement, combined: Combined): Judgement {
  const obligations = judgement.obligations.flatMap((obligation) => pruneObligation(masked, obligation));
  const gone = new Set(
    combined.masks
      .filter(({ columns }) => columns.length > 0 && !columns.some((column) => masked.has(column)))
      .map(({ reason }) => JSON.stringify(reason)),
  );
  const reasons = judgement.reasons.filter((reason) => reason.effect !== 'mask' || !gone.has(JSON.stringify(reason)));
  const stillMasks = obligations.some((obligation) => obligation.type === 'mask');
  return { ...judgement, effect: judgement.effect === 'mask' && !stillMasks ? 'allow' : judgement.effect, obligations, reasons };
}

function pruneObligation(masked: ReadonlySet<string>, obligation: Obligation): Obligation[] {
  if (obligation.type !== 'mask') return [obligation];
  const { columns, paths, detectors } = obligation.properties;
  const left = Object.fromEntries(Object.entries(columns).filter(([column]) => masked.has(column)));
  const empty = Object.keys(left).length + Object.keys(paths).length + detectors.length === 0;
  return empty ? [] : [{ ...obligation, properties: { columns: left, paths, detectors } }];
}
