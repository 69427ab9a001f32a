/**
 * What an enforcement point asks, in AuthZEN 1.0's form. Unknown fields are ignored, as the specification asks; what only the engine may say is
 * not: facts, digests and verified approvals that come from outside are an error.
 * https://openid.github.io/authzen/#name-access-evaluation-api
 */
import { InterlockError } from '#schemas/errors';
import { TRANSACTION_STATES, type TransactionState } from '#schemas/decision-request';
import type { Param } from '#schemas/sql-facts';
import { AUTHZEN_LIMITS } from './limits.ts';
import { readParams } from './params.ts';

export type Fields = Readonly<Record<string, unknown>>;

export interface Entity {
  readonly type: string;
  readonly id: string;
  readonly properties: Fields;
}

export interface StatementAsked {
  readonly dialect: 'postgresql';
  readonly text: string;
  readonly params: readonly Param[] | null;
}

/** An approval by its name: nothing follows from it until the engine found and verified it. */
export interface ApprovalReference {
  readonly id: string;
}

export interface Question {
  readonly subject: Entity;
  readonly action: { readonly name: string; readonly properties: Fields };
  readonly resource: Entity;
  /** All of it but the approval. */
  readonly context: Fields;
  readonly statement: StatementAsked | null;
  readonly approval: ApprovalReference | null;
  /** null: the enforcement point does not say. */
  readonly supported: readonly string[] | null;
  readonly transaction: TransactionState;
  readonly settings: Readonly<Record<string, string>>;
  readonly application: string;
}

/** Said by the engine alone. */
const ENGINES = ['sql', 'shell', 'http', 'mcp', 'facts', 'payload'] as const;
const REFERENCE = ['id', 'approved_at', 'approved_until', 'state'];
const STATEMENT = ['dialect', 'text', 'params'];
const NO_FIELDS: Fields = {};
/** What a new session of PostgreSQL has. */
const SETTINGS = { search_path: '"$user", public' };

/** @throws InterlockError USAGE: a 400 that says what is wrong */
export function readQuestion(body: unknown): Question {
  const given = object(body, 'the request');
  checkEngines(given, '');
  const context = given['context'] === undefined ? NO_FIELDS : object(given['context'], '`context`');
  checkEngines(context, 'context.');
  const { approval, ...rest } = context;
  const question = {
    subject: entity(given['subject'], 'subject'),
    action: action(given['action']),
    resource: entity(given['resource'], 'resource'),
    context: rest,
    statement: rest['statement'] === undefined ? null : statement(rest['statement']),
    approval: approval === undefined ? null : reference(approval),
    supported: rest['supported_obligations'] === undefined ? null : texts(rest['supported_obligations'], '`context.supported_obligations`', 100),
    transaction: transaction(rest['transaction']),
    settings: settings(rest['settings']),
    application: application(rest['client']),
  };
  const size = question.statement === null ? JSON.stringify({ ...given, context }).length : 0;
  if (size > AUTHZEN_LIMITS.questionChars) throw wrong(`a request without a statement has at most ${AUTHZEN_LIMITS.questionChars} characters`);
  return question;
}

/** Wherever it stands: in a list of evaluations one of them spoils all. @throws InterlockError USAGE */
export function checkEngines(given: Fields, at: string): void {
  for (const name of ENGINES)
    if (Object.hasOwn(given, name)) throw wrong(`\`${at}${name}\` is made by the engine; send \`context.statement\`: {dialect, text, params?}`);
}

/** @throws InterlockError USAGE: an approval is named, never asserted */
export function reference(value: unknown): ApprovalReference {
  const given = object(value, '`context.approval`');
  const other = Object.keys(given).find((name) => !REFERENCE.includes(name));
  if (other !== undefined)
    throw wrong(`\`context.approval.${other}\` is said by the engine; send the approval as it was answered: ${REFERENCE.join(', ')}`);
  return { id: name(given['id'], 'context.approval.id') };
}

export function object(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw wrong(value === undefined ? `${what} is missing` : `${what} is not an object`);
}

export function wrong(message: string): InterlockError {
  return new InterlockError('USAGE', message);
}

function entity(value: unknown, what: string): Entity {
  const given = object(value, `\`${what}\``);
  return { type: name(given['type'], `${what}.type`), id: name(given['id'], `${what}.id`), properties: properties(given['properties'], what) };
}

function action(value: unknown): Question['action'] {
  const given = object(value, '`action`');
  return { name: name(given['name'], 'action.name'), properties: properties(given['properties'], 'action') };
}

function properties(value: unknown, what: string): Fields {
  return value === undefined ? NO_FIELDS : object(value, `\`${what}.properties\``);
}

function name(value: unknown, what: string): string {
  if (value === undefined) throw wrong(`\`${what}\` is missing`);
  if (typeof value === 'string' && value !== '' && value.length <= AUTHZEN_LIMITS.nameChars && value.isWellFormed()) return value;
  throw wrong(`\`${what}\` is not a text of 1 to ${AUTHZEN_LIMITS.nameChars} characters`);
}

function statement(value: unknown): StatementAsked {
  const given = object(value, '`context.statement`');
  const other = Object.keys(given).find((key) => !STATEMENT.includes(key));
  if (other !== undefined) throw wrong(`\`context.statement.${other}\` is not known; allowed: ${STATEMENT.join(', ')}`);
  const { dialect, text, params } = given;
  if (dialect !== 'postgresql') throw wrong('`context.statement.dialect` is not supported; allowed: postgresql');
  if (typeof text !== 'string' || !text.isWellFormed()) throw wrong('`context.statement.text` is not a text');
  if (Buffer.byteLength(text) > AUTHZEN_LIMITS.statementBytes)
    throw wrong(`\`context.statement.text\` is longer than ${AUTHZEN_LIMITS.statementBytes} bytes`);
  return { dialect, text, params: params === undefined ? null : readParams(params) };
}

function transaction(value: unknown): TransactionState {
  const found = TRANSACTION_STATES.find((state) => state === (value ?? 'idle'));
  if (found === undefined) throw wrong(`\`context.transaction\` is not one of ${TRANSACTION_STATES.join(', ')}`);
  return found;
}

function settings(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return SETTINGS;
  const given = Object.entries(object(value, '`context.settings`'));
  if (given.length > AUTHZEN_LIMITS.settings) throw wrong(`\`context.settings\` has more than ${AUTHZEN_LIMITS.settings} entries`);
  for (const [key, item] of given)
    if (typeof item !== 'string' || item.length > 1_000 || key.startsWith('interlock.'))
      throw wrong(`\`context.settings.${key.slice(0, 64)}\` is not a text`);
  return { ...SETTINGS, ...(Object.fromEntries(given) as Record<string, string>) };
}

function application(value: unknown): string {
  const given = typeof value === 'object' && value !== null && 'application' in value ? value.application : '';
  return typeof given === 'string' ? given.slice(0, AUTHZEN_LIMITS.nameChars) : '';
}

function texts(value: unknown, what: string, countMax: number): readonly string[] {
  if (!Array.isArray(value) || value.length > countMax || !value.every((one) => typeof one === 'string'))
    throw wrong(`${what} is not a list of at most ${countMax} texts`);
  return value as string[];
}
