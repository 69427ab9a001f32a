import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { BaseSequencer } from 'vitest/node';

type Files = Parameters<BaseSequencer['sort']>[0];

/** What takes longest, longest first: nothing long is left for the end, when one of two cores would stand still. The others as vitest puts them. */
const LONGEST = [
  'corpus/corpus',
  'console/pages',
  'chaos/',
  'unit/policies-mutation',
  'e2e/cluster',
  'console/tasks',
  'e2e/cli-gateway',
  'e2e/apart-failure',
  'e2e/cli-start',
  'e2e/enrolment',
  'e2e/approvals-race',
  'e2e/demo',
  'e2e/vault',
  'unit/approvals-model',
  'e2e/',
  'unit/decide-opa-wasi',
  'unit/decide-self-test',
];

class LongestFirst extends BaseSequencer {
  override async sort(files: Files): Promise<Files> {
    return (await super.sort(files)).toSorted((one, other) => rank(one.moduleId) - rank(other.moduleId));
  }
}

function rank(file: string): number {
  const place = LONGEST.findIndex((part) => file.includes(`/test/${part}`));
  return place === -1 ? LONGEST.length : place;
}

/** Two cores, and a third worker: tests wait for their processes a third of the time. Servers are started by the tests that need them and shared per file. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000, interval: 20 } },
    sequence: { sequencer: LongestFirst },
    // hundreds of processes load the same modules: what Node makes of them is kept, which halves what `interlock` costs until it answers
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules', '.cache', 'compiled') },
    reporters: ['default'],
  },
});
