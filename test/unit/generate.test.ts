/** Files that are written from code are what the code says: schemas/*.json, ERRORS.md, SUPPORT.md. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ERRORS } from '#schemas/errors';
import { drifted, generated } from '#tools/generate';

const root = join(import.meta.dirname, '..', '..');

test('nothing has drifted', async () => {
  expect(generated().size).toBeGreaterThan(7);
  expect(await drifted()).toEqual([]);
});

test('ERRORS.md has every code with its SQLSTATE, meaning and remedy, and no other', () => {
  const rows = readFileSync(join(root, 'ERRORS.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2, -2).split(' | '));
  expect(
    Object.fromEntries(
      rows.map(([code = '', sqlstate, meaning, remedy]) => [
        code.slice(1, -1),
        { sqlstate: sqlstate === '–' ? null : sqlstate?.slice(1, -1), meaning, remedy },
      ]),
    ),
  ).toEqual(ERRORS);
});

test('the published schemas are JSON Schema of a known draft, and say which contract they are of', () => {
  for (const [path, content] of generated()) {
    if (!path.endsWith('.json')) continue;
    expect(JSON.parse(content)).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $comment: expect.stringContaining('contract 1') as unknown,
    });
  }
});
