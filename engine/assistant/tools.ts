/** The tools of Interlock's own MCP server. There is none by which anybody can approve. */
import { Compile } from 'typebox/compile';
import { InterlockError } from '#schemas/errors';
import type { Asked, AssistantParts, Bounds, Caller } from './parts.ts';

const ROWS = 100;
const ROWS_MAX = 1_000;
const ANSWER_BYTES_MAX = 256 * 1024;
const WAIT_S = 20;
const WAIT_S_MAX = 50;

type Given = Readonly<Record<string, unknown>>;
type Result = Readonly<Record<string, unknown>>;

export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: object;
  readonly readOnly: boolean;
  readonly act: (parts: AssistantParts, caller: Caller, given: Given, signal: AbortSignal) => Promise<Result>;
}

const Target = { type: 'string', maxLength: 63, description: 'Name of a target, as `targets` lists it.' } as const;
const Statement = {
  type: 'string',
  maxLength: 1024 * 1024,
  description: 'One statement of SQL, for a database. Values stand in `params`: $1, $2 …',
} as const;
const Params = {
  type: 'array',
  maxItems: 1_000,
  items: { anyOf: [{ type: 'string' }, { type: 'number' }, { type: 'boolean' }, { type: 'null' }] },
  description: 'Values of $1, $2 …',
} as const;
const Request = {
  type: 'object',
  additionalProperties: false,
  required: ['path'],
  properties: {
    method: { enum: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] },
    path: { type: 'string', pattern: '^/', maxLength: 8_192, description: 'With its query.' },
    headers: { type: 'object', additionalProperties: { type: 'string', maxLength: 8_192 } },
    body: { description: 'Sent as JSON; a text is sent as it is.' },
  },
  description: 'A request, for an HTTP API.',
} as const;
const Call = {
  type: 'object',
  additionalProperties: false,
  required: ['tool'],
  properties: {
    tool: { type: 'string', minLength: 1, maxLength: 256 },
    arguments: { type: 'object', additionalProperties: {}, description: 'Exactly those that the tool is then called with, in the same order.' },
  },
  description: 'A call of a tool, for an MCP server.',
} as const;
const ASKED = { target: Target, statement: Statement, params: Params, request: Request } as const;
const asked = (more: object = {}): object => ({
  type: 'object',
  additionalProperties: false,
  required: ['target'],
  properties: { ...ASKED, ...more },
});

export const TOOLS: readonly Tool[] = [
  {
    name: 'targets',
    title: 'What can be reached',
    description: 'Lists the databases and APIs that you may reach through Interlock.',
    inputSchema: { type: 'object', additionalProperties: false, properties: {} },
    readOnly: true,
    act: async (parts, caller) => {
      const open = await Promise.all(parts.targets().map(async (one) => ((await parts.opens(caller, one.name)) ? [one] : [])));
      return { targets: open.flat() };
    },
  },
  {
    name: 'query',
    title: 'Run one statement',
    description:
      'Runs one statement on a database, or one request on an API. Policy decides: it may be refused with a reason, come back masked, or need an approval: then the answer is `pending` with an approval_id; wait with await_approval and call query again in the same way, and it is run once.',
    inputSchema: asked({ max_rows: { type: 'integer', minimum: 1, maximum: ROWS_MAX, description: `Default: ${ROWS}.` } }),
    readOnly: false,
    act: (parts, caller, given, signal) => parts.run(caller, askedOf(given), bounds(given, signal)),
  },
  {
    name: 'request_approval',
    title: 'Ask for an approval',
    description:
      'Asks for the approval that a statement, request or call of a tool needs, and never runs it, whatever policy says meanwhile. Says so where it needs none, or is refused anyway and what would be allowed.',
    inputSchema: asked({ call: Call }),
    readOnly: false,
    act: (parts, caller, given, signal) => parts.ask(caller, judgedOf(given), bounds(given, signal)),
  },
  {
    name: 'await_approval',
    title: 'Wait for an approval',
    description: `Where an approval stands; waits up to wait_s seconds (default ${WAIT_S}) for it to be decided.`,
    inputSchema: {
      type: 'object',
      additionalProperties: false,
      required: ['approval_id'],
      properties: {
        approval_id: { type: 'string', pattern: '^apr_[0-9A-Z]{26}$' },
        wait_s: { type: 'integer', minimum: 0, maximum: WAIT_S_MAX },
      },
    },
    readOnly: true,
    act: awaitApproval,
  },
  {
    name: 'why',
    title: 'What policy says',
    description: 'Judges a statement or request and runs nothing: the effect, the rules with their reasons, and what would be allowed.',
    inputSchema: asked({ call: Call }),
    readOnly: true,
    act: async (parts, caller, given) => {
      const { effect, reasons, obligations, approval, revision } = await parts.judge(caller, judgedOf(given));
      return { effect, reasons, obligations, approval, revision };
    },
  },
  {
    name: 'runbooks',
    title: 'Runbooks',
    description:
      'Without a name: lists the runbooks and what each takes. With a name and its values: runs it, under the same policy and approvals as query.',
    inputSchema: {
      type: 'object',
      additionalProperties: false,
      properties: { name: { type: 'string', maxLength: 128 }, values: { type: 'object', additionalProperties: {} } },
    },
    readOnly: false,
    act: async (parts, caller, given, signal) => {
      const { name, values = {} } = given as { readonly name?: string; readonly values?: Given };
      return name === undefined ? { runbooks: await parts.runbooks(caller) } : await parts.runRunbook(caller, name, values, bounds(given, signal));
    },
  },
];

const CHECKS = new Map(TOOLS.map(({ name, inputSchema }) => [name, Compile(inputSchema)]));

/** null: they fit. */
export function unfit(name: string, given: unknown): string | null {
  const check = CHECKS.get(name);
  if (check === undefined || check.Check(given)) return null;
  const first = [...check.Errors(given)][0];
  return `${first === undefined || first.instancePath === '' ? 'arguments' : `arguments${first.instancePath.replaceAll('/', '.')}`}: ${first?.message ?? 'do not fit'}`;
}

function askedOf(given: Given): Asked {
  const asking = given as unknown as Asked;
  if ((asking.statement === undefined) === (asking.request === undefined))
    throw new InterlockError('USAGE', 'one of `statement` (a database) and `request` (an API) is needed');
  return asking;
}

/** What is only judged, or asked for, may be a call of a tool too. */
function judgedOf(given: Given): Asked {
  const asking = given as unknown as Asked;
  if (asking.call === undefined) return askedOf(given);
  if (asking.statement !== undefined || asking.request !== undefined)
    throw new InterlockError('USAGE', 'one of `statement` (a database), `request` (an API) and `call` (an MCP server) is needed');
  return asking;
}

function bounds(given: Given, signal: AbortSignal): Bounds {
  const { max_rows: rows } = given;
  return { rowsMax: typeof rows === 'number' ? rows : ROWS, bytesMax: ANSWER_BYTES_MAX, signal };
}

async function awaitApproval(parts: AssistantParts, caller: Caller, given: Given, signal: AbortSignal): Promise<Result> {
  const { approval_id: id, wait_s: wait = WAIT_S } = given as { readonly approval_id: string; readonly wait_s?: number };
  const standing = await parts.approval(caller, id);
  if (standing === null) throw new InterlockError('APPROVAL_NOT_FOUND', 'there is no such request of yours');
  if (standing.state === 'open' && wait > 0) {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(wait * 1000)]);
    await parts.decided(id, patience).catch((error: unknown) => {
      if (signal.aborted || !patience.aborted) throw error;
    });
  }
  const now = (await parts.approval(caller, id)) ?? standing;
  const next = NEXT[now.state] ?? 'It cannot be used: ask again.';
  return { approval_id: id, ...now, next };
}

const NEXT: Readonly<Record<string, string>> = {
  open: 'Not decided yet: call await_approval again, or do something else and come back.',
  approved: 'Call query again with exactly the same target, statement and params: it is run once.',
  denied: 'A reviewer said no; their words stand in `comment`. Do not ask for the same again.',
  changes_requested: 'A reviewer asks for another statement; their words stand in `comment`.',
  consumed: 'It was used: what it was for has run.',
};
