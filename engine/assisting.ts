/** The composition root's part for Interlock's own MCP server: what it lists is the configuration's, what it runs goes through the doors of this process. */
import { askedHttp, askedMcp, type AskedText } from '#client/asked-message';
import type { Principal } from '#client/identity';
import type { CallAnswer, CallQuestion } from '#schemas/apart';
import type { ApprovalView } from '#schemas/approval';
import { shown } from '#client/shown';
import type { Resource } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { Asked, AssistantParts, Bounds, Caller } from './assistant/parts.ts';
import type { ApprovalBook } from './approvals/approvals.ts';
import type { CallHow, CallRunner } from './apart/parts.ts';
import { type Ask, detailField } from './calls/parts.ts';
import type { LoadedConfig, TargetConfig } from './config/config.ts';
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
  readonly elsewhere?: CallRunner;
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
      await ran(from, caller, { target: asked.target, ask: runnable(askOf(targetOf(from, asked.target), asked)), as: 'interlock mcp' }, bounds),
    ask: async (caller, asked, bounds) => {
      const ask = askOf(openTarget(from, caller, asked.target), asked);
      return await askedFor(from, caller, { target: asked.target, ask, as: 'interlock mcp' }, bounds);
    },
    runbooks: async (caller) => (await runbooksOf(from, caller)).map(shownRunbook),
    runRunbook: async (caller, name, values, bounds) => {
      const known = await runbooksOf(from, caller);
      const runbook = known.find((one) => one.name === name);
      if (runbook === undefined)
        throw new InterlockError('USAGE', `there is no such runbook; there are: ${known.map((one) => one.name).join(', ') || 'none'}`);
      return await ran(from, caller, { target: runbook.target, ask: fill(runbook, values), as: `interlock run ${name}` }, bounds);
    },
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
  const text = textOf(ask, asked);
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

function textOf(ask: Ask, { request, call }: Asked): Pick<AskedText, 'action' | 'statement'> {
  switch (ask.kind) {
    case 'sql':
      return { action: 'sql.execute', statement: ask.statement };
    case 'http':
      return askedHttp(request ?? { path: '/' });
    case 'mcp':
      return askedMcp(call ?? {});
  }
}

function askOf({ name, protocol }: TargetConfig, { statement, params = [], request, call }: Asked): Ask {
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
  if (protocol === 'mcp' && call !== undefined) {
    return { kind: 'mcp', tool: call.tool, arguments: call.arguments === undefined ? null : JSON.stringify(call.arguments) };
  }
  throw new InterlockError('UNSUPPORTED', UNFIT[protocol], { hint: `\`${name}\` speaks ${protocol}.` });
}

const TOOLS_ELSEWHERE = 'tools of an MCP server are called at its own address, /mcp/TARGET; what one needs is asked for with `call`';

const UNFIT: Readonly<Record<TargetConfig['protocol'], string>> = {
  postgresql: 'a database takes a `statement`',
  http: 'an API takes a `request`',
  mcp: TOOLS_ELSEWHERE,
};

/** Where its tools are called, their answers are an agent's own; here a call can be asked about. @throws InterlockError UNSUPPORTED */
function runnable(ask: Ask): Ask {
  if (ask.kind === 'mcp') throw new InterlockError('UNSUPPORTED', TOOLS_ELSEWHERE);
  return ask;
}

interface Running {
  readonly target: string;
  readonly ask: Ask;
  readonly as: string;
}

async function ran(from: AssistingFrom, caller: Caller, running: Running, bounds: Bounds): Promise<Readonly<Record<string, unknown>>> {
  const answer = await atDoor(from, caller, { ...running, how: 'run' }, bounds);
  if (answer.outcome !== 'pending') return { ...answer };
  return isTheirs(from, caller, answer.approvalId) ? told(answer, from.publicUrl()) : FORGED;
}

/** Nothing was run, whatever is answered: the enforcer forwards nothing of it (enforcers/common/ask-only.ts). */
async function askedFor(from: AssistingFrom, caller: Caller, running: Running, bounds: Bounds): Promise<Readonly<Record<string, unknown>>> {
  const answer = await atDoor(from, caller, { ...running, how: 'ask' }, bounds);
  if (answer.outcome === 'pending') return { ...told(answer, from.publicUrl()), state: 'open' };
  if (answer.outcome !== 'refused') throw new InterlockError('INTERNAL', 'what only asks was answered as if it had been run');
  if (answer.code === 'APPROVAL_NOT_NEEDED') return { outcome: 'not_needed', message: `It needs no approval: ${NEXT[running.ask.kind]}.` };
  const approval_id = answer.code === 'APPROVAL_READY' ? detailField(answer.detail, 'approval') : null;
  if (approval_id === null) return { ...answer };
  const review = `${from.publicUrl()}/approvals/${approval_id}`;
  return {
    outcome: 'approved',
    state: 'approved',
    approval_id,
    review,
    next: `It is approved and not used: ${NEXT[running.ask.kind]}, and it is run once.`,
  };
}

const NEXT: Readonly<Record<Ask['kind'], string>> = {
  sql: 'call query with exactly the same statement',
  http: 'call query with exactly the same request',
  mcp: 'call the tool at its own address with exactly the same arguments',
};

async function atDoor(from: AssistingFrom, caller: Caller, running: Running & { readonly how: CallHow }, bounds: Bounds): Promise<CallAnswer> {
  const { target, ask, as, how } = running;
  const where = targetOf(from, target);
  const asked: Ask = ask.kind === 'sql' ? { ...ask, database: ask.database ?? databaseOf(where, from) } : ask;
  const question: CallQuestion = {
    target,
    token: caller.token,
    login: caller.principal.subject.properties.login,
    application: as,
    rows_max: bounds.rowsMax,
    bytes_max: bounds.bytesMax,
    ask: writable(asked),
  };
  const genuine = (id: string): boolean => isTheirs(from, caller, id);
  return await answered(from, { target: where, how, question, genuine }, bounds.signal);
}

/** The target's own words pass through the gateway too, and may look like its. */
function isTheirs(from: AssistingFrom, { principal }: Caller, id: string): boolean {
  const view = shownOrNull(bookOf(from), id);
  return view !== null && isOf(view, principal);
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
  switch (ask.kind) {
    case 'sql':
      return { ...ask, params: [...ask.params] };
    case 'http':
      return { ...ask, headers: { ...ask.headers } };
    case 'mcp':
      return { ...ask };
  }
}

/** At the door of an enforcer of this process, or of one that is connected. */
async function answered(from: AssistingFrom, { target, how, question, genuine }: AtDoor, signal: AbortSignal): Promise<CallAnswer> {
  const { name } = target;
  const [, enforcer] = from.enforcers().find(([of]) => of === name) ?? [];
  const host = (): string => hostOf(from.publicUrl());
  if (enforcer !== undefined) return await atOwnDoor({ target, enforcer, host, genuine }, { how, ...question }, signal);
  if (from.elsewhere !== undefined) return await from.elsewhere(how, question, signal);
  throw new InterlockError('ENFORCER_UNAVAILABLE', `the enforcer of \`${name}\` is still starting`);
}

interface AtDoor {
  readonly target: TargetConfig;
  readonly how: CallHow;
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
