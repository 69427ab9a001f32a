import { Command } from 'commander';
import { EXIT } from '#schemas/errors';
import type { NotificationView } from '#schemas/notification';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly dead?: boolean;
}

export function notifyCommand(): Command {
  const listing = described({
    name: 'list',
    summary: 'messages that wait, that could not be delivered, and the last ones that were; for who may read everything',
    examples: [['interlock notify list --dead --token-file carol.token', 'what did not arrive, and why']],
  })
    .option('--dead', 'only those that could not be delivered')
    .addOption(tokenFileOption())
    .action(runs(list));
  const resending = described({
    name: 'resend',
    summary: 'tries a dead message again from the start; the token needs scope `approve`',
    examples: [['interlock notify resend ntf_… --token-file carol.token', 'the receiver works again']],
  })
    .argument('<id>')
    .addOption(tokenFileOption())
    .action(runs(resend));
  const testing = described({
    name: 'test',
    summary: 'sends a test message to one channel; exit 1 when it does not arrive; the token needs scope `approve`',
    examples: [['interlock notify test chat --token-file carol.token', 'does `chat` of `approvals.notify` work?']],
  })
    .argument('<channel>')
    .addOption(tokenFileOption())
    .action(runs(test));
  return new Command('notify')
    .description('messages about approvals: list, resend, test')
    .addCommand(listing)
    .addCommand(resending)
    .addCommand(testing);
}

async function list(output: Output, options: Options): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const { items } = (await gateway.get(`/v1/notifications?state=${options.dead === true ? 'dead' : 'all'}`)) as {
    readonly items: readonly NotificationView[];
  };
  const columns = [
    { title: 'ID' },
    { title: 'STATE' },
    { title: 'CHANNEL' },
    { title: 'ABOUT' },
    { title: 'REQUEST' },
    { title: 'TRIES' },
    { title: 'DETAIL', shrinks: true },
  ];
  const rows = items.map((item) => [
    item.notification_id,
    item.state,
    item.channel,
    item.about,
    item.approval_id ?? item.delegation_id ?? '',
    String(item.tries),
    escapeText(item.detail ?? ''),
  ]);
  output.document(items, () => (items.length === 0 ? ['no messages'] : output.table(columns, rows)));
  return EXIT.ok;
}

async function resend(output: Output, options: Options, [id = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  await gateway.post(`/v1/notifications/${encodeURIComponent(id)}/resend`, {});
  output.document({ notification_id: id, state: 'waiting' }, () => [`${escapeText(id)} is tried again`]);
  return EXIT.ok;
}

async function test(output: Output, options: Options, [channel = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const sent = (await gateway.post('/v1/notifications/test', { channel })) as NotificationView;
  output.document(sent, () => [
    `${escapeText(sent.channel)}: ${sent.state === 'delivered' ? 'delivered' : `not delivered: ${escapeText(sent.detail ?? '')}`}`,
  ]);
  return sent.state === 'delivered' ? EXIT.ok : EXIT.no;
}
