/** The shipped packs as a user tests them: Rego tests, and statements judged by the compiled policies. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openReaders } from '#engine/cli/decide/readers';
import { testPolicies, type PolicyTestReport } from '#engine/decide/policy-tests';
import { tool } from '#tools/tools';

const root = fileURLToPath(new URL('../..', import.meta.url));
const packs = join(root, 'policies');

async function report(dir: string, data: string): Promise<PolicyTestReport> {
  await using readers = await openReaders();
  return testPolicies(dir, { data: [data], opa: () => tool('opa'), facts: readers.facts, masks: readers.masks });
}

const failures = ({ cases }: PolicyTestReport): unknown => cases.filter(({ passed }) => !passed);

test('the packs pass their own tests, with the example data and with the data of `interlock init`', async () => {
  const example = await report(packs, join(packs, 'example.yaml'));
  expect(failures(example)).toEqual([]);
  expect(example.passed).toBeGreaterThan(50);
  expect(await readFile(join(packs, 'README.md'), 'utf8'), 'the figure of its first command').toContain(`\n${example.passed} passed, 0 failed\n`);
  expect(failures(await report(packs, join(root, 'engine/cli/templates/data.yaml')))).toEqual([]);
});
