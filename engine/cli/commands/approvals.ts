import { Command, Option } from 'commander';
import { type ApprovalView, APPROVAL_STATES } from '#schemas/approval';
import { INBOX_BOXES, type InboxPage, type RequestPage } from '#schemas/review';
import { loadConfig } from '../../config/load.ts';
import { delegateCommand, delegationsCommand } from '../approvals/delegations.ts';
import { pageLines, until } from '../approvals/detail.ts';
import { verbCommands } from '../approvals/verbs.ts';
import { watchCommand } from '../approvals/watch.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly state?: string;
  readonly box?: string;
}

export function approvalsCommand(): Command {
  const command = new Command('approvals').description('approval requests: all that a reviewer or a requester does with them');
  const subcommands = [listCommand(), showCommand(), ...verbCommands(), delegateCommand(), delegationsCommand(), watchCommand()];
  for (const one of subcommands) command.addCommand(one);
  return command;
}

function listCommand(): Command {
  return described({
    name: 'list',
    summary: 'requests that you may see: your own, those that name you, or all for a reader',
    examples: [['interlock approvals list --box to_decide --token-file bob.token', 'what waits for bob']],
  })
    .addOption(tokenFileOption())
    .addOption(new Option('--state <state>', 'only requests in this state').choices([...APPROVAL_STATES]))
    .addOption(
      new Option('--box <box>', 'what waits for you, what you asked, all, or broken glass to review').choices([...INBOX_BOXES]).conflicts('state'),
    )
    .action(runs(listApprovals));
}

function showCommand(): Command {
  return described({ name: 'show', summary: 'one request: exactly what would run, who asks, who may decide', examples: [] })
    .argument('<id>')
    .addOption(tokenFileOption())
    .action(runs(showApproval));
}

const COLUMNS = [
  { title: 'ID' },
  { title: 'STATE' },
  { title: 'WHO', shrinks: true },
  { title: 'TARGET', shrinks: true },
  { title: 'STATEMENT', shrinks: true },
  { title: 'ENDS' },
];

async function listApprovals(output: Output, options: Options): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  if (options.box !== undefined) return listBox(output, (await gateway.get(`/v1/inbox?box=${options.box}&limit=200`)) as InboxPage);
  const query = options.state === undefined ? '' : `?state=${options.state}`;
  const views = (await gateway.get(`/v1/approvals${query}`)) as readonly ApprovalView[];
  const rows = views.map((view) => [
    view.approval_id,
    view.state,
    view.subject.properties.login,
    view.target,
    (view.binding.database === '' ? view.summary : view.payload_text).replace(/\s*\n\s*/g, ' ⏎ ').replace(/ +/g, ' '),
    view.state === 'open' ? until(view.expires_at) : '',
  ]);
  output.document(views, () => (views.length === 0 ? ['no approval requests'] : output.table(COLUMNS, rows)));
  return 0;
}

function listBox(output: Output, { items, total }: InboxPage): number {
  const rows = items.map((item) => [
    item.approval_id,
    item.state,
    item.login,
    item.target,
    item.summary,
    item.state === 'open' ? until(item.expires_at) : '',
  ]);
  output.document(items, () => (items.length === 0 ? ['nothing here'] : output.table(COLUMNS, rows)));
  if (total > items.length) output.say(`the newest ${items.length} of ${total}`);
  return 0;
}

async function showApproval(output: Output, options: Options, [id = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const path = `/v1/approvals/${encodeURIComponent(id)}`;
  if (output.json) output.document(await gateway.get(path), () => []);
  else {
    const page = (await gateway.get(`${path}/page`)) as RequestPage;
    output.document(page, () => pageLines(page, output.width));
  }
  return 0;
}
