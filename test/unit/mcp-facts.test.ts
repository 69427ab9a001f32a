/** Requests of MCP as facts (issue 6, SECURITY §1.9, H5, H9): total, and closed where two readers would differ. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseStrictJson } from '#client/strict-json';
import { McpReader } from '#engine/facts/mcp/reader';
import { invalid, unusable } from '#engine/facts/mcp/schema';
import { readPath } from '#engine/facts/mcp/paths';
import { readUrl, uriProblem } from '#engine/facts/mcp/urls';
import { PARSER_MAJORS, Parser } from '#engine/facts/postgres/parser';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import type { ArgumentKind, McpCatalog } from '#schemas/knowledge';
import type { McpFacts } from '#schemas/mcp-facts';
import { cpuMs } from '#test/support/stopwatch';

const schemas: Readonly<Record<string, { readonly schema: object; readonly kinds: readonly ArgumentKind[] }>> = {
  run_sql: { schema: { type: 'object', properties: { sql: { type: 'string' } }, required: ['sql'] }, kinds: [{ argument: '$.sql', as: 'sql' }] },
  fetch: { schema: { type: 'object', properties: { url: { type: 'string' } } }, kinds: [{ argument: '$.url', as: 'url' }] },
  read_file: {
    schema: { type: 'object', properties: { at: { type: 'object' } } },
    kinds: [{ argument: '$.at.path', as: 'path', root: '/workspace' }],
  },
  run_shell: { schema: { type: 'object' }, kinds: [{ argument: '$.cmd', as: 'shell' }] },
};
const catalog = (state: 'pinned' | 'drifted' = 'pinned'): McpCatalog => ({
  kind: 'mcp',
  fingerprint: state,
  tools: Object.entries(schemas).map(([name, { schema, kinds }]) => ({ name, digest: 'sha256:1', state, inputSchema: schema, arguments: kinds })),
});
const sql = new PostgresFacts({ majors: PARSER_MAJORS, parsers: await Promise.all(PARSER_MAJORS.map((major) => Parser.open(major))) });
const reader = new McpReader({ read: (text, context) => sql.read(text, context), catalogOf: () => null });
const read = async (message: unknown, knowledge: McpCatalog | null = catalog()): Promise<McpFacts> =>
  reader.read(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)), { target: 'tools', knowledge });
const call = (name: string, args: object): Promise<McpFacts> => read({ method: 'tools/call', params: { name, arguments: args } });

test('a call has the tool, its arguments and an effect of its own', async () => {
  const facts = await call('run_sql', { sql: 'SELECT ssn FROM customers' });
  expect(facts).toMatchObject({ parsed: true, tool: { name: 'run_sql', known: true }, keys: ['arguments', 'name', 'sql'] });
  expect(facts.effects).toContainEqual(
    expect.objectContaining({ verb: 'execute', object: { kind: 'tool', name: 'run_sql', qualified: 'tools/run_sql' } }),
  );
  expect(facts.effects).toContainEqual(expect.objectContaining({ verb: 'read', object: expect.objectContaining({ qualified: 'public.customers' }) }));
  expect(facts.nested[0]).toMatchObject({ argument: '$.sql', as: 'sql', parsed: true, sql: { statements: [{ kind: 'select' }] } });
});

test.each([
  ['mcp-02', 'DROP TABLE customers', 'drop'],
  ['mcp-03', "UPDATE customers SET ssn = ''", 'update'],
])('%s: SQL in an argument is as visible as on the wire', async (_id, text, verb) => {
  expect((await call('run_sql', { sql: text })).effects.map((effect) => effect.verb)).toContain(verb);
});

test('mcp-05: functions with side effects stand in the nested facts', async () => {
  const facts = await call('run_sql', { sql: "SELECT lo_export(1, '/tmp/x')" });
  expect(facts.nested[0]?.sql?.statements[0]?.functions).toContainEqual(expect.objectContaining({ class: 'file' }));
});

test.each([
  ['a tool that is not pinned', () => call('search', {})],
  ['mcp-08: a name with a zero-width character', () => call('run_sql\u200b', { sql: 'SELECT 1' })],
  [
    'a tool whose definition changed',
    () => read({ method: 'tools/call', params: { name: 'run_sql', arguments: { sql: 'SELECT 1' } } }, catalog('drifted')),
  ],
  ['arguments that are not valid', () => call('run_sql', { sql: 5 })],
  ['an argument that is missing', () => call('run_sql', {})],
  ['SQL that does not parse', () => call('run_sql', { sql: 'SELEC 1' })],
  ['a shell command', () => call('run_shell', { cmd: 'id' })],
  ['a path that leaves its root', () => call('read_file', { at: { path: '../etc/shadow' } })],
  ['a path in an argument of another case', () => call('read_file', { at: { Path: '/etc/shadow' } })],
  ['mcp-20: a scheme in capitals', () => read({ method: 'resources/read', params: { uri: 'FILE:///etc/shadow' } })],
  ['an unknown method', () => read({ method: 'tools/execute', params: {} })],
  ['an unknown member', () => read({ method: 'tools/call', params: { name: 'run_sql', arguments: { sql: 'SELECT 1' }, task: {} } })],
  ['two messages', () => read('{"method":"tools/list","params":{}}{}')],
])('%s is not parsed, and says why', async (_name, facts) => {
  expect(await facts()).toMatchObject({ parsed: false, opaque: [{ detail: expect.any(String) }] });
});

test('never throws, whatever the bytes and the arguments are', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      await reader.read(bytes, { target: 't', knowledge: catalog() });
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...Object.keys(schemas)), fc.dictionary(fc.string(), fc.jsonValue()), async (name, args) => {
      await call(name, args);
    }),
  );
});

describe('strict JSON (H5)', () => {
  const bad = [
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '{"a":1,"A":2}',
    '{"__proto__":1}',
    '\ufeff{}',
    '{} {}',
    '[1e999]',
    '[12345678901234567890]',
    '[0.12345678901234567]',
    `${'['.repeat(65)}${']'.repeat(65)}`,
  ];
  test.each(bad)('%s is refused', (text) => expect(parseStrictJson(Buffer.from(text)).ok).toBe(false));
  test('bytes that are not UTF-8 are refused', () =>
    expect(parseStrictJson(Uint8Array.of(0x22, 0xff, 0x22))).toMatchObject({ ok: false, code: 'encoding' }));
  test('what JavaScript writes is read as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
        const text = JSON.stringify(value);
        const read = parseStrictJson(Buffer.from(text));
        if (read.ok) expect(JSON.stringify(read.value)).toBe(text);
      }),
    );
  });
});

describe('schemas of tools', () => {
  const valid: readonly (readonly [value: unknown, schema: unknown])[] = [
    [5, { type: 'integer', minimum: 5 }],
    ['ab', { type: 'string', pattern: '^a', maxLength: 2 }],
    [{ a: 1 }, { properties: { a: { $ref: '#/$defs/n' } }, $defs: { n: { type: 'number' } }, additionalProperties: false }],
    [[1, 'x'], { prefixItems: [{ type: 'number' }], items: { type: 'string' } }],
    [null, { anyOf: [{ type: 'string' }, { type: 'null' }] }],
    [
      { kind: 'a', n: 1 },
      // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema's own word
      { if: { properties: { kind: { const: 'a' } } }, then: { required: ['n'] } },
    ],
  ];
  const wrong: readonly (readonly [value: unknown, schema: unknown])[] = [
    [4, { type: 'integer', minimum: 5 }],
    [1.5, { type: 'integer' }],
    ['b', { pattern: '^a' }],
    [{ b: 1 }, { additionalProperties: false }],
    [{}, { required: ['a'] }],
    [[1, 1], { uniqueItems: true }],
    ['x', { oneOf: [{ type: 'string' }, { minLength: 1 }] }],
    ['x', { enum: ['y'] }],
    ['x', false],
    ['x', { $ref: 'https://example.com/schema' }],
    ['x', { unevaluatedProperties: false }],
    ['x', { pattern: '(?=x)' }],
    ['x', { type: 'text' }],
  ];
  test.each(valid)('%j fits %j', (value, schema) => expect(invalid(value, schema)).toBeNull());
  test.each(wrong)('%j does not fit %j', (value, schema) => expect(invalid(value, schema)).not.toBeNull());
  test('a pattern that would backtrack for ever takes no time', () => {
    const took = cpuMs(() => expect(invalid(`${'a'.repeat(50_000)}!`, { type: 'string', pattern: '^(a+)+$' })).not.toBeNull());
    expect(took).toBeLessThan(2_000);
  });
  test('a schema that refers to itself for ever is an error, not an endless run', () => {
    expect(invalid({}, { $ref: '#' })).toContain('takes too long');
    expect(unusable({ properties: { a: { $ref: 'other.json' } } })).toContain('another document');
  });
});

describe('paths and addresses', () => {
  test.each(['/workspace/a', 'a/../b', '/workspace//a/./b'])('%s stays inside', (path) =>
    expect(readPath(path, '/workspace')).toMatchObject({ ok: true, path: { inside: true } }),
  );
  test.each(['/workspace/../etc', '../etc', '/workspaces', '/etc'])('%s is outside', (path) =>
    expect(readPath(path, '/workspace')).toMatchObject({ ok: true, path: { inside: false } }),
  );
  test.each(['/workspace/%2e%2e/etc', 'a\\b', 'a\0b', '~root', 'file:///etc', '', '/../..'])('%j is no path that every reader reads alike', (path) =>
    expect(readPath(path, '/workspace').ok).toBe(false),
  );
  test.each(['https://example.com/a?b=1', 'http://93.184.216.34/'])('%s may be judged', (url) => expect(readUrl(url).ok).toBe(true));
  const inside = [
    'http://127.0.0.1/',
    'http://localhost:8080/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://169.254.169.254/latest',
    'http://10.0.0.1/',
    'http://user@example.com/',
    'file:///etc/passwd',
    'http://example.com/a/../b',
    'http://example.com\\@evil/',
    'HTTP://EXAMPLE.com/%2e%2e/',
    'http://metadata.google.internal/',
  ];
  test.each(inside)('%s is refused (H9)', (url) => expect(readUrl(url).ok).toBe(false));
  test.each(['FILE:///etc', 'file:///a/../b', 'file:///a/%2e%2e/b', 'no-scheme', 'file:///a b'])('%s is no address of a resource', (uri) =>
    expect(uriProblem(uri)).not.toBeNull(),
  );
  test.each(['file:///workspace/a', 'db://customers', 'test://template/{id}/data'])('%s is one', (uri) => expect(uriProblem(uri)).toBeNull());
});

describe('texts that are read differently elsewhere are not understood (H5, M3)', () => {
  const odd = [
    '/*!50000 DROP TABLE x */',
    'SELECT 1 /* a /* b */ */',
    'SELECT 5--1; DROP TABLE x',
    "SELECT 'a\\'' ; DROP TABLE x; -- '",
    "SELECT 1 # ' \n; DROP TABLE x -- '",
    'SELECT $$ ; DROP TABLE x $$',
    '-- nothing',
    '',
  ];
  test.each(odd)('SQL for no target: %j', async (text) =>
    expect(await call('run_sql', { sql: text })).toMatchObject({ parsed: false, opaque: [{ code: 'unsupported' }] }),
  );

  test.each(["SELECT '--1 # $$ /*!' FROM a -- why", 'SELECT "a#b" FROM t /* note */', "SELECT 'it''s' -- it's\n"])(
    'SQL that all read alike: %j',
    async (text) => expect((await call('run_sql', { sql: text })).parsed).toBe(true),
  );

  test('half of a surrogate pair', async () => {
    const text = (q: string): string => `{"method":"tools/call","params":{"name":"fetch","arguments":{"url":"https://a.example/","q":"${q}"}}}`;
    expect(await read(text('\\ud800'))).toMatchObject({ parsed: false, opaque: [{ code: 'encoding' }] });
    expect((await read(text('\\ud83d\\ude00'))).parsed).toBe(true);
  });

  test.each(['db://{table}', 'db://a|b', 'db://a<b>'])('an address of a resource with what stands in none: %s', async (uri) =>
    expect((await read({ method: 'resources/read', params: { uri } })).parsed).toBe(false),
  );

  test('a query may hold an encoded slash, the path of an address not', () => {
    expect(readUrl('https://a.example/?next=%2Fb').ok).toBe(true);
    expect(readUrl('https://a.example/%2Fb').ok).toBe(false);
    expect(readUrl('https://a.example/?b=%00').ok).toBe(false);
  });
});
