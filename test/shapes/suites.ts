import { globSync } from 'node:fs';

/**
 * The suites that say the same of every shape. Most drive a whole gateway through its clients. Those of the enforcer alone (`postgres-*`, `approved-*`)
 * have it in the test's process, with fakes behind it: apart, it asks them over a real private channel (test/support/over-channel.ts).
 */
export const SUITES: readonly string[] = [
  'test/conformance/transparency.test.ts',
  'test/conformance/authzen/certification.test.ts',
  'test/conformance/authzen/requests.test.ts',
  'test/e2e/approvals-binding.test.ts',
  'test/e2e/approvals-chains.test.ts',
  'test/e2e/approvals-clients.test.ts',
  'test/e2e/approvals-lifecycle.test.ts',
  'test/e2e/approvals-race.test.ts',
  'test/e2e/approvals-reviewers.test.ts',
  'test/e2e/approvals-waiting.test.ts',
  'test/e2e/approved-tampering.test.ts',
  'test/e2e/approved-writes.test.ts',
  'test/e2e/ask-only.test.ts',
  'test/e2e/assistant.test.ts',
  'test/e2e/authzen.test.ts',
  'test/e2e/cli-watch.test.ts',
  'test/e2e/console-oidc.test.ts',
  'test/e2e/http-gateway.test.ts',
  'test/e2e/masked-record.test.ts',
  'test/e2e/mcp-gateway.test.ts',
  'test/e2e/mcp-pack.test.ts',
  'test/e2e/mcp-restart.test.ts',
  'test/e2e/mcp-sql.test.ts',
  'test/e2e/notify.test.ts',
  'test/e2e/policy-reload.test.ts',
  'test/e2e/policy-shadow.test.ts',
  'test/e2e/postgres-approvals.test.ts',
  'test/e2e/postgres-fuzz.test.ts',
  'test/e2e/postgres-session.test.ts',
  'test/e2e/postgres-simple.test.ts',
  'test/e2e/postgres-wire.test.ts',
];

const NO_GATEWAY = 'has no gateway: one part, in the process of the test; the corpus takes the same masks and facts through every shape';
const OWN_SHAPE = 'brings the processes that it is about, whatever INTERLOCK_SHAPE says';
const ONE_PROCESS = 'is about the files, the signals, the end or the configuration of one process';
const RECORD =
  "looks for sessions and statements where only one process' journal has them: apart they are in the archive, which has suites of its own";

const IN_TEST =
  'has its enforcer in the process of the test, and what it asks is not put behind a channel there; a whole gateway of its kind has a suite above';
const ENGINES = 'is about what only an engine has, and reaches targets by the listeners that one configuration names';

/** The others run once, and why. `npm run shapes` does not begin before each suite stands here or above. */
export const ONCE: Readonly<Record<string, string>> = {
  'test/e2e/mask-corpus.test.ts': NO_GATEWAY,
  'test/e2e/mask-traps.test.ts': NO_GATEWAY,
  'test/e2e/mask-twin.test.ts': NO_GATEWAY,
  'test/e2e/postgres-catalog.test.ts': NO_GATEWAY,
  'test/e2e/relations-oracle.test.ts': NO_GATEWAY,
  'test/e2e/cli-decide.test.ts': NO_GATEWAY,
  'test/e2e/http-reload.test.ts': ONE_PROCESS,
  'test/e2e/archive.test.ts': NO_GATEWAY,
  'test/e2e/archive-mirror.test.ts': NO_GATEWAY,
  'test/e2e/postgres-archive.test.ts': NO_GATEWAY,
  'test/e2e/nats-cluster.test.ts': NO_GATEWAY,
  'test/e2e/nats-permissions.test.ts': NO_GATEWAY,
  'test/e2e/agent-apart.test.ts': OWN_SHAPE,
  'test/e2e/apart.test.ts': OWN_SHAPE,
  'test/e2e/apart-failure.test.ts': OWN_SHAPE,
  'test/e2e/archive-gateway.test.ts': OWN_SHAPE,
  'test/e2e/cluster.test.ts': OWN_SHAPE,
  'test/e2e/demo.test.ts': OWN_SHAPE,
  'test/e2e/demo-model.test.ts': OWN_SHAPE,
  'test/e2e/approvals-forged.test.ts': OWN_SHAPE,
  'test/e2e/engines.test.ts': OWN_SHAPE,
  'test/e2e/enrolment.test.ts': OWN_SHAPE,
  'test/e2e/no-telemetry.test.ts': OWN_SHAPE,
  'test/e2e/operations-apart.test.ts': OWN_SHAPE,
  'test/e2e/package.test.ts': OWN_SHAPE,
  'test/e2e/policy-bundle.test.ts': OWN_SHAPE,
  'test/e2e/vault.test.ts': OWN_SHAPE,
  'test/e2e/approvals-crash.test.ts': ONE_PROCESS,
  'test/e2e/cli-init.test.ts': ONE_PROCESS,
  'test/e2e/getting-started.test.ts': ONE_PROCESS,
  'test/e2e/cli-start.test.ts': ONE_PROCESS,
  'test/e2e/cli-tls.test.ts': ONE_PROCESS,
  'test/e2e/credentials-canary.test.ts': ONE_PROCESS,
  'test/e2e/operations.test.ts': ONE_PROCESS,
  'test/e2e/operations-drain.test.ts': ONE_PROCESS,
  'test/e2e/operations-reload.test.ts': ONE_PROCESS,
  'test/e2e/operations-state.test.ts': ONE_PROCESS,
  'test/e2e/operations-traces.test.ts': ONE_PROCESS,
  'test/e2e/claude-code.test.ts': IN_TEST,
  'test/e2e/http-again.test.ts': IN_TEST,
  'test/e2e/http-benign.test.ts': IN_TEST,
  'test/e2e/http-session.test.ts': IN_TEST,
  'test/e2e/http-strict.test.ts': IN_TEST,
  'test/e2e/http2.test.ts': IN_TEST,
  'test/e2e/mcp-approvals.test.ts': IN_TEST,
  'test/e2e/mcp-calls.test.ts': IN_TEST,
  'test/e2e/mcp-conformance.test.ts': IN_TEST,
  'test/e2e/mcp-credentials.test.ts': IN_TEST,
  'test/e2e/mcp-held.test.ts': ONE_PROCESS,
  'test/e2e/mcp-modern.test.ts': IN_TEST,
  'test/e2e/mcp-resume.test.ts': IN_TEST,
  'test/e2e/mcp-stdio.test.ts': IN_TEST,
  'test/e2e/agents.test.ts': ENGINES,
  'test/e2e/cli-run.test.ts': ENGINES,
  'test/e2e/approvals-display.test.ts': RECORD,
  'test/e2e/cli-gateway.test.ts': RECORD,
  'test/e2e/console-login.test.ts': RECORD,
  'test/e2e/projection.test.ts': RECORD,
};

/** Suites of which nobody has said yet where they run. */
export function unplaced(cwd: string): readonly string[] {
  const all = globSync('test/{e2e,conformance}/**/*.test.ts', { cwd });
  return all.filter((suite) => !SUITES.includes(suite) && !Object.hasOwn(ONCE, suite)).sort();
}
