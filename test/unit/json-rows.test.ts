/** What counts as rows of an answer of HTTP, for the ceilings of agents: the same however the answer comes in pieces. */
import { describe, expect, test } from 'vitest';
import { JsonRows } from '#enforcers/common/json-rows';
import { answerRows } from '#enforcers/http/response/answer-rows';

function rowsOf(type: string | null, body: string, more: { status?: number; encoding?: string; bodiless?: boolean; step?: number } = {}): number {
  const { status = 200, encoding, bodiless = false, step = body.length || 1 } = more;
  const headers = [
    ...(type === null ? [] : [['content-type', type] as const]),
    ...(encoding === undefined ? [] : [['content-encoding', encoding] as const]),
  ];
  const counter = answerRows({ status, headers, bodiless });
  const bytes = Buffer.from(body, 'utf8');
  for (let at = 0; at < bytes.length; at += step) counter?.push(bytes.subarray(at, at + step));
  return counter?.rows ?? 0;
}

const JSON_CASES: readonly (readonly [what: string, body: string, rows: number])[] = [
  ['a list', '[{"id":1},{"id":2},{"id":3}]', 3],
  ['an empty list', ' [ ] ', 0],
  ['one object', '{"id":1,"tags":[],"of":{"a":1}}', 1],
  ['a list below names', '{"data":{"items":[1,2,3,4]}}', 4],
  ['the longest of plain lists', '{"a":[1,2],"b":[1,2,3]}', 3],
  ['several lists of objects, all of them: aliases of GraphQL', '{"data":{"a":[{},{}],"b":[{},{},{}]}}', 5],
  ['objects in lists of objects', '{"orders":[{"lines":[{},{},{}]},{"lines":[{}]}]}', 6],
  ['plain lists inside of a list not', '[{"tags":["a","b","c","d"]},{"tags":[]}]', 2],
  ['a table', '{"columns":["a","b"],"rows":[[1,2],[3,4],[5,6]]}', 3],
  ['brackets, quotes and commas in strings', '[{"a":"]},{\\\"[,"},{"b":"\\\\"},"\u00e9,\\u005b"]', 3],
  ['a lone value', ' 17 ', 1],
  ['documents one after another', '{"id":1}\n{"id":2}\r\n[{},{}]\n3\n', 5],
  ['one that broke off', '[{"id":1},{"id":2},{"i', 3],
  ['nothing', '', 0],
  ['deep brackets', `${'['.repeat(1_000)}{}${']'.repeat(1_000)}`, 1],
];

describe('JSON', () => {
  test.each(JSON_CASES)('%s', (_what, body, rows) => {
    for (let step = 1; step <= Math.min(Math.max(1, body.length), 40); step++)
      expect(rowsOf('application/json', body, { step }), String(step)).toBe(rows);
  });

  test('a document that is cut does not spoil the next', () => {
    const json = new JsonRows();
    json.push(Buffer.from('{"a":["x'));
    json.cut();
    json.push(Buffer.from('[{},{}]'));
    expect(json.rows).toBe(3);
  });
});

test.each<readonly [what: string, type: string | null, body: string, rows: number]>([
  ['lines of JSON', 'application/x-ndjson', '{"id":1}\n{"id":2}\n', 2],
  ['events', 'text/event-stream', 'event: a\ndata: {"id":1}\nid: 7\n\n: alive\n\ndata: [{},\ndata: {}]\n\n', 3],
  ['events of words, one each', 'text/event-stream', 'data: hello\ndata: world\r\n\r\ndata:x\n\nretry: 3\n\ndatax: y\n\n', 2],
  ['an event that broke off in its JSON', 'text/event-stream', 'data: {"a":[1\n\ndata: {"b":2}\n\n', 2],
  ['lines of CSV', 'text/csv; charset=utf-8', 'id,name\n1,Ann\n2,Bob', 3],
  ['pictures', 'image/png', 'x'.repeat(9_000), 1],
  ['a page, by its size', 'text/html', 'x'.repeat(2_049), 3],
  ['XML, by its size', 'application/xml', 'x', 1],
  ['what says not what it is, by its size', null, 'x'.repeat(1_025), 2],
])('%s', (_what, type, body, rows) => {
  for (const step of [1, 2, 3, 7, 5_000]) expect(rowsOf(type, body, { step }), String(step)).toBe(rows);
});

test('what is compressed counts by its size, an error of the target and what has no body not at all', () => {
  expect(rowsOf('application/json', '[1,2,3]', { encoding: 'gzip' })).toBe(1);
  expect(rowsOf('application/json', '[1,2,3]', { status: 404 })).toBe(0);
  expect(rowsOf('application/json', '[1,2,3]', { bodiless: true })).toBe(0);
});
