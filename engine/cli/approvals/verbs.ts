/** What one does with a request, each verb a command: the body that it posts, and the words that it takes. */
import { Command } from 'commander';
import type { ApprovalView } from '#schemas/approval';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { openGateway } from '../gateway.ts';
import { standing } from './detail.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly comment?: string;
  readonly reason?: string;
  readonly seen?: string;
}

interface Verb {
  readonly name: string;
  readonly summary: string;
  readonly example: readonly [flags: string, purpose: string];
  /** Behind `/v1/approvals/ID/`. */
  readonly route: string;
  readonly body: (options: Options, command: readonly string[]) => object;
  readonly flags?: (command: Command) => Command;
}

const comment = (command: Command): Command => command.option('--comment <text>', 'recorded, and shown to the requester');
const words = (what: string) => (command: Command) => command.requiredOption('--comment <text>', what);
const said = ({ comment: text }: Options): { readonly comment?: string } => (text === undefined ? {} : { comment: text });

const VERBS: readonly Verb[] = [
  {
    name: 'approve',
    summary: 'approve a request; the token needs scope `approve`, and must not be the requester’s',
    example: ['--comment "as agreed" --seen 3f2a90c1d77b', 'approve what was shown with this digest'],
    route: 'verdict',
    body: (options) => ({ outcome: 'approve', ...said(options), ...(options.seen === undefined ? {} : { seen: options.seen }) }),
    flags: (command) =>
      comment(command).option('--seen <digits>', 'the first 12 or more digits of the digest that you were shown: another is refused'),
  },
  {
    name: 'deny',
    summary: 'deny a request; the requester is told the comment',
    example: ['--comment "ask finance first"', 'deny it, and say why'],
    route: 'verdict',
    body: (options) => ({ outcome: 'deny', ...said(options) }),
    flags: comment,
  },
  {
    name: 'changes',
    summary: 'ask for another statement: closes the request, and the next one refers to it',
    example: ['--comment "only the orders of this year"', 'say what to change'],
    route: 'verdict',
    body: (options) => ({ outcome: 'changes', ...said(options) }),
    flags: words('what to change; the requester reads it'),
  },
  {
    name: 'cancel',
    summary: 'take back a request of your own, open or approved; any token of yours will do',
    example: ['--comment "not needed any more"', 'nobody needs to decide it, and nothing runs by it'],
    route: 'cancel',
    body: said,
    flags: comment,
  },
  {
    name: 'withdraw',
    summary: 'take back an approval before it is used; by who gave it, or who is asked in one of its stages',
    example: ['--comment "wrong week"', 'nothing runs by it from now on'],
    route: 'withdraw',
    body: said,
    flags: comment,
  },
  {
    name: 'break-glass',
    summary: 'approve your own request in an emergency, where a rule of `data.break_glass` lets you; everybody is told, and somebody reviews it',
    example: ['--reason "the shop is down"', 'approve it for the short time that the rule gives'],
    route: 'break-glass',
    body: ({ reason }) => ({ reason }),
    flags: (command) => command.requiredOption('--reason <text>', 'what the emergency is; everybody reads it'),
  },
];

export function verbCommands(): readonly Command[] {
  return [...VERBS.map((verb) => verbCommand(verb)), reviewCommand()];
}

function verbCommand({ name, summary, example: [flags, purpose], route, body, flags: add }: Verb): Command {
  const command = described({ name, summary, examples: [[`interlock approvals ${name} apr_… ${flags} --token-file bob.token`, purpose]] })
    .argument('<id>')
    .addOption(tokenFileOption());
  return (add?.(command) ?? command).action(posts(route, body));
}

function reviewCommand(): Command {
  return described({
    name: 'review',
    summary: 'close the review of a broken glass: justified or unjustified, with words; not by who broke it',
    examples: [
      ['interlock approvals review apr_… justified --comment "the log shows it" --token-file bob.token', 'after it, they may break the glass again'],
    ],
  })
    .argument('<id>')
    .argument('<outcome>', 'justified or unjustified')
    .requiredOption('--comment <text>', 'what you found')
    .addOption(tokenFileOption())
    .action(posts('review', (options, [, outcome]) => ({ outcome, ...said(options) })));
}

function posts(route: string, body: Verb['body']): ReturnType<typeof runs<Options>> {
  return runs<Options>(async (output, options, args) => {
    const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
    const [id = ''] = args;
    const view = (await gateway.post(`/v1/approvals/${encodeURIComponent(id)}/${route}`, body(options, args))) as ApprovalView;
    output.document(view, () => standing(view, output.width));
    return 0;
  });
}
