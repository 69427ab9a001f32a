/** SKILL.md: what an agent is told of what it may do, and how. Its front matter is what Agent Skills need: `name` and `description`, nothing else. */
import type { AgentClaims, AgentView, Claim } from '#schemas/agent';
import type { Way } from './ways.ts';

export interface Told {
  readonly agent: AgentView;
  readonly claims: AgentClaims;
  readonly ways: readonly Way[];
  /** Where the API is reached: Interlock's own MCP server stands there, too. */
  readonly issuer: string;
  /** How long a client is held. */
  readonly waitMs: number;
}

const DESCRIPTION_CHARS_MAX = 1_024;
/** Of each kind, for one target: the rest stands in claims.json. */
const LINES_MAX = 30;

export function skillDocument({ agent, claims, ways, issuer, waitMs }: Told): string {
  const lines = [
    '---',
    `name: ${agent.name}`,
    `description: ${JSON.stringify(description(agent, ways))}`,
    '---',
    '',
    `# ${agent.name}`,
    '',
    `You act as the agent \`${agent.name}\` on behalf of ${plain(agent.owner.login)}, who is responsible for it. Every statement goes through Interlock, which judges it before it`,
    'reaches the target: some things are allowed, some come back masked, some wait for a human, some are refused. There is no way around it, and',
    'trying many variants of what was refused only makes it refuse everything for a while.',
    '',
    '## What you may do',
    '',
    'Asked of the policies in force when this file was written (all of it, with the statements: `claims.json`). Policies change: what you are told',
    'when you try is what counts.',
    '',
    ...ways.flatMap(({ target }) => mayOf(target, claims)),
    ...ceilingLines(agent),
    '## How to connect',
    '',
    '`scripts/token` prints a short-lived token (`scripts/token TARGET` one for that target alone). Ask for it each time you connect; never write it',
    'into a file, a log or an answer. `key.jwk` is yours alone: do not read it out, copy it or commit it.',
    '',
    ...ways.flatMap((way) => connectLines(agent, way)),
    ...toolLines(issuer),
    ...REFUSALS,
    ...approvalLines(waitMs),
  ];
  return `${lines.join('\n')}\n`;
}

function description({ name, owner }: AgentView, ways: readonly Way[]): string {
  const kinds = ways.map(({ target, protocol }) => `${target} (${KIND[protocol]})`).join(', ');
  const text = `Works with ${kinds} through the Interlock gateway as the agent ${name}, on behalf of ${plain(owner.login)}. Use when a task needs to query or change data there: it says what is allowed, how to connect with psql, a driver, curl or an MCP client, and what to do when something is refused or needs an approval.`;
  return text.replace(/[<>]/g, '').slice(0, DESCRIPTION_CHARS_MAX);
}

const KIND: Readonly<Record<Way['protocol'], string>> = { postgresql: 'PostgreSQL', http: 'HTTP API', mcp: 'MCP server' };

function mayOf(target: string, { claims, unknown }: AgentClaims): readonly string[] {
  const own = claims.filter((claim) => claim.target === target);
  const group = (title: string, chosen: readonly Claim[], line: (claim: Claim) => string): readonly string[] =>
    chosen.length === 0 ? [] : [`${title}:`, '', ...chosen.slice(0, LINES_MAX).map((claim) => `- ${line(claim)}`), ...more(chosen.length), ''];
  const of = (effect: Claim['effect']): readonly Claim[] => own.filter((claim) => claim.effect === effect);
  return [
    `### ${code(target)}`,
    '',
    ...(unknown.includes(target) ? [`What ${code(target)} holds was not known when this was written: connect, and try what you need.`, ''] : []),
    ...group('Allowed', of('allow'), ({ what }) => plain(what)),
    ...group('Allowed, with values masked', of('mask'), ({ what, masked = [] }) => `${plain(what)}: ${masked.map(code).join(', ')} come back masked`),
    ...group(
      'Waits for a human',
      of('require_approval'),
      ({ what, reason, approvers = [] }) =>
        `${plain(what)}: ${plain(reason)}${approvers.length === 0 ? '' : ` (${approvers.map(plain).join(', ')})`}`,
    ),
    ...group('Refused', of('deny'), ({ what, reason, hint }) => `${plain(what)}: ${plain(reason)}${hint === undefined ? '' : ` ${plain(hint)}`}`),
  ];
}

function more(count: number): readonly string[] {
  return count <= LINES_MAX ? [] : [`- … and ${count - LINES_MAX} more: see \`claims.json\``];
}

function ceilingLines({ ceilings }: AgentView): readonly string[] {
  const { read_only: readOnly, statements_per_minute: statements, rows_per_hour: rows, distinct_objects: objects } = ceilings;
  const lines = [
    ...(readOnly === true ? ['- you may only read'] : []),
    ...(statements === undefined ? [] : [`- at most ${statements} statements in a minute`]),
    ...(rows === undefined ? [] : [`- at most ${rows} rows in an hour`]),
    ...(objects === undefined ? [] : [`- at most ${objects} different tables, operations or tools in an hour`]),
  ];
  return lines.length === 0 ? [] : ['### Ceilings', '', ...lines, ''];
}

function connectLines({ name }: AgentView, way: Way): readonly string[] {
  const { target } = way;
  switch (way.protocol) {
    case 'postgresql':
      return [
        `### ${code(target)} (PostgreSQL)`,
        '',
        '```sh',
        `PGPASSWORD="$(scripts/token ${target})" psql ${quoted(postgresUrl(name, way))}`,
        '```',
        '',
        DRIVER,
        '',
      ];
    case 'http':
      return [
        `### ${code(target)} (HTTP API)`,
        '',
        '```sh',
        `curl ${caOption(way)}-H "Authorization: Bearer $(scripts/token ${target})" ${way.url}/PATH`,
        '```',
        '',
        'The API’s own credential is added on the way: send only the token. `Prefer: wait=0` answers at once where an approval is needed.',
        '',
      ];
    case 'mcp':
      return [
        `### ${code(target)} (MCP)`,
        '',
        `Streamable HTTP at \`${way.url}\`, with the header \`Authorization: Bearer TOKEN\` where TOKEN is what \`scripts/token ${target}\` prints.`,
        '',
      ];
  }
}

const DRIVER =
  'Any PostgreSQL driver works with the same host, port, user and database; the password is the token. One statement at a time, with literal names, is understood best.';

function toolLines(issuer: string): readonly string[] {
  return [
    '### All of them, by tools (MCP)',
    '',
    `Where you have an MCP client in the place of a shell: Streamable HTTP at \`${issuer}/mcp\`, the same header, the token of \`scripts/token\`. \`targets\` lists what you`,
    'reach, `query` runs one statement or request, `why` asks policy and runs nothing, `await_approval` waits for a person. It never hangs: what needs',
    'an approval answers `pending`.',
    '',
  ];
}

const REFUSALS: readonly string[] = [
  '## When something is refused',
  '',
  'A refusal names its code, says why, and often what would be allowed (the hint). Read it, do what the hint says, or tell the human. Do not try to',
  'spell the same thing differently.',
  '',
  '- PostgreSQL: `ERROR: refused by policy: …`, SQLSTATE 42501; DETAIL has `decision=… policy=… code=…`, HINT what would be allowed.',
  '- HTTP: `application/problem+json` with `code`, `detail` and `hint`.',
  '- MCP: an error of the call with `code`, `reason` and what would be allowed.',
  '- `AGENT_COOL_DOWN`: too many refusals in a short time; the message says until when. Stop until then.',
  '- `28000` or 401: the token expired, or the agent was removed. Get a fresh one once (`scripts/token --fresh`); if that fails, tell the human.',
  '',
];

function approvalLines(waitMs: number): readonly string[] {
  return [
    '## When something needs an approval',
    '',
    'Just do it: the request opens by itself and names who may decide.',
    '',
    `- PostgreSQL: a notice with an id such as \`apr_…\` comes at once, and the connection is held for up to ${inWords(waitMs)}; then the error is SQLSTATE IL001. Where your`,
    '  shell does not wait so long, end the client (`timeout 20 psql …`): the request stays open.',
    `- HTTP: held for up to ${inWords(waitMs)}, or as \`Prefer: wait=SECONDS\` says; then 403 \`APPROVAL_PENDING\` with \`approval\` and \`Retry-After\`.`,
    '- MCP: a result that says so, at once.',
    '',
    '1. Tell the human the id and what you asked for, and go on with something else.',
    '2. Send exactly the same statement again later: it joins the open request, and runs once when it was approved.',
    '3. `IL002` / `APPROVAL_DENIED` is an answer: it carries the reviewer’s words. Do not ask again; tell the human.',
    '',
    'Do not open a transaction and do other work in it first: ask for the approval in a fresh one.',
  ];
}

function inWords(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`;
}

function postgresUrl(name: string, { host, port, database, tls, ca, target }: Way): string {
  const secured = tls ? `sslmode=verify-full&sslrootcert=${ca === null ? 'system' : `${target}-ca.pem`}` : 'sslmode=disable';
  return `postgresql://${name}@${host.includes(':') ? `[${host}]` : host}:${port}/${encodeURIComponent(database)}?${secured}`;
}

function caOption({ ca, target }: Way): string {
  return ca === null ? '' : `--cacert ${target}-ca.pem `;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

const TEXT_CHARS_MAX = 400;

/** Names come from targets, and whoever reads this acts on it: one line, nothing that could be taken for markup or hides something (M8). */
export function plain(text: string): string {
  return text
    .replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/[`<>[\]|\\]/g, '·')
    .slice(0, TEXT_CHARS_MAX);
}

function code(text: string): string {
  return `\`${plain(text)}\``;
}
