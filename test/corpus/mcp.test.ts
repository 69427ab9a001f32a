/** The corpus of MCP (SECURITY §1.9): every case, plain and spelt otherwise, through the gateway to a server that runs whatever reaches it. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HttpCase, loadHttpCases } from './http/case.ts';
import { asFetch, mcpVerdict, SPELLINGS, startMcpSubject, type McpSubject } from './mcp/runner.ts';

const casesOf = (file: string): readonly HttpCase[] => loadHttpCases(fileURLToPath(new URL(file, import.meta.url)));
const all = [...casesOf('./public/http.jsonl'), ...casesOf('./cases/mcp.jsonl')];
const cases = [...all.filter(({ payload }) => payload.kind === 'mcp'), ...all.filter(({ payload }) => payload.kind === 'url').map(asFetch)];

let subject: McpSubject;
beforeAll(async () => {
  subject = await startMcpSubject();
});
afterAll(() => subject?.[Symbol.asyncDispose]());

const spelt = Object.keys(SPELLINGS).flatMap((spelling) => cases.map((one) => [`${one.id} ${one.why} (${spelling})`, one, spelling] as const));

test.each(spelt)('%s', async (_name, one, spelling) => {
  const verdict = await mcpVerdict(one, spelling, subject);
  expect(verdict).toMatchObject({ leaks: [], passed: true });
  const { say, answers } = subject.server;
  if (say.method !== undefined) await expect.poll(() => answers).toMatchObject([{ error: { code: -32_601 } }]);
});

test('the corpus was read', () => expect(cases.length).toBeGreaterThanOrEqual(140));
