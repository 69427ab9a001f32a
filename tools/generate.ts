/** `npm run generate`: writes every file that is made from code. `--check` says which ones differ, and writes nothing. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { renderSupport as renderHttpSupport } from '#enforcers/http/support';
import { renderSupport as renderMcpSupport } from '#enforcers/mcp/support';
import { renderSupport } from '#enforcers/postgres/support';
import { renderMetrics } from '#engine/operations/metrics/document';
import { AgentClaims, AgentView } from '#schemas/agent';
import { ApprovalView } from '#schemas/approval';
import { Config } from '#schemas/config';
import { CONTRACT_VERSION } from '#schemas/common';
import { Decision } from '#schemas/decision';
import { DecisionRequest } from '#schemas/decision-request';
import { EnforcerPage, EnforcerSelf } from '#schemas/enforcer-report';
import { EnforcerInvitation, EnforcerView } from '#schemas/enrolment';
import { ERRORS } from '#schemas/errors';
import { EventBase, EVENTS } from '#schemas/event';
import { DelegationPage, InboxPage, LiveEvent, Me, RequestPage, SessionDetail, SessionPage, StatementPage } from '#schemas/review';
import { HttpFacts } from '#schemas/http-facts';
import { McpFacts } from '#schemas/mcp-facts';
import { SqlFacts } from '#schemas/sql-facts';

/** What the routes of SURFACE.md answer. */
const PAGES = {
  Me,
  InboxPage,
  RequestPage,
  SessionPage,
  SessionDetail,
  StatementPage,
  DelegationPage,
  LiveEvent,
  EnforcerPage,
  EnforcerSelf,
  EnforcerView,
  EnforcerInvitation,
  AgentView,
  AgentClaims,
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Path in the repository → content. */
export function generated(): ReadonlyMap<string, string> {
  return new Map([
    ['schemas/config.json', schema('interlock.yaml', Config)],
    ['schemas/sql-facts.json', schema('Facts of SQL', SqlFacts)],
    ['schemas/http-facts.json', schema('Facts of HTTP', HttpFacts)],
    ['schemas/mcp-facts.json', schema('Facts of MCP', McpFacts)],
    ['schemas/decision-request.json', schema('Decision request', DecisionRequest)],
    ['schemas/decision.json', schema('Decision', Decision)],
    ['schemas/event.json', schema('Event', { allOf: [EventBase, { anyOf: Object.values(EVENTS) }] })],
    ['schemas/approval.json', schema('Approval request', ApprovalView)],
    ['schemas/review.json', schema('Pages of the HTTP API, by name', { $defs: PAGES })],
    ['ERRORS.md', errors()],
    ['METRICS.md', renderMetrics()],
    ['enforcers/postgres/SUPPORT.md', renderSupport()],
    ['enforcers/mcp/SUPPORT.md', renderMcpSupport()],
    ['enforcers/http/SUPPORT.md', renderHttpSupport()],
  ]);
}

/** Those whose content in the repository is another, or that are missing. */
export async function drifted(): Promise<readonly string[]> {
  const differs = [...generated()].map(async ([path, content]) =>
    (await readFile(join(root, path), 'utf8').catch(() => null)) === content ? [] : [path],
  );
  return (await Promise.all(differs)).flat();
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main(process.argv.includes('--check'));

async function main(check: boolean): Promise<void> {
  const paths = await drifted();
  if (check && paths.length > 0) {
    console.log(`not what the code says (npm run generate): ${paths.join(', ')}`);
    process.exitCode = 1;
    return;
  }
  for (const path of paths) {
    const file = join(root, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, generated().get(path) ?? '');
    console.log(`written: ${path}`);
  }
}

function schema(title: string, content: object): string {
  const head = {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title,
    $comment: `contract ${CONTRACT_VERSION}; written by npm run generate`,
  };
  return `${JSON.stringify({ ...head, ...content }, null, 2)}\n`;
}

function errors(): string {
  const rows = Object.entries(ERRORS).map(
    ([code, { sqlstate, meaning, remedy }]) =>
      `| \`${code}\` | ${sqlstate === null ? '–' : `\`${sqlstate}\``} | ${cell(meaning)} | ${cell(remedy)} |`,
  );
  return `# Errors

Written by \`npm run generate\` from \`schemas/errors.ts\`. These are the codes that Interlock itself emits; policies add their own. A code
stays what it is once released. SQLSTATE is what a PostgreSQL client sees; \`–\`: the code never reaches one, only commands, the API and the log.

| Code | SQLSTATE | Meaning | Remedy |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
