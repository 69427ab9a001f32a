/** The real enforcer of MCP before a server that runs whatever reaches it, with what SECURITY §2.1 says of MCP as its rule. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { begun, raw, type RawAnswer } from '#test/support/mcp-clients';
import { MCP_OTHER, MCP_TOKEN, startMcpGateway } from '#test/support/mcp-gateway';
import type { McpRule } from '#test/support/mcp-decisions';
import { CANARIES, type HttpCase } from '../http/case.ts';
import type { HttpVerdict } from '../http/verdict.ts';
import { startLaxServer, type LaxServer } from './upstream.ts';

type Message = Readonly<Record<string, unknown>>;

/** search, read_file below /workspace, run_sql that only reads, fetch of one host; what is masked is masked wherever it may be. */
const ALLOWED = new Set(['search', 'read_file', 'run_sql', 'fetch']);
/** The one place that `fetch` may ask. */
const FETCHED = 'allowed.example';
const HARMLESS = new Set(['read', 'execute', 'read_file']);
const rule: McpRule = ({ facts }) => {
  const deny = { effect: 'deny', code: 'NOT_IN_PROFILE', reason: 'not in the profile' } as const;
  const functions = facts.nested.flatMap(({ sql }) => sql?.statements.flatMap((statement) => statement.functions) ?? []);
  if (facts.tool !== null && !ALLOWED.has(facts.tool.name)) return deny;
  if (facts.prompt === 'admin_prompt' || facts.uri?.startsWith('db:') === false) return deny;
  if (facts.opaque.length > 0) return deny;
  if (facts.nested.some(({ sql }) => sql?.statements.some((statement) => statement.class !== 'read') === true)) return deny;
  if (facts.nested.some(({ path }) => path?.inside === false)) return deny;
  if (facts.nested.some(({ as, url }) => as === 'url' && url?.headers['host']?.[0] !== FETCHED)) return deny;
  if (
    facts.effects.some(({ verb }) => !HARMLESS.has(verb) && !(verb === 'connect_out' && facts.tool?.name === 'fetch')) ||
    functions.some(({ class: kind }) => kind !== 'pure' && kind !== 'catalog')
  )
    return deny;
  if (facts.method === 'tools/list' || facts.method.startsWith('prompts/list')) return { effect: 'allow' };
  return { effect: 'mask', paths: { '$..ssn': { using: 'redact' }, '$..card_number': { using: 'redact' }, '$..email': { using: 'redact' } } };
};

/** The same message in other bytes. */
export const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  blanks: (text) => text.replaceAll('":', '" :\n\t'),
  escapes: (text) =>
    text.replace(
      /"(run_shell|run_sql|search|fetch|tools\/call)"/g,
      (_all, word: string) => `"${Array.from(word, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`,
    ),
};

export interface McpSubject extends AsyncDisposable {
  readonly server: LaxServer;
  /** Sends a case, spelt so; what the server was asked before is forgotten. */
  send(one: HttpCase, spell: (text: string) => string): Promise<RawAnswer>;
}

/** The folder /workspace of the cases, as the gateway sees it: files, folders, and links out of it of each kind. */
function workspace(): string {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-corpus-workspace-'));
  const root = join(dir, 'workspace');
  mkdirSync(join(root, 'docs'), { recursive: true });
  for (const name of ['README.md', 'docs/guide.md']) writeFileSync(join(root, name), 'text');
  symlinkSync('/etc/shadow', join(root, 'link-to-etc-shadow'));
  symlinkSync('/etc', join(root, 'configuration'));
  symlinkSync(join(dir, 'nothing-yet'), join(root, 'draft'));
  symlinkSync('docs/guide.md', join(root, 'start'));
  symlinkSync('loop', join(root, 'loop'));
  return root;
}

export async function startMcpSubject(): Promise<McpSubject> {
  const server = await startLaxServer();
  const files = workspace();
  const gateway = await startMcpGateway({
    upstream: { kind: 'http', url: server.url },
    rule,
    target: {
      arguments: {
        run_sql: [{ argument: '$.sql', as: 'sql' }],
        read_file: [{ argument: '$.path', as: 'path', root: '/workspace', seen_at: files }],
        fetch: [{ argument: '$.url', as: 'url' }],
        run_shell: [{ argument: '$.cmd', as: 'shell' }],
      },
    },
  });
  const session = await begun(gateway.url, MCP_TOKEN);
  return {
    server,
    send: async (one, spell) => {
      server.asked.splice(0);
      server.answers.splice(0);
      server.say = {};
      const { message } = one.payload as { message: unknown };
      const { from, method, result, http } = (typeof message === 'string' || Array.isArray(message) ? {} : message) as Readonly<
        Record<string, never>
      > &
        Message;
      if (from === 'server') {
        server.say = typeof method === 'string' ? { method } : { result: (result ?? {}) as object };
        return raw(gateway.url, MCP_TOKEN, CALL, { 'mcp-session-id': session });
      }
      const headers = { ...(http as { headers?: Record<string, string> } | undefined)?.headers };
      const { Host: _host, Authorization: foreign, 'Mcp-Session-Id': theirs, ...others } = headers;
      const own = theirs === undefined ? session : await begun(gateway.url, MCP_OTHER);
      server.asked.splice(0);
      return raw(gateway.url, foreign === undefined ? MCP_TOKEN : 'a-token-for-another-resource', spell(textOf(message)), {
        'mcp-session-id': own,
        ...others,
      });
    },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      rmSync(dirname(files), { recursive: true, force: true });
    },
  };
}

const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search', arguments: { q: 'x' } } };

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  if (Array.isArray(message)) return JSON.stringify(message);
  const { http: _http, from: _from, ...rest } = message as Message;
  return JSON.stringify(rest);
}

/** An address that somebody wants fetched, as the argument of a tool that fetches. */
export function asFetch(one: HttpCase): HttpCase {
  const { url } = one.payload as { url: string };
  return {
    ...one,
    payload: { kind: 'mcp', message: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'fetch', arguments: { url } } } },
  };
}

/** As a verdict of the report. What a server says of itself is about its answer: no canary and no question of its own may pass. */
export async function mcpVerdict(one: HttpCase, spelling: string, subject: McpSubject): Promise<HttpVerdict> {
  const started = performance.now();
  const answer = await subject.send(one, SPELLINGS[spelling] as (text: string) => string);
  const everything = answer.text + [...answer.headers].join();
  const { asked, say } = subject.server;
  const fromServer = (one.payload as { message: Message }).message['from'] === 'server';
  const leaks = [...new Set([...CANARIES, ...one.leaks])].filter((text) => everything.includes(text));
  if (say.method !== undefined && everything.includes(say.method)) leaks.push(say.method);
  const allowed = answer.body.result !== undefined;
  const passed = leaks.length === 0 && (one.expected === 'must-allow' ? allowed : one.expected === 'must-mask' || fromServer || asked.length === 0);
  return {
    id: one.id,
    mode: one.protocol,
    mutation: spelling === 'plain' ? null : spelling,
    expected: one.expected,
    outcome: allowed ? (one.expected === 'must-mask' ? 'masked' : 'allowed') : 'denied',
    codes: [],
    by: allowed ? null : 'policy',
    message: answer.body.error?.message ?? null,
    sqlstate: null,
    passed,
    neutralised: false,
    reached_target: asked.length > 0,
    effect_seen: false,
    leaks,
    differs: one.expected === 'must-allow' && !allowed ? 'no result' : null,
    status: answer.status,
    ms: Math.round((performance.now() - started) * 10) / 10,
  };
}
