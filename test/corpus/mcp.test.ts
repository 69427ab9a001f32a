/** The corpus of MCP (SECURITY §1.9): every case, plain and spelt otherwise, through the gateway to a server that runs whatever reaches it. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { begun, raw, type RawAnswer } from '#test/support/mcp-clients';
import { MCP_OTHER, MCP_TOKEN, startMcpGateway, type McpGateway } from '#test/support/mcp-gateway';
import type { McpRule } from '#test/support/mcp-decisions';
import { CANARIES, loadHttpCases, type HttpCase } from './http/case.ts';
import { startLaxServer, type LaxServer } from './mcp/upstream.ts';

type Message = Readonly<Record<string, unknown>>;

const cases = loadHttpCases(fileURLToPath(new URL('./public/http.jsonl', import.meta.url))).filter(({ payload }) => payload.kind === 'mcp');
const named = cases.map((one) => [`${one.id} ${one.why}`, one] as const);

/** What SECURITY §2.1 says of MCP: search, read_file below /workspace, run_sql that only reads; what is masked is masked wherever it may be. */
const ALLOWED = new Set(['search', 'read_file', 'run_sql']);
const HARMLESS = new Set(['read', 'execute', 'read_file']);
const rule: McpRule = ({ facts }) => {
  const deny = { effect: 'deny', code: 'NOT_IN_PROFILE', reason: 'not in the profile' } as const;
  const functions = facts.nested.flatMap(({ sql }) => sql?.statements.flatMap((statement) => statement.functions) ?? []);
  if (facts.tool !== null && !ALLOWED.has(facts.tool.name)) return deny;
  if (facts.prompt === 'admin_prompt' || facts.uri?.startsWith('file:') === true) return deny;
  // a server elsewhere may follow links that nobody here sees: only what is known to be a file is named
  if (facts.nested.some(({ path }) => path?.canonical.includes('link') === true)) return deny;
  if (facts.effects.some(({ verb }) => !HARMLESS.has(verb)) || functions.some(({ class: kind }) => kind !== 'pure' && kind !== 'catalog'))
    return deny;
  if (facts.method === 'tools/list' || facts.method.startsWith('prompts/list')) return { effect: 'allow' };
  return { effect: 'mask', paths: { '$..ssn': { using: 'redact' }, '$..card_number': { using: 'redact' }, '$..email': { using: 'redact' } } };
};

let server: LaxServer;
let gateway: McpGateway;
let session: string;
beforeAll(async () => {
  server = await startLaxServer();
  gateway = await startMcpGateway({
    upstream: { kind: 'http', url: server.url },
    rule,
    target: {
      arguments: {
        run_sql: [{ argument: '$.sql', as: 'sql' }],
        read_file: [{ argument: '$.path', as: 'path', root: '/workspace' }],
        run_shell: [{ argument: '$.cmd', as: 'shell' }],
      },
    },
  });
  session = await begun(gateway.url, MCP_TOKEN);
});
afterAll(async () => {
  await gateway?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  server.asked.length = 0;
  server.answers.length = 0;
  server.say = {};
});

/** The same message in other bytes. */
const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  blanks: (text) => text.replaceAll('":', '" :\n\t'),
  escapes: (text) =>
    text.replace(
      /"(run_shell|run_sql|search|tools\/call)"/g,
      (_all, word: string) => `"${Array.from(word, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`,
    ),
};

function textOf(message: unknown): string {
  if (typeof message === 'string') return message;
  if (Array.isArray(message)) return JSON.stringify(message);
  const { http: _http, from: _from, ...rest } = message as Message;
  return JSON.stringify(rest);
}

async function sent(one: HttpCase, spell: (text: string) => string): Promise<RawAnswer> {
  const { message } = one.payload as { message: unknown };
  const { from, method, result, http } = (typeof message === 'string' || Array.isArray(message) ? {} : message) as Readonly<Record<string, never>> &
    Message;
  const headers = { ...(http as { headers?: Record<string, string> } | undefined)?.headers };
  if (from === 'server') {
    server.say = typeof method === 'string' ? { method } : { result: (result ?? {}) as object };
    return raw(
      gateway.url,
      MCP_TOKEN,
      { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'search', arguments: { q: 'x' } } },
      { 'mcp-session-id': session },
    );
  }
  const { Host: _host, Authorization: foreign, 'Mcp-Session-Id': theirs, ...others } = headers;
  const own = theirs === undefined ? session : await begun(gateway.url, MCP_OTHER);
  return raw(gateway.url, foreign === undefined ? MCP_TOKEN : 'a-token-for-another-resource', spell(textOf(message)), {
    'mcp-session-id': own,
    ...others,
  });
}

const spelt = Object.entries(SPELLINGS).flatMap(([spelling, spell]) => named.map(([name, one]) => [`${name} (${spelling})`, one, spell] as const));

test.each(spelt)('%s', async (_name, one, spell) => {
  const answer = await sent(one, spell);
  const everything = answer.text + [...answer.headers].join();
  for (const canary of [...CANARIES, ...one.leaks]) expect(everything).not.toContain(canary);
  const fromServer = (one.payload as { message: Message }).message['from'] === 'server';
  if (one.expected === 'must-allow') expect(answer.body.result).toBeDefined();
  // a hint decides nothing: the tool itself is one that may be called (mcp-34)
  else if (one.expected === 'must-not-allow' && !fromServer) expect(server.asked).toEqual([]);
  if (server.say.method !== undefined) {
    expect(everything).not.toContain(server.say.method);
    await expect.poll(() => server.answers).toMatchObject([{ error: { code: -32_601 } }]);
  }
});

test('the corpus was read', () => expect(cases.length).toBeGreaterThanOrEqual(25));
