/** `interlock approvals watch`: the inbox in a terminal, or line by line where there is none. */
import { Command, Option } from 'commander';
import type { ApprovalView } from '#schemas/approval';
import { INBOX_BOXES, type InboxBox, type InboxItem, type InboxPage, type RequestPage } from '#schemas/review';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeShown } from '../escape.ts';
import { type Gateway, openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';
import { opened, type Happening, type Inbox, type Order, shownTo, step } from './inbox.ts';
import { keysOf } from './keys.ts';
import { following } from './live.ts';
import { screenOf, viewOf } from './screen.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly box: InboxBox;
}

export function watchCommand(): Command {
  return described({
    name: 'watch',
    summary: 'a live inbox: read and decide with the keyboard; plain lines where stdout is no terminal, one object a line with --json',
    examples: [['interlock approvals watch --token-file bob.token', 'j k to move, enter to read, a to approve, d to deny, ? for the rest']],
  })
    .addOption(tokenFileOption())
    .addOption(new Option('--box <box>', 'what to show first').choices([...INBOX_BOXES]).default('to_decide'))
    .action(runs<Options>(watch));
}

async function watch(output: Output, options: Options): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  // refused here, and not on a screen that is gone a moment later
  const first = await boxOf(gateway, options.box);
  const ending = new AbortController();
  const stop = (): void => ending.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    if (output.json || !process.stdout.isTTY || !process.stdin.isTTY) await told(output, gateway, options.box, first, ending.signal);
    else await shown(gateway, options.box, ending);
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
  return 0;
}

async function boxOf(gateway: Gateway, box: InboxBox): Promise<InboxPage> {
  return (await gateway.get(`/v1/inbox?box=${box}&limit=200`)) as InboxPage;
}

/** A line for each request that comes, changes or goes. */
async function told(output: Output, gateway: Gateway, box: InboxBox, first: InboxPage, signal: AbortSignal): Promise<void> {
  let before = new Map<string, InboxItem>();
  const tell = async (items: readonly InboxItem[]): Promise<void> => {
    const now = new Map(items.map((item) => [item.approval_id, item]));
    for (const item of items.toReversed()) {
      if (standing(before.get(item.approval_id)) !== standing(item)) await output.line(item, () => [standing(item)]);
    }
    for (const [id, item] of before)
      if (!now.has(id)) await output.line({ approval_id: id, gone: true }, () => [`${id} is not here any more: ${escapeShown(item.summary)}`]);
    before = now;
  };
  await tell(first.items);
  for await (const live of following(gateway, signal)) if (live) await tell((await boxOf(gateway, box)).items);
}

function standing(item: InboxItem | undefined): string {
  if (item === undefined) return '';
  const { approval_id: id, state, login, target, summary, approved, needed } = item;
  return `${id} ${state} ${approved}/${needed} ${escapeShown(login)} ${escapeShown(target)}: ${escapeShown(summary)}`;
}

/** The whole terminal until one leaves. */
async function shown(gateway: Gateway, box: InboxBox, ending: AbortController): Promise<void> {
  const { stdin, stdout } = process;
  let inbox: Inbox = opened(box);
  const size = (): { columns: number; rows: number } => ({ columns: stdout.columns || 80, rows: stdout.rows || 24 });
  const draw = (): void => {
    inbox = shownTo(inbox, viewOf(inbox, size()));
    stdout.write(
      `\u001b[H${screenOf(inbox, size())
        .map((line) => `${line}\u001b[K`)
        .join('\r\n')}\u001b[J`,
    );
  };
  const happens = (happening: Happening): void => {
    if (ending.signal.aborted) return;
    const { inbox: next, orders } = step(inbox, happening, viewOf(inbox, size()));
    inbox = next;
    for (const order of orders) {
      if (order.do === 'quit') ending.abort();
      else void carriedOut(gateway, order).then(happens);
    }
    draw();
  };
  const onKeys = (chunk: Buffer | string): void => {
    for (const key of keysOf(String(chunk))) happens({ type: 'key', key });
  };
  const tick = setInterval(draw, 30_000);
  stdout.write('\u001b[?1049h\u001b[?25l');
  stdin.setRawMode(true);
  stdin.setEncoding('utf8').on('data', onKeys).resume();
  stdout.on('resize', draw);
  try {
    draw();
    for await (const live of following(gateway, ending.signal)) happens({ type: 'live', live });
  } finally {
    clearInterval(tick);
    stdout.off('resize', draw);
    stdin.off('data', onKeys).pause();
    stdin.setRawMode(false);
    stdout.write('\u001b[?25h\u001b[?1049l');
  }
}

/** Asks the gateway; a refusal is a line on the screen. */
async function carriedOut(gateway: Gateway, order: Exclude<Order, { do: 'quit' }>): Promise<Happening> {
  try {
    switch (order.do) {
      case 'load': {
        const { items, total } = await boxOf(gateway, order.box);
        return { type: 'inbox', box: order.box, items, total };
      }
      case 'open':
        return { type: 'opened', request: (await gateway.get(`/v1/approvals/${encodeURIComponent(order.id)}/page`)) as RequestPage };
      case 'post': {
        const view = (await gateway.post(`/v1/approvals/${encodeURIComponent(order.id)}/${order.route}`, order.body)) as ApprovalView;
        return { type: 'done', notice: `${view.approval_id} is ${view.state.replace('_', ' ')}` };
      }
    }
  } catch (error) {
    return { type: 'told', notice: `refused: ${error instanceof Error ? error.message : String(error)}` };
  }
}
