/** `interlock decide` needs no gateway and no database (SURFACE.md): what it answers under the corpus profile, with a catalog and without. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Decision } from '#schemas/decision';
import type { DecisionRequest } from '#schemas/decision-request';
import { maskCatalog } from '#test/support/mask-catalog';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'engine', 'cli', 'main.ts');
const config = join(root, 'test', 'corpus', 'interlock.yaml');

let dir: string;
let catalog: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'interlock-decide-'));
  catalog = join(dir, 'catalog.json');
  writeFileSync(catalog, JSON.stringify(maskCatalog()));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function decide(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const env = { ...process.env, INTERLOCK_TEST_PG_URL: 'postgresql://nobody:nothing@127.0.0.1:1/app' };
  try {
    return { code: 0, ...(await run(process.execPath, [cli, 'decide', '-c', config, ...args], { env })) };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

interface Case {
  readonly id: string;
  readonly subject: object;
  readonly statement: string;
}
async function cases(list: readonly Case[], ...args: string[]): Promise<Readonly<Record<string, Decision>>> {
  const file = join(dir, 'cases.jsonl');
  writeFileSync(file, list.map((one) => JSON.stringify({ resource: 'corpus', ...one })).join('\n'));
  const { code, stdout, stderr } = await decide('--cases', file, ...args, '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const lines = stdout.trim().split('\n');
  return Object.fromEntries(lines.map((line) => JSON.parse(line) as { id: string; decision: Decision }).map(({ id, decision }) => [id, decision]));
}

const app = { login: 'alice', groups: ['app'] };
const READ = ['--target', 'corpus', '--login', 'alice', '--group', 'app'];
const three: readonly Case[] = [
  { id: 'orders', subject: app, statement: 'SELECT * FROM orders' },
  { id: 'one', subject: { login: 'bob', groups: ['app-readonly'] }, statement: 'SELECT 1' },
  { id: 'ssn', subject: app, statement: 'SELECT ssn FROM customers' },
  { id: 'other schema', subject: app, statement: 'SELECT ssn FROM archive.customers' },
  { id: 'write', subject: app, statement: "UPDATE customers SET name = 'x' WHERE id = 1" },
  { id: 'write that reads', subject: app, statement: "UPDATE customers SET name = 'x' WHERE id = 1 AND ssn = '2'" },
  { id: 'view', subject: app, statement: 'SELECT name FROM customer_contact' },
  { id: 'drop', subject: app, statement: 'DROP TABLE orders' },
];

describe('without a catalog, masks are judged by name', () => {
  test('effects, obligations, and no rewriting', async () => {
    const found = await cases(three);
    expect(Object.fromEntries(Object.entries(found).map(([id, { effect }]) => [id, effect]))).toEqual({
      orders: 'allow',
      one: 'allow',
      ssn: 'mask',
      'other schema': 'allow',
      write: 'allow',
      'write that reads': 'mask',
      view: 'allow',
      drop: 'deny',
    });
    const masks = found['ssn']?.obligations.find(({ type }) => type === 'mask');
    expect(Object.keys((masks?.properties as { columns?: object } | undefined)?.columns ?? {}).sort()).toEqual([
      'public.customers.card_number',
      'public.customers.email',
      'public.customers.ssn',
    ]);
    expect(Object.values(found).some(({ rewrite }) => rewrite !== undefined)).toBe(false);
    expect(found['orders']?.obligations).toEqual([]);
  });

  test('a bare name matches in any schema', async () => {
    const { request, decision } = JSON.parse(
      (await decide(...READ, '--setting', 'search_path=elsewhere', '--statement', 'SELECT * FROM customers', '--json')).stdout,
    ) as { request: DecisionRequest; decision: Decision };
    expect(request.sql?.effects[0]?.object.qualified).toBe('elsewhere.customers');
    expect(decision.effect).toBe('mask');
  });

  test('exit codes: 0 for allow and mask, 1 for deny; it says that masks were judged by name', async () => {
    expect((await decide(...READ, '--statement', 'SELECT * FROM orders')).code).toBe(0);
    const masked = await decide(...READ, '--statement', 'SELECT ssn FROM customers');
    expect(masked).toMatchObject({ code: 0, stdout: expect.stringMatching(/^mask\n[^]*judged by the names of tables; --catalog/) as string });
    expect(await decide(...READ, '--statement', 'DROP TABLE orders')).toMatchObject({ code: 1, stdout: expect.stringMatching(/^deny\n/) as string });
  });
});

describe('with a catalog, as in the gateway', () => {
  test('rewritten, refused where it cannot be masked, and a relation that is not there is refused', async () => {
    const found = await cases(
      [...three, { id: 'nowhere', subject: app, statement: 'SELECT * FROM nowhere' }],
      '--catalog',
      catalog,
      '--database',
      'app',
    );
    expect(found['ssn']).toMatchObject({ effect: 'mask', rewrite: { masked: expect.arrayContaining(['public.customers.ssn']) as string[] } });
    expect(found['orders']).toMatchObject({ effect: 'allow' });
    expect(found['view']).toMatchObject({ effect: 'deny', reasons: [{ code: 'MASK_IMPOSSIBLE' }] });
    expect(found['write that reads']).toMatchObject({ effect: 'deny', reasons: [{ code: 'MASK_IMPOSSIBLE' }] });
    expect(found['nowhere']).toMatchObject({ effect: 'deny', reasons: [{ code: 'MASK_RELATION_UNKNOWN' }] });
  });

  test('a file that is none', async () => {
    expect(await decide(...READ, '--statement', 'SELECT 1', '--catalog', join(dir, 'nothing.json'))).toMatchObject({ code: 2 });
    writeFileSync(join(dir, 'no.json'), '{}');
    expect(await decide(...READ, '--statement', 'SELECT 1', '--catalog', join(dir, 'no.json'))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`relations` missing') as string,
    });
  });
});
