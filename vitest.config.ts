import { defineConfig } from 'vitest/config';

/** Two cores: one worker a core; servers are started by the tests that need them and shared per file. */
export default defineConfig({
  test: { include: ['test/**/*.test.ts'], maxWorkers: 2, testTimeout: 60_000, hookTimeout: 120_000, reporters: ['default'] },
});
