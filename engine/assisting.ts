/** The composition root's part for Interlock's own MCP server: what it lists is the configuration's, what it runs goes through the doors of this process. */
import type { Principal } from '#client/identity';
import type { CallAnswer, CallQuestion } from '#schemas/apart';
import type { ApprovalView } from '#schemas/approval';
import { shown } from '#client/shown';
import type { Resource } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { Asked, AssistantParts, Bounds, Caller } from './assistant/parts.ts';
import type { ApprovalBook } from './approvals/approvals.ts';
import type { Ask } from './calls/parts.ts';
import type { LoadedConfig, TargetConfig } from './config/config.ts';
import { askedHttp } from './decide/asked-text.ts';
import type { LocalDecisionService } from './decide/service.ts';
import { atOwnDoor, hostOf } from './own-door.ts';
import { described, fill } from './runbooks/fill.ts';
import { FULFILLED } from './obligations.ts';
import { readRunbooks, type Runbook } from './runbooks/runbook.ts';
import type { Enforcers } from './running.ts';

export interface AssistingFrom {
  readonly live: { readonly config: LoadedConfig };
  readonly decisions: LocalDecisionService;
  readonly enforcers: () => Enforcers;
  /** At an enforcer that is connected; absent: there is none elsewhere. */
  readonly elsewhere?: (question: CallQuestion, signal: AbortSignal) => Promise<CallAnswer>;
  /** null while the gateway starts. */
  readonly book: () => ApprovalBook | null;
  readonly publicUrl: () => string;
  readonly version: string;
}

const CLIENT = { address: '127.0.0.1', application: 'interlock mcp', tls: true } as const;

export function assisting(from: AssistingFrom): AssistantParts {
  const targets = (): readonly TargetConfig[] => Object.values(from.live.config.targets);
  return {
    version: from.version,
    targets: () => targets().map(({ name, protocol, env }) => ({ name, protocol, env })),
    opens: (caller, name) => Promise.resolve(opens(from, caller, targetOf(from, name))),
    judge: async (caller, asked) => await judged(from, caller, asked),
    run: async (caller, asked, bounds) =>
      await ran(from, caller, { target: asked.target, ask: askOf(targetOf(from, asked.target), asked), as: 'interlock mcp' }, bounds),
    runbooks: async (caller) => (await runbooksOf(from, caller)).map(shownRunbook),
    runRunbook: async (caller, name, values, bounds) => {
      const known = await runbooksOf(from, caller);
      const runbook = known.find((one) => one.name === name);
      if (runbook === undefined)
        throw new InterlockError('USAGE', `there is no such runbook; there are: ${known.map((one) => one.name).join(', ') || 'none'}`);
      return await ran(from, caller, { target: runbook.target, ask: fill(runbook, values), as: `interlock run ${name}` }, bounds);
    },
    asked: (caller, asked) => Promise.resolve(standing(from, caller, asked)),
    approval: async ({ principal }, id) => {
      const book = bookOf(from);
      await book.hear(id);
      const view = shownOrNull(book, id);
      if (view === null || !isOf(view, principal)) return null;
      const comment = typeof view.comment === 'string' ? shown(view.comment) : null;
      return { state: view.state, comment, url: `${from.publicUrl()}/approvals/${id}`, expires_at: view.expires_at };
    },
    decided: async (id, signal) => void (await bookOf(from).settled(id, signal)),
  };
}

function targetOf({ live }: AssistingFrom, name: string): TargetConfig {
  const target = Object.hasOwn(live.config.targets, name) ? live.config.targets[name] : undefined;
  if (target === undefined) throw noTarget();
  return target;
}

/**
 * What policy says of a target, and which of its columns it masks, is nothing for who may not open it: it answers like what is not there (N6). A `query`
 * is refused, and recorded, at the target's own door.
 */
function openTarget(from: AssistingFrom, caller: Caller, name: string): TargetConfig {
  const target = targetOf(from, name);
  if (!opens(from, caller, target)) throw noTarget();
  return target;
}

function noTarget(): InterlockError {
  return new InterlockError('USAGE', 'there is no such target: `targets` lists those there are');
}

function opens(from: AssistingFrom, { principal }: Caller, target: TargetConfig): boolean {
  const { subject } = principal;
  const supportedObligations = FULFILLED[target.protocol];
  const session = from.decisions.openSession({ sessionId: '', subject, resource: resourceOf(target, from), client: CLIENT, supportedObligations });
  session.close();
  return session.opening.effect !== 'deny';
}

/** Of targets that they may open. @throws InterlockError RUNBOOK_INVALID, which names no file: those are the owner's */
async function runbooksOf(from: AssistingFrom, caller: Caller): Promise<readonly Runbook[]> {
  const { targets, runbooksDir } = from.live.config;
  const all = await readRunbooks(runbooksDir).catch((error: unknown) => {
    if (!(error instanceof InterlockError)) throw error;
    throw new InterlockError('RUNBOOK_INVALID', 'a runbook here is not valid: `interlock run --list` tells its owner which', { cause: error });
  });
  return all.filter(({ target: name }) => {
    const target = Object.hasOwn(targets, name) ? targets[name] : undefined;
    return target !== undefined && opens(from, caller, target);
  });
}

function resourceOf(target: TargetConfig, from: AssistingFrom): Resource {
  const { name: id, protocol: type, env, labels } = target;
  const database = databaseOf(target, from);
  return { type, id, properties: { env, labels: { ...labels }, ...(database !== null && { database }) } };
}

/** Where the configuration only refers to an address, its enforcer knows; null: it has none, or stands elsewhere. */
function databaseOf({ name, upstream }: TargetConfig, { enforcers }: AssistingFrom): string | null {
  return upstream.databases?.[0] ?? enforcers().find(([of]) => of === name)?.[1].databases?.[0] ?? null;
}

async function judged(from: AssistingFrom, caller: Caller, asked: Asked): ReturnType<AssistantParts['judge']> {
  const target = openTarget(from, caller, asked.target);
  const ask = askOf(target, asked);
  const text = ask.kind === 'sql' ? { action: 'sql.execute' as const, statement: ask.statement } : askedHttp(asked.request ?? { path: '/' });
  const params =
    ask.kind === 'sql'
      ? ask.params.map((value, at) => ({ index: at + 1, type: 'unknown', value, encoding: 'text' as const, flows_to_code: false }))
      : [];
  const { decision } = await from.decisions.dryRun({
    subject: caller.principal.subject,
    resource: resourceOf(target, from),
    action: text.action,
    statement: text.statement,
    settings: target.protocol === 'postgresql' ? { search_path: '"$user", public' } : {},
    supportedObligations: FULFILLED[target.protocol],
    ...(params.length > 0 && { params }),
  });
  return decision;
}

function askOf({ name, protocol }: TargetConfig, { statement, params = [], request }: Asked): Ask {
  if (protocol === 'postgresql' && statement !== undefined) {
    return {
      kind: 'sql',
      statement,
      params: params.map((value) => (value === null ? null : String(value))),
      database: null, // its default
    };
  }
  if (protocol === 'http' && request !== undefined) {
    const { method = 'GET', path, headers = {}, body } = request;
    const text = body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
    const typed =
      text === null || Object.keys(headers).some((key) => key.toLowerCase() === 'content-type') ? {} : { 'content-type': 'application/json' };
    return { kind: 'http', method, path, headers: { ...typed, ...headers }, body: text };
  }
  throw new InterlockError('UNSUPPORTED', UNFIT[protocol], { hint: `\`${name}\` speaks ${protocol}.` });
}

const UNFIT: Readonly<Record<TargetConfig['protocol'], string>> = {
  postgresql: 'a database takes a `statement`',
  http: 'an API takes a `request`',
  mcp: 'tools of an MCP server are called at its own address, /mcp/TARGET',
};

interface Running {
  readonly target: string;
  readonly ask: Ask;
  readonly as: string;
}

async function ran(
  from: AssistingFrom,
  { principal, token }: Caller,
  { target, ask, as }: Running,
  bounds: Bounds,
): Promise<Readonly<Record<string, unknown>>> {
  const where = targetOf(from, target);
  const asked: Ask = ask.kind === 'sql' ? { ...ask, database: ask.database ?? databaseOf(where, from) } : ask;
  const question: CallQuestion = {
    target,
    token,
    login: principal.subject.properties.login,
    application: as,
    rows_max: bounds.rowsMax,
    bytes_max: bounds.bytesMax,
    ask: writable(asked),
  };
  // the target's own words pass through the gateway too, and may look like its
  const genuine = (id: string): boolean => {
    const view = shownOrNull(bookOf(from), id);
    return view !== null && isOf(view, principal);
  };
  const answer = await answered(from, { target: where, question, genuine }, bounds.signal);
  if (answer.outcome !== 'pending') return { ...answer };
  return genuine(answer.approvalId) ? told(answer, from.publicUrl()) : FORGED;
}

const FORGED = {
  outcome: 'refused',
  code: 'ANSWER_REFUSED',
  sqlstate: null,
  message: 'the target answered in words that look like the gateway’s; whether it did what was asked is in the record',
  detail: 'code=ANSWER_REFUSED',
  hint: '',
} as const;

function writable(ask: Ask): CallQuestion['ask'] {
  return ask.kind === 'sql' ? { ...ask, params: [...ask.params] } : { ...ask, headers: { ...ask.headers } };
}

/** At the door of an enforcer of this process, or of one that is connected. */
async function answered(from: AssistingFrom, { target, question, genuine }: AtDoor, signal: AbortSignal): Promise<CallAnswer> {
  const { name } = target;
  const [, enforcer] = from.enforcers().find(([of]) => of === name) ?? [];
  if (enforcer !== undefined) return await atOwnDoor({ target, enforcer, host: () => hostOf(from.publicUrl()), genuine }, question, signal);
  if (from.elsewhere !== undefined) return await from.elsewhere(question, signal);
  throw new InterlockError('ENFORCER_UNAVAILABLE', `the enforcer of \`${name}\` is still starting`);
}

interface AtDoor {
  readonly target: TargetConfig;
  readonly question: CallQuestion;
  readonly genuine: (approvalId: string) => boolean;
}

function told(answer: CallAnswer & { readonly outcome: 'pending' }, publicUrl: string): Readonly<Record<string, unknown>> {
  const { approvalId: approval_id, message, hint } = answer;
  return {
    outcome: 'pending',
    approval_id,
    message,
    hint,
    review: `${publicUrl}/approvals/${approval_id}`,
    next: 'Tell the human; call await_approval, then query again in exactly the same way.',
  };
}

function shownRunbook({ name, target, description, parameters = {} }: Runbook): Awaited<ReturnType<AssistantParts['runbooks']>>[number] {
  return {
    name,
    target,
    description,
    parameters: Object.fromEntries(Object.entries(parameters).map(([key, parameter]) => [key, described(parameter)])),
  };
}

/** What they asked before, in the same words, and could still use. */
function standing(from: AssistingFrom, caller: Caller, asked: Asked): string | null {
  const ask = askOf(openTarget(from, caller, asked.target), asked);
  const { subject } = caller.principal;
  const { items } = bookOf(from).page({ state: ['open', 'approved'], target: asked.target, requestedBy: subject }, { limit: 200 });
  // not one of an agent's of theirs: they could not use it
  return items.find((view) => view.subject.id === subject.id && sameText(view, ask))?.approval_id ?? null;
}

function sameText({ payload_text: text, params = [] }: ApprovalView, ask: Ask): boolean {
  if (ask.kind === 'sql') return text === ask.statement && JSON.stringify(params) === JSON.stringify(ask.params);
  return text.startsWith(`${ask.method} ${ask.path}\r\n`) && text.endsWith(`\r\n\r\n${ask.body ?? ''}`);
}

function bookOf({ book }: AssistingFrom): ApprovalBook {
  const found = book();
  if (found === null) throw new InterlockError('APPROVAL_UNAVAILABLE', 'the gateway is still starting');
  return found;
}

function shownOrNull(book: ApprovalBook, id: string): ApprovalView | null {
  try {
    return book.show(id);
  } catch (error) {
    if (error instanceof InterlockError && error.code === 'APPROVAL_NOT_FOUND') return null;
    throw error;
  }
}

/** Their own, or an agent's of theirs. */
function isOf({ subject }: ApprovalView, { subject: asking }: Principal): boolean {
  return subject.id === asking.id || subject.properties.on_behalf_of?.id === asking.id;
}
