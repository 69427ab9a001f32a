/** Several evaluations in one call. https://openid.github.io/authzen/#name-access-evaluations-api */
import { InterlockError } from '#schemas/errors';
import type { Answer } from './answer.ts';
import { type Caller, evaluate } from './evaluate.ts';
import type { AuthzenHouse } from './house.ts';
import { AUTHZEN_LIMITS } from './limits.ts';
import { checkEngines, type Fields, object, readQuestion, reference, wrong } from './question.ts';

const DEFAULTED = ['subject', 'action', 'resource', 'context'] as const;
type Semantic = 'execute_all' | 'deny_on_first_deny' | 'permit_on_first_permit';
const SEMANTICS: readonly Semantic[] = ['execute_all', 'deny_on_first_deny', 'permit_on_first_permit'];

export interface ItemFailed {
  readonly decision: false;
  readonly context: { readonly error: { readonly status: number; readonly message: string } };
}
export type EvaluationsAnswer = Answer | { readonly evaluations: readonly (Answer | ItemFailed)[] };

/** One after the other: an approval that two of them name is used by the first. */
export async function evaluateAll(house: AuthzenHouse, caller: Caller, body: unknown): Promise<EvaluationsAnswer> {
  const given = object(body, 'the request');
  const { evaluations } = given;
  if (evaluations === undefined || (Array.isArray(evaluations) && evaluations.length === 0))
    return await evaluate(house, caller, readQuestion(given));
  const items = itemsOf(evaluations);
  checkWhole(given, items);
  const semantic = semanticOf(given['options']);
  const answers: (Answer | ItemFailed)[] = [];
  for (const item of items) {
    const answer = await one(house, caller, withDefaults(given, item));
    answers.push(answer);
    if (semantic === 'deny_on_first_deny' && !answer.decision) break;
    if (semantic === 'permit_on_first_permit' && answer.decision) break;
  }
  return { evaluations: answers };
}

/** An item that is no question is denied, and says why; what only the engine may say spoils the whole call. */
async function one(house: AuthzenHouse, caller: Caller, item: Fields): Promise<Answer | ItemFailed> {
  try {
    return await evaluate(house, caller, readQuestion(item));
  } catch (error) {
    if (!(error instanceof InterlockError) || (error.code !== 'USAGE' && error.code !== 'AUTH_SCOPE')) throw error;
    return { decision: false, context: { error: { status: error.code === 'USAGE' ? 400 : 403, message: error.message } } };
  }
}

function itemsOf(value: unknown): readonly Fields[] {
  if (!Array.isArray(value)) throw wrong('`evaluations` is not a list');
  if (value.length > AUTHZEN_LIMITS.evaluations) throw wrong(`\`evaluations\` has more than ${AUTHZEN_LIMITS.evaluations} items`);
  return value.map((item: unknown, at) => object(item, `\`evaluations[${at}]\``));
}

function checkWhole(given: Fields, items: readonly Fields[]): void {
  for (const name of DEFAULTED) if (given[name] !== undefined) object(given[name], `\`${name}\``);
  for (const one of [given, ...items]) {
    checkEngines(one, '');
    if (one['context'] !== undefined) checkContext(one['context']);
  }
}

function checkContext(value: unknown): void {
  const context = object(value, '`context`');
  checkEngines(context, 'context.');
  if (context['approval'] !== undefined) reference(context['approval']);
  const { statement } = context;
  if (typeof statement === 'object' && statement !== null) checkEngines(statement as Fields, 'context.statement.');
}

/** Whole members: what an item brings replaces what stands above it. */
function withDefaults(given: Fields, item: Fields): Fields {
  return Object.fromEntries(DEFAULTED.map((name) => [name, item[name] ?? given[name]]).filter(([, value]) => value !== undefined));
}

function semanticOf(options: unknown): Semantic {
  const { evaluations_semantic: wanted = 'execute_all' } = options === undefined ? {} : object(options, '`options`');
  const found = SEMANTICS.find((one) => one === wanted);
  if (found === undefined) throw wrong(`\`options.evaluations_semantic\` is not one of ${SEMANTICS.join(', ')}`);
  return found;
}
