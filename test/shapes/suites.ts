/**
 * The suites that drive a whole gateway through its clients, and so say the same of every shape. Not in here: those that look into one process
 * (its files, its journal, its signals, its crash), and those of what only an engine has (console, API, notification): they run once.
 */
export const SUITES: readonly string[] = [
  'test/conformance/transparency.test.ts',
  'test/e2e/approvals-binding.test.ts',
  'test/e2e/approvals-chains.test.ts',
  'test/e2e/approvals-clients.test.ts',
  'test/e2e/approvals-lifecycle.test.ts',
  'test/e2e/approvals-race.test.ts',
  'test/e2e/approvals-reviewers.test.ts',
  'test/e2e/approvals-waiting.test.ts',
  'test/e2e/masked-record.test.ts',
  'test/e2e/policy-shadow.test.ts',
];
