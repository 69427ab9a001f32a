import { Command } from 'commander';
import type { ApprovalView } from '#schemas/approval';
import type { Approver } from '#schemas/decision';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeName, escapeText, warnings } from '../escape.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';
import { field, statementLines } from '../sheet.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly state?: string;
  readonly comment?: string;
}

export function approvalsCommand(): Command {
  const listing = described({
    name: 'list',
    summary: 'requests that you may see: your own, those that name you, or all for a reader',
    examples: [['interlock approvals list --token-file bob.token', 'what waits for bob']],
  })
    .addOption(tokenFileOption())
    .option('--state <state>', 'only requests in this state, such as open')
    .action(runs(listApprovals));
  const showing = described({ name: 'show', summary: 'one request: exactly what would run, who asks, who may decide', examples: [] })
    .argument('<id>')
    .addOption(tokenFileOption())
    .action(runs(showApproval));
  return new Command('approvals')
    .description('approval requests: list, show, approve, deny')
    .addCommand(listing)
    .addCommand(showing)
    .addCommand(verdictCommand('approve', 'approve a request; the token needs scope `approve`, and must not be the requester’s'))
    .addCommand(verdictCommand('deny', 'deny a request; the requester is told the comment'));
}

function verdictCommand(outcome: 'approve' | 'deny', summary: string): Command {
  return described({
    name: outcome,
    summary,
    examples: [[`interlock approvals ${outcome} apr_… --comment "as agreed" --token-file bob.token`, `${outcome} it, and say why`]],
  })
    .argument('<id>')
    .option('--comment <text>', 'recorded, and shown to the requester')
    .addOption(tokenFileOption())
    .action(
      runs<Options>(async (output, options, [id = '']) => {
        const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
        const body = { outcome, ...(options.comment === undefined ? {} : { comment: options.comment }) };
        const view = (await gateway.post(`/v1/approvals/${encodeURIComponent(id)}/verdict`, body)) as ApprovalView;
        output.document(view, () => [`${view.approval_id} is ${view.state}`, ...progress(view)]);
        return 0;
      }),
    );
}

async function listApprovals(output: Output, options: Options): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const query = options.state === undefined ? '' : `?state=${encodeURIComponent(options.state)}`;
  const views = (await gateway.get(`/v1/approvals${query}`)) as readonly ApprovalView[];
  const columns = [
    { title: 'ID' },
    { title: 'STATE' },
    { title: 'WHO', shrinks: true },
    { title: 'TARGET', shrinks: true },
    { title: 'STATEMENT', shrinks: true },
    { title: 'ENDS' },
  ];
  const rows = views.map((view) => [
    view.approval_id,
    view.state,
    view.subject.properties.login,
    view.target,
    view.payload_text.replace(/\s*\n\s*/g, ' ⏎ ').replace(/ +/g, ' '),
    view.state === 'open' ? until(view.expires_at) : '',
  ]);
  output.document(views, () => (views.length === 0 ? ['no approval requests'] : output.table(columns, rows)));
  return 0;
}

/** `in 23h`: how long there still is, rounded down. */
function until(time: string): string {
  const minutes = Math.floor((Date.parse(time) - Date.now()) / 60_000);
  if (!(minutes >= 1)) return 'now';
  return minutes < 60 ? `in ${minutes}m` : `in ${Math.floor(minutes / 60)}h`;
}

async function showApproval(output: Output, options: Options, [id = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const view = (await gateway.get(`/v1/approvals/${encodeURIComponent(id)}`)) as ApprovalView;
  output.document(view, () => detail(view, output.width));
  return 0;
}

/** In the order in which a reviewer asks: who, where, what it does, what exactly, who decides, and how. */
function detail(view: ApprovalView, width: number): readonly string[] {
  const { login, groups, on_behalf_of: owner } = view.subject.properties;
  const { binding } = view;
  const behalf = owner === undefined ? '' : ` for ${escapeName(owner.login)}`;
  const line = (label: string, shown: string): readonly string[] => field(label, shown, width);
  return [
    `${view.approval_id} is ${view.state}${view.denied_by === undefined ? '' : ` by ${escapeName(view.denied_by)}`}`,
    ...line(
      'asked by',
      `${view.subject.type} ${escapeName(login)} (${groups.map(escapeName).join(', ') || 'no groups'})${behalf} at ${minute(view.requested_at)}`,
    ),
    ...line(
      'target',
      `${escapeName(view.target)}, database ${escapeName(binding.database)}, role ${escapeName(binding.role)}, ${TRANSACTION[binding.transaction] ?? ''}`,
    ),
    ...line('under', escapeText(settingsSaid(binding))),
    ...line('does', escapeText(view.summary)),
    ...view.reasons.flatMap(({ code, reason }) => line('because', escapeText(`${code}: ${reason}`))),
    `statement  ${view.payload_text.length} characters, ${view.payload_text.split('\n').length} lines`,
    ...statementLines(view.payload_text, width),
    ...warnings(view.payload_text).map((note) => `  ! ${note}`),
    ...(view.params ?? []).flatMap((value, index) => line(`  $${index + 1}`, escapeText(paramSaid(value, view.param_types?.[index])))),
    ...progress(view),
    ...line(view.state === 'open' ? 'expires' : 'asked until', minute(view.expires_at)),
    ...(view.valid_until === undefined
      ? []
      : line('runs until', `${minute(view.valid_until)}, used ${view.uses} of ${view.requirement.grant.uses ?? 'any number of'} times`)),
    ...(view.comment === undefined ? [] : line('comment', escapeText(view.comment))),
    ...(view.detail === undefined ? [] : line('closed', escapeText(view.detail))),
    ...(view.supersedes === undefined ? [] : line('in place of', escapeText(view.supersedes))),
    ...(view.state === 'open'
      ? line('to decide', `interlock approvals approve ${view.approval_id} --token-file FILE   (or deny, with --comment)`)
      : []),
  ];
}

const TRANSACTION: Readonly<Record<string, string>> = {
  idle: 'not in a transaction',
  fresh: 'first in its transaction',
  open: 'in a transaction that did work',
};

function settingsSaid({ settings, role }: ApprovalView['binding']): string {
  const usual: Readonly<Record<string, string>> = { ...USUAL, session_authorization: role };
  return Object.entries(settings)
    .filter(([name, value]) => value !== '' && usual[name] !== value)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

/** Not worth a word. */
const USUAL: Readonly<Record<string, string>> = {
  role: 'none',
  row_security: 'on',
  session_replication_role: 'origin',
  default_transaction_read_only: 'off',
};

function paramSaid(value: string | null, type: string | undefined): string {
  const of = type === undefined || type === 'unknown' ? '' : ` (${type})`;
  return `${value === null ? 'NULL' : JSON.stringify(value)}${of}`;
}

/** `2026-11-23 10:00 UTC` */
function minute(time: string): string {
  return `${time.slice(0, 16).replace('T', ' ')} UTC`;
}

function progress(view: ApprovalView): readonly string[] {
  return view.progress.map(({ stage, approved_by, needed }) => {
    const who =
      view.requirement.stages
        .find(({ id }) => id === stage)
        ?.any_of.map(approver)
        .join(', ') ?? '';
    return `stage      ${escapeText(stage)}: ${approved_by.length} of ${needed} (${who})${approved_by.length === 0 ? '' : `, approved by ${approved_by.map(escapeName).join(', ')}`}`;
  });
}

function approver(one: Approver): string {
  if ('group' in one) return `group ${escapeName(one.group)}`;
  return 'user' in one ? `user ${escapeName(one.user)}` : escapeText(one.ref);
}
