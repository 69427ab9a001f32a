import { Command } from 'commander';
import type { ApprovalView } from '#schemas/approval';
import type { Approver } from '#schemas/decision';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeLines, escapeName, escapeText, warnings } from '../escape.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';

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
    view.payload_text.replace(/\s+/g, ' '),
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
  output.document(view, () => detail(view));
  return 0;
}

/** The statement stands between bars, so that none of its lines can pass for one of ours. */
function detail(view: ApprovalView): readonly string[] {
  const { login, groups, on_behalf_of } = view.subject.properties;
  const notes = warnings(view.payload_text);
  return [
    `${view.approval_id} is ${view.state}`,
    `asked by   ${escapeName(login)} (${groups.map(escapeName).join(', ') || 'no groups'})${on_behalf_of === undefined ? '' : ` for ${escapeName(on_behalf_of.login)}`}`,
    `target     ${escapeName(view.target)}, database ${escapeName(view.binding.database)}, role ${escapeName(view.binding.role)}`,
    `summary    ${escapeText(view.summary)}`,
    `because    ${view.reasons.map(({ code, reason }) => `${escapeText(code)}: ${escapeText(reason)}`).join('; ') || '-'}`,
    'statement',
    ...escapeLines(view.payload_text).map((line) => `  | ${line}`),
    ...notes.map((note) => `  ! ${note}`),
    ...(view.params ?? []).map((value, index) => `  $${index + 1} = ${value === null ? 'NULL' : escapeText(JSON.stringify(value))}`),
    ...progress(view),
    `expires    ${view.expires_at}${view.valid_until === undefined ? '' : `, may run until ${view.valid_until}`}`,
    ...(view.comment === undefined ? [] : [`comment    ${escapeText(view.comment)}`]),
  ];
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
