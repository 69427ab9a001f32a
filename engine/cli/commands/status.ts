import type { Command } from 'commander';
import type { EnforcerReport } from '#schemas/enforcer-report';
import { EXIT } from '#schemas/errors';
import type { Status } from '../../api/parts.ts';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';

interface Options extends Common {
  readonly tokenFile?: string;
}

export function statusCommand(): Command {
  return described({
    name: 'status',
    summary: 'how a running gateway and its enforcers are: health, policies in force, lag, backlog, clocks; exit 1 when something is wrong',
    examples: [
      ['interlock status --token-file alice.token', 'is it well, and which policies are in force?'],
      ['interlock status --token-file alice.token --json | jq .problems', 'what is wrong, for a script'],
    ],
  })
    .addOption(tokenFileOption())
    .action(
      runs<Options>(async (output, options) => {
        const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
        const status = (await gateway.get('/v1/status')) as Status;
        output.document(status, () => shown(status, output));
        return status.ok ? EXIT.ok : EXIT.no;
      }),
    );
}

function shown(status: Status, output: Output): readonly string[] {
  const { enforcers, problems = [] } = status;
  return [
    `ok              ${status.ok ? 'yes' : 'NO'}`,
    ...problems.map(({ code, detail, serious }) => `${serious ? 'PROBLEM' : 'problem'}         ${code}: ${escapeText(detail)}`),
    `policies        ${status.revision}${status.policy_error === null ? '' : ' (the last good revision)'}`,
    ...(status.policy_error === null ? [] : [`policy error    ${escapeText(status.policy_error)}`]),
    ...(status.restart === undefined || status.restart.length === 0 ? [] : [`needs a restart ${escapeText(status.restart.join(', '))}`]),
    ...Object.entries(status.targets).map(([name, target]) => `target          ${escapeText(`${name} ${words(target)}`)}`),
    `journal         ${escapeText(words(status.journal))}`,
    ...(status.projection === undefined ? [] : [`projection      ${escapeText(words(status.projection))}`]),
    `open approvals  ${status.open_approvals}`,
    `sessions        ${status.sessions}`,
    ...(status.notifications.channels === 0 ? [] : [`notifications   ${words(status.notifications)}`]),
    ...(enforcers === undefined || enforcers.length === 0 ? [] : ['', ...table(enforcers, status.revision, output), ...troubles(enforcers)]),
  ];
}

const COLUMNS = [
  { title: 'ENFORCER', shrinks: true },
  { title: 'TARGET' },
  { title: 'HEALTH' },
  { title: 'SESSIONS' },
  { title: 'POLICIES' },
  { title: 'BACKLOG' },
  { title: 'LAG' },
  { title: 'CLOCK' },
  { title: 'SEEN' },
] as const;

function table(enforcers: readonly EnforcerReport[], revision: string, output: Output): readonly string[] {
  const rows = enforcers.map((one) => [
    one.enforcer,
    one.target,
    one.health === 'ok' ? 'ok' : one.health.toUpperCase(),
    String(one.sessions),
    policies(one, revision),
    one.archive === null ? '-' : String(one.archive.backlog_records),
    one.archive === null ? '-' : `${(one.archive.backlog_age_ms / 1000).toFixed(1)} s`,
    one.clock_offset_us === null ? '-' : `${(one.clock_offset_us / 1000).toFixed(1)} ms`,
    one.seen_at === null ? 'never' : one.seen_at.slice(0, 19).replace('T', ' '),
  ]);
  return output.table(COLUMNS, rows);
}

function policies({ judging, revision }: EnforcerReport, newest: string): string {
  if (judging === 'remote') return 'remote';
  if (revision === null) return 'none';
  return `${revision.slice('sha256:'.length, 'sha256:'.length + 12)}${revision === newest ? '' : ' OLD'}`;
}

function troubles(enforcers: readonly EnforcerReport[]): readonly string[] {
  return enforcers.flatMap(({ enforcer, problems }) => problems.map(({ code, detail }) => escapeText(`${enforcer}: ${code}: ${detail}`)));
}

function words(fields: object): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}
