/** The review text of requests of HTTP and MCP (A7, M8): nothing of it passes for a comment, nothing is left out. */
import { expect, test } from 'vitest';
import { reviewText } from '#engine/approvals/text/text';
import type { ReviewText } from '#schemas/review';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function read(text: string): ReviewText {
  return reviewText({ text: Buffer.from(text), digest: DIGEST, message: true });
}

function whole({ statements }: ReviewText): string {
  return statements.flatMap(({ tokens }) => tokens.map(({ text }) => text)).join('');
}

test('A7: what SQL would call a comment is shown as what it is', () => {
  const text = 'POST /pay\r\ncontent-type: application/x-www-form-urlencoded\r\n\r\nto=bob--&amount=1000000&note=/*x*/';
  const said = read(text);
  const kinds = new Set(said.statements.flatMap(({ tokens }) => tokens.map(({ kind }) => kind)));
  expect(kinds.has('comment')).toBe(false);
  expect(said.statements).toHaveLength(1);
  expect(whole(said)).toContain('to=bob--&amount=1000000&note=/*x*/');
  expect(reviewText({ text: Buffer.from(text), digest: DIGEST }).statements.flatMap(({ tokens }) => tokens.map(({ kind }) => kind))).toContain(
    'comment',
  );
});

test('A7: a semicolon ends nothing, an apostrophe begins nothing', () => {
  const said = read('{"method":"tools/call","params":{"name":"run","arguments":{"sql":"select 1; drop table t","why":"it\'s"}}}');
  expect(said.statements).toHaveLength(1);
  expect(said.statements[0]?.tokens.filter(({ kind }) => kind === 'string').map(({ text }) => text)).toContain('"select 1; drop table t"');
});

test('M8: what cannot be seen is named', () => {
  const said = read('{"note":"a\u202Eb\u200Bc"}');
  expect(whole(said)).toContain('U+202E');
  expect(said.warnings.length).toBeGreaterThan(0);
});

test('a text that is made to be slow is read in one pass', () => {
  const hostile = `{"${'\\"'.repeat(400_000)}`;
  expect(read(hostile).complete).toBe(true);
  expect(read(hostile).statements[0]?.tokens.length).toBeLessThan(100);
});
