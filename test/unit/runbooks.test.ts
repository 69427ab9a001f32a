/** Runbooks: what is bound is never pasted, what cannot be bound is a mistake that names its place. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fill } from '#engine/runbooks/fill';
import { readRunbook, readRunbooks } from '#engine/runbooks/runbook';
import { InterlockError } from '#schemas/errors';

let dir = '';
beforeAll(async () => void (dir = await mkdtemp(join(tmpdir(), 'interlock-runbooks-'))));
afterAll(() => rm(dir, { recursive: true }));

async function book(text: string, name = 'one'): ReturnType<typeof readRunbook> {
  const file = join(dir, `${name}.yaml`);
  await writeFile(file, text);
  return await readRunbook(file);
}

function said(attempt: () => unknown): string {
  try {
    attempt();
  } catch (error) {
    if (error instanceof InterlockError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'nothing';
}

const REFUND = `
description: Refund a payment.
target: shop
parameters:
  payment: { type: integer, min: 1 }
  reason: { type: text, max: 40 }
  state: { type: text, one_of: [refunded, disputed], default: refunded }
statement: |
  UPDATE payments SET state = {{state}}, note = {{ reason }} || '{x}' WHERE id = {{payment}} OR other = {{payment}} -- by {hand}
`;

describe('statements', () => {
  test('values are parameters of the protocol, each once', async () => {
    const filled = fill(await book(REFUND), { payment: '42', reason: "'; DROP TABLE payments --" });
    expect(filled).toEqual({
      kind: 'sql',
      database: null,
      statement: "UPDATE payments SET state = $1, note = $2 || '{x}' WHERE id = $3 OR other = $3 -- by {hand}\n",
      params: ['refunded', "'; DROP TABLE payments --", '42'],
    });
  });

  test('whatever the value is, the statement is the same', async () => {
    const runbook = await book(REFUND.replace('max: 40', 'max: 4000'));
    const usual = fill(runbook, { payment: 1, reason: 'x' });
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (reason) => {
        fc.pre(!reason.includes('\0'));
        expect(fill(runbook, { payment: 1, reason })).toMatchObject({ statement: (usual as { statement: string }).statement });
      }),
    );
  });

  test.each([
    ['a string', "SELECT '{{a}}'"],
    ['an escape string', "SELECT E'\\'{{a}}'"],
    ['a quoted name', 'SELECT "{{a}}"'],
    ['a dollar-quoted body', 'DO $x$ {{a}} $x$'],
    ['a comment', 'SELECT 1 -- {{a}}'],
    ['a nested comment', 'SELECT /* /* */ {{a}} */ 1'],
  ])('a parameter in %s is refused', async (_where, statement) => {
    const text = `description: d\ntarget: t\nparameters: { a: { type: text } }\nstatement: ${JSON.stringify(statement)}\n`;
    await expect(book(text)).rejects.toThrow(/stands in a string, a quoted name or a comment/);
  });
});

describe('statements whose text a parameter would change', () => {
  test.each([
    ['a name', 'SELECT x{{a}}'],
    ['a digit: $1 would be $10', 'SELECT {{a}}0'],
    ['another parameter', 'SELECT {{a}}{{a}}'],
    ['dollars: $$1$ begins a string', 'SELECT ${{a}}$'],
    ['letters beyond ASCII', 'SELECT {{a}}\u00e9'],
    ['a parameter of the protocol: it would be this one', 'SELECT {{a}}, $1'],
  ])('%s', async (_what, statement) => {
    const text = `description: d\ntarget: t\nparameters: { a: { type: text } }\nstatement: ${JSON.stringify(statement)}\n`;
    await expect(book(text)).rejects.toMatchObject({ code: 'RUNBOOK_INVALID' });
  });

  test('what stands beside it otherwise is fine', async () => {
    const text = `description: d\ntarget: t\nparameters: { a: { type: text } }\nstatement: "SELECT ({{a}})::int+{{a}}, 'x $1', $tag$ $1 $tag$, b$1 FROM t"\n`;
    expect(fill(await book(text), { a: '1' })).toMatchObject({ statement: "SELECT ($1)::int+$1, 'x $1', $tag$ $1 $tag$, b$1 FROM t", params: ['1'] });
  });
});

describe('requests', () => {
  const HTTP = `
description: d
target: billing
parameters: { id: { type: text }, amount: { type: integer }, urgent: { type: boolean, default: false } }
http: { method: POST, path: '/refunds/{{id}}?dry={{urgent}}', headers: { X-Why: refund }, body: { amount: '{{amount}}', list: ['{{id}}'] } }
`;

  test('a value is a whole segment, a whole leaf, and keeps its type', async () => {
    expect(fill(await book(HTTP), { id: 'a/../b?c#d %"\'', amount: '7' })).toEqual({
      kind: 'http',
      method: 'POST',
      path: '/refunds/a%2F..%2Fb%3Fc%23d%20%25%22%27?dry=false',
      headers: { 'x-why': 'refund', 'content-type': 'application/json' },
      body: '{"amount":7,"list":["a/../b?c#d %\\"\'"]}',
    });
  });

  test.each(['..', '.', ''])('a segment cannot be %j', async (id) => {
    const runbook = await book(HTTP);
    expect(said(() => fill(runbook, { id, amount: 1 }))).toMatch(/^RUNBOOK_VALUE `id` cannot be a part of a path/);
  });

  test('a value that looks like a path is a value: nothing is left as it stands', async () => {
    await expect(book(HTTP.replace("'{{amount}}'", "'/charges/{{amount}}'"))).rejects.toThrow(/must stand for the whole of it/);
    await expect(book(HTTP.replace('X-Why: refund', "X-Why: '/{{amount}}'"))).rejects.toThrow(/must stand for the whole of it/);
  });

  test('a part of a value is refused', async () => {
    await expect(book(HTTP.replace("'{{amount}}'", "'x{{amount}}'"))).rejects.toThrow(/must stand for the whole of it/);
  });
});

describe('values', () => {
  test.each([
    [{ payment: 0, reason: 'x' }, '`payment` is 0; allowed: integer from 1'],
    [{ payment: '1.5', reason: 'x' }, '`payment` is "1.5"; allowed: integer from 1'],
    [{ payment: 1 }, '`reason` is missing: text to 40 characters'],
    [{ payment: 1, reason: 'x'.repeat(41) }, '`reason` is "xxx'],
    [{ payment: 1, reason: 'x', state: 'gone' }, '`state` is "gone"; allowed: one of refunded, disputed'],
    [{ payment: 1, reason: 'x', other: 1 }, 'has no parameter `other`; it has: payment, reason, state'],
    [{ payment: 1, reason: 'a\0b' }, '`reason` is "a\\u0000b"'],
  ])('%j', async (given, expected) => {
    const runbook = await book(REFUND);
    expect(said(() => fill(runbook, given))).toContain(expected);
  });

  test.each([
    ['date', '2026-02-28', '2026-02-29'],
    ['uuid', '6F9619FF-8B86-D011-B42D-00CF4FC964FF', '6F9619FF'],
    ['boolean', 'true', 'yes'],
    ['number', '-1.25', '1e9'],
  ])('%s', async (type, good, bad) => {
    const runbook = await book(`description: d\ntarget: t\nparameters: { a: { type: ${type} } }\nstatement: SELECT {{a}}\n`);
    expect(fill(runbook, { a: good })).toMatchObject({ params: [good.toLowerCase()] });
    expect(said(() => fill(runbook, { a: bad }))).toMatch(/^RUNBOOK_VALUE/);
  });
});

test('a parameter that is called like what every object has is missing where it is not given', async () => {
  const text = (more: string): string =>
    `description: d\ntarget: t\nparameters: { constructor: { type: text${more} } }\nstatement: SELECT {{constructor}}\n`;
  expect(fill(await book(text(', default: x')), {})).toMatchObject({ params: ['x'] });
  const runbook = await book(text(''));
  expect(said(() => fill(runbook, {}))).toMatch(/^RUNBOOK_VALUE `constructor` is missing/);
});

describe('files', () => {
  test.each([
    ['an unknown key', 'description: d\ntarget: t\nstatment: SELECT 1\n', /statment/],
    ['neither', 'description: d\ntarget: t\n', /needs one of `statement` and `http`/],
    ['a parameter that is not there', 'description: d\ntarget: t\nstatement: SELECT {{a}}\n', /{{a}} has no parameter; there are: none/],
    ['a parameter that is not used', 'description: d\ntarget: t\nparameters: { a: { type: text } }\nstatement: SELECT 1\n', /`a` is not used/],
    ['no YAML', 'a: [', /one\.yaml: /],
  ])('%s', async (_what, text, expected) => {
    await expect(book(text)).rejects.toThrow(expected);
  });

  test('a folder that is not there holds none', async () => {
    expect(await readRunbooks(join(dir, 'nowhere'))).toEqual([]);
  });
});
