/** What a reviewer is told of requests of HTTP and MCP (A7, M8). */
import { expect, test } from 'vitest';
import { sentenceOf, type SentenceDraft } from '#engine/approvals/sentence';
import type { HttpFacts } from '#schemas/http-facts';
import type { McpFacts } from '#schemas/mcp-facts';

const HTTP: HttpFacts = {
  dialect: 'http',
  parsed: true,
  method: 'POST',
  path: '/v1/refunds',
  segments: ['v1', 'refunds'],
  operation: { id: 'createRefund', route: '/v1/refunds', tags: [], class: 'write' },
  params: {},
  query: {},
  headers: {},
  body: { kind: 'json', media: 'application/json', bytes: 40, json: { amount: 100, customer: { id: "o'neil" }, tags: [] }, keys: [] },
  effects: [],
  opaque: [],
};

const MCP: McpFacts = {
  dialect: 'mcp',
  parsed: true,
  method: 'tools/call',
  tool: { name: 'refund', known: true, digest: '' },
  uri: null,
  prompt: null,
  arguments: { amount: 100, to: 'bob' },
  keys: [],
  nested: [],
  effects: [],
  opaque: [],
};

function said(facts: HttpFacts | McpFacts, literals = true): string {
  const draft: SentenceDraft = { facts, payload: { bytes: Buffer.from('x'), media: 'text' }, params: null, transaction: 'idle', objects: [] };
  return sentenceOf(draft, { literals, digest: 'abcdef' });
}

test('A7: an operation, with every value of its body and query', () => {
  expect(said(HTTP)).toBe("calls `createRefund` (POST /v1/refunds) with amount = 100, customer.id = 'o''neil', tags = []");
  expect(said({ ...HTTP, operation: null, query: { force: ['1', '2'] }, body: { kind: 'none', media: '', bytes: 0, keys: [] } })).toBe(
    "sends POST /v1/refunds with query force = '1', force = '2'",
  );
});

test('A7: a form with files names each by its size and type, and its fields by value', () => {
  const file = { name: 'proof', filename: 'a`b.png', kind: 'binary', media: 'image/png', bytes: 12_345, sha256: '0'.repeat(64) } as const;
  const field = { name: 'reason', filename: null, kind: 'text', media: '', bytes: 4, sha256: '0'.repeat(64), text: 'lost' } as const;
  const body = {
    kind: 'multipart',
    media: 'multipart/form-data',
    bytes: 13_000,
    json: { reason: ['lost'] },
    parts: [field, file],
    keys: [],
  } as const;
  const facts = { ...HTTP, body: { ...body, parts: [...body.parts], keys: [] } };
  expect(said(facts)).toContain("with reason[0] = 'lost', proof = a file a‹U+0060 GRAVE ACCENT›b.png of 12,345 bytes of image/png");
  expect(said(facts, false)).not.toMatch(/lost|png of|b\.png/);
});

test('A7: where payloads are not kept in clear, no value stands in the record', () => {
  expect(said(HTTP, false)).toBe('calls `createRefund` (POST /v1/refunds) with amount = …, customer.id = …, tags = …');
  expect(said(MCP, false)).not.toContain('bob');
});

test('A7: a tool with its arguments, and what an argument does itself', () => {
  expect(said(MCP)).toBe("calls the tool `refund` with amount = 100, to = 'bob'");
  const path = { given: '../etc', canonical: '/etc', segments: ['etc'], inside: false };
  expect(said({ ...MCP, nested: [{ argument: '$.path', as: 'path', parsed: true, path }] })).toContain('its $.path is /etc, outside of its root');
});

test('A7: what is cut says so, and how to tell two apart', () => {
  const body = { ...HTTP.body, json: Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key${index}`, 'v'.repeat(50)])) };
  expect(said({ ...HTTP, body })).toMatch(/ more characters\) \(digest abcdef\)$/);
});

test('A7: what cannot be seen comes first', () => {
  const opaque = [{ code: 'unsupported', detail: 'a shell command' }] as const;
  expect(said({ ...MCP, opaque: [...opaque] })).toMatch(/^a part cannot be seen \(a shell command\): calls the tool/);
  expect(said({ ...HTTP, parsed: false, opaque: [...opaque] })).toMatch(/^cannot be understood/);
});

test('M8: names and values cannot leave their quotes, or hide', () => {
  const text = said({ ...MCP, tool: { name: 'a` and approves', known: true, digest: '' }, arguments: { 'x\u202E': '`y`\u200B' } });
  expect(text.split('`').length % 2).toBe(1);
  expect(text).toContain('U+202E');
  expect(text).toContain('U+200B');
});
