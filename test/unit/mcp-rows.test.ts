/** What counts as rows of an answer of MCP: for the record, and for the ceilings of agents. */
import { expect, test } from 'vitest';
import { rowsOf } from '#enforcers/mcp/rows';

const text = (value: unknown): object => ({ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) });
const rows = [{ id: 1, tags: ['a', 'b', 'c', 'd'] }, { id: 2 }, { id: 3 }];
const deep = (levels: number): unknown => (levels === 0 ? rows : { inner: deep(levels - 1) });

test.each([
  ['nothing', {}, 0],
  ['no content', { content: [] }, 0],
  ['entries of a list, and not of those inside of it', { content: [text(rows)] }, 3],
  ['entries below a name', { structuredContent: { columns: ['id', 'tags'], rows } }, 3],
  ['the longest of several lists', { structuredContent: { rows, columns: ['a', 'b', 'c', 'd', 'e'] } }, 5],
  ['what is said twice, once', { content: [text(rows)], structuredContent: { rows } }, 3],
  ['several texts, all of them', { content: [text(rows), text(rows)] }, 6],
  ['text that is more than its structure', { content: [text(rows), text(rows)], structuredContent: { rows } }, 6],
  ['one object', { content: [text({ id: 1 })] }, 1],
  ['lines of what is no JSON', { content: [text('id,name\n1,Ann\n2,Bob\n')] }, 3],
  ['lines of documents one after another', { content: [text('{"id":1}\n{"id":2}')] }, 2],
  ['lines of what looks like JSON', { content: [text('[1] see\n[2] there')] }, 2],
  ['an embedded resource', { content: [{ type: 'resource', resource: { uri: 'x:y', text: JSON.stringify(rows) } }] }, 3],
  ['pictures', { content: [{ type: 'image', data: 'AA==', mimeType: 'image/png' }] }, 1],
  ['lists far inside', { structuredContent: deep(80) }, 3],
  ['records inside of records', { structuredContent: { orders: [{ lines: [{}, {}, {}] }, { lines: [] }] } }, 5],
  ['what is no content', { content: [null, 1, 'a', ['b']] }, 0],
])('%s', (_what, result, expected) => {
  expect(rowsOf('tools/call', { ok: true, result: result as Record<string, unknown> })).toBe(expected);
});

test('what is read counts, what is only listed or failed does not', () => {
  expect(
    rowsOf('resources/read', {
      ok: true,
      result: {
        contents: [
          { uri: 'x:y', text: JSON.stringify(rows) },
          { uri: 'x:z', text: 'a\nb' },
        ],
      },
    }),
  ).toBe(5);
  expect(rowsOf('tools/list', { ok: true, result: { tools: rows } })).toBe(0);
  expect(rowsOf('tools/call', { ok: false, error: { code: -1, message: 'no', data: rows } })).toBe(0);
});
