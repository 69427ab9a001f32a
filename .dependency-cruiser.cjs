/** Who may import whom (DESIGN §3). test/unit/imports.test.ts proves that these rules judge something, and fire. */
const AREAS = ['cli', 'decide', 'facts', 'approvals', 'journal', 'identity', 'credentials', 'config', 'api', 'nats', 'operations', 'channel', 'apart', 'enrolment', 'bundles', 'agents', 'calls', 'runbooks', 'assistant'];
/** What is spoken over the channel sees its types, as everybody sees the client's. */
const SPOKEN = ['apart', 'enrolment', 'bundles', 'operations'];

/** One home folder for each third-party package of the product. */
const HOMES = {
  typebox: '^schemas/|^engine/(operations|decide|config|bundles|apart|runbooks|assistant)/',
  '@open-policy-agent/opa-wasm': '^engine/decide/',
  'libpg-query-15': '^engine/facts/postgres/',
  'libpg-query-17': '^engine/facts/postgres/',
  re2js: '^engine/facts/mcp/',
  '@peculiar/x509': '^engine/enrolment/',
  'reflect-metadata': '^engine/enrolment/',
  jose: '^engine/(identity|agents)/',
  'openid-client': '^engine/identity/',
  pino: '^engine/config/',
  yaml: '^engine/(config|decide|facts/http|runbooks)/',
  commander: '^engine/cli/',
  '@opentelemetry/api': '^engine/operations/traces/',
  '@opentelemetry/sdk-trace': '^engine/operations/traces/',
  '@opentelemetry/resources': '^engine/operations/traces/',
  '@opentelemetry/exporter-trace-otlp-http': '^engine/operations/traces/',
  graphql: '^engine/facts/http/',
  'ical.js': '^engine/approvals/sources/',
  pg: '^engine/calls/',
  nodemailer: '^engine/approvals/notify/',
  standardwebhooks: '^engine/approvals/notify/',
  '@nats-io/transport-node': '^engine/nats/',
  '@nats-io/jetstream': '^engine/nats/',
  '@nats-io/nkeys': '^engine/nats/',
  react: '^engine/console/',
  'react-dom': '^engine/console/',
  '@base-ui/react': '^engine/console/',
  vite: '^engine/console/',
  '@vitejs/plugin-react': '^engine/console/',
};

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: { pathNot: 'node_modules' }, to: { circular: true } },
    { name: 'schemas-import-nothing-of-ours', severity: 'error', from: { path: '^schemas/' }, to: { path: '^(engine|enforcers|test|tools)/' } },
    { name: 'client-imports-schemas', severity: 'error', from: { path: '^engine/client/' }, to: { path: '^(engine/(?!client/)|enforcers/|test/|tools/)' } },
    ...AREAS.filter((area) => area !== 'cli').map((area) => ({
      name: `engine-${area}-imports-schemas-client-and-itself`,
      severity: 'error',
      from: { path: `^engine/${area}/` },
      to: { path: '^(engine|enforcers|test|tools)/', pathNot: SPOKEN.includes(area) ? `^engine/(client/|${area}/|channel/parts\\.ts$)` : `^engine/(client|${area})/` },
    })),
    { name: 'enforcers-see-only-the-client', severity: 'error', from: { path: '^enforcers/' }, to: { path: '^(engine/(?!client/)|test/|tools/)' } },
    { name: 'common-knows-no-protocol', severity: 'error', from: { path: '^enforcers/common/' }, to: { path: '^enforcers/(?!common/)' } },
    { name: 'one-protocol-knows-no-other', severity: 'error', from: { path: '^enforcers/([^/]+)/' }, to: { path: '^enforcers/', pathNot: '^enforcers/(common|$1)/' } },
    { name: 'product-imports-no-test', severity: 'error', from: { path: '^(engine|enforcers|schemas)/' }, to: { path: '^test/' } },
    { name: 'nobody-imports-the-composition-root', severity: 'error', from: { path: '^engine/', pathNot: '^engine/(cli/|main\\.ts)' }, to: { path: '^engine/main\\.ts$' } },
    ...Object.entries(HOMES).map(([name, home]) => ({
      name: `home-of-${name}`,
      severity: 'error',
      from: { path: '^(engine|enforcers|schemas)/', pathNot: home },
      to: { path: `(^|/)node_modules/${name}/` },
    })),
    {
      name: 'console-imports-schemas-only',
      severity: 'error',
      from: { path: '^engine/console/' },
      to: { path: '^(engine/(?!console/)|enforcers/|test/|tools/)' },
    },
    { name: 'nobody-imports-the-console', severity: 'error', from: { path: '^(engine|enforcers|schemas)/', pathNot: '^engine/console/' }, to: { path: '^engine/console/' } },
    { name: 'unresolved', severity: 'error', from: {}, to: { couldNotResolve: true, pathNot: '^typebox' } },
  ],
  options: {
    tsConfig: { fileName: 'engine/console/tsconfig.json' }, // its `paths` say what `imports` of package.json says to the others
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.(json|wasm)$' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
