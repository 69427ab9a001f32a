/** `interlock enforcer`: who may enforce for which targets, at a running engine; and joining, at the enforcer. */
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { systemClock } from '#client/clock';
import { EXIT, InterlockError } from '#schemas/errors';
import type { EnforcerInvitation, EnforcerView } from '#schemas/enrolment';
import { loadConfig } from '../../config/load.ts';
import { durationMs } from '../../config/units.ts';
import { described, list, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';

interface Asking extends Common {
  readonly tokenFile?: string;
}

interface Adding extends Asking {
  readonly target: readonly string[];
  readonly ttl: string;
  readonly replace?: boolean;
}

interface Joining extends Common {
  readonly replace?: boolean;
}

export function enforcerCommand(): Command {
  return new Command('enforcer')
    .description('enforcers of their own: add, list, show, remove, join')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(removeCommand())
    .addCommand(joinCommand());
}

function addCommand(): Command {
  return described({
    name: 'add',
    summary: 'prints a code with which one enforcer joins, once; for members of `api.admins`, with a token of scope `approve`',
    examples: [
      ['interlock enforcer add shop-1 --target shop --token-file root.token', 'one that may ask for `shop`, and for nothing else'],
      ['interlock enforcer add shop-1 --target shop --replace --token-file root.token', 'its machine was lost: who joins takes its place'],
    ],
  })
    .argument('<name>', 'what the enforcer is called from now on')
    .requiredOption('--target <target>', 'what it may ask for; may be repeated', list)
    .option('--ttl <duration>', 'how long the code may be used, 1s to 7d', '15m')
    .option('--replace', 'the name is in use: who joins with this code takes its place')
    .addOption(tokenFileOption())
    .action(runs(add));
}

function listCommand(): Command {
  return described({
    name: 'list',
    summary: 'every enforcer that was ever added: its state, targets and certificate',
    examples: [['interlock enforcer list --token-file root.token', 'who may ask for what']],
  })
    .addOption(tokenFileOption())
    .action(runs(listAll));
}

function showCommand(): Command {
  return described({
    name: 'show',
    summary: 'one enforcer',
    examples: [['interlock enforcer show shop-1 --token-file root.token', 'has it joined?']],
  })
    .argument('<name>')
    .addOption(tokenFileOption())
    .action(runs(show));
}

function removeCommand(): Command {
  return described({
    name: 'remove',
    summary: 'cuts an enforcer off, now and for good; codes that are out for it no longer count',
    examples: [['interlock enforcer remove shop-1 --token-file root.token', 'within a second it can ask for nothing']],
  })
    .argument('<name>')
    .addOption(tokenFileOption())
    .action(runs(remove));
}

function joinCommand(): Command {
  return described({
    name: 'join',
    summary: 'run where the enforcer runs: makes its key, joins with the code, keeps the certificate; the engine proves itself first',
    examples: [
      ['interlock enforcer join ilj1.shop-1.… -c shop.yaml', 'asks the engines of `enforcer.engines`'],
      ['interlock enforcer join - -c shop.yaml < code', 'the code does not show in the list of processes'],
    ],
  })
    .argument('<code>', 'what `interlock enforcer add` printed; - reads it from stdin')
    .option('--replace', 'somebody joined here before: that identity is given up')
    .action(runs(joinHere));
}

async function add(output: Output, options: Adding, [name = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  if (!/^[0-9]{1,9}(ms|s|m|h|d)$/.test(options.ttl))
    throw new InterlockError('USAGE', `--ttl ${options.ttl}: allowed is a duration such as 15m or 1h`);
  const ask = { name, targets: options.target, ttl_ms: durationMs(options.ttl), replace: options.replace === true };
  const invited = (await gateway.post('/v1/enrolment', ask)) as EnforcerInvitation;
  output.document(invited, () => [invited.code]);
  return EXIT.ok;
}

async function listAll(output: Output, options: Asking): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const { items } = (await gateway.get('/v1/enrolment')) as { readonly items: readonly EnforcerView[] };
  const columns = [
    { title: 'NAME' },
    { title: 'STATE', marked: true },
    { title: 'TARGETS', shrinks: true },
    { title: 'CERTIFICATE UNTIL' },
    { title: 'CODE UNTIL' },
  ];
  const rows = items.map((each) => [each.name, each.state, each.targets.join(', '), short(each.certificate_until), short(each.invited_until)]);
  output.document(items, () => (items.length === 0 ? ['no enforcers'] : output.table(columns, rows)));
  return EXIT.ok;
}

async function show(output: Output, options: Asking, [name = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  return told(output, (await gateway.get(`/v1/enrolment/${encodeURIComponent(name)}`)) as EnforcerView);
}

async function remove(output: Output, options: Asking, [name = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  return told(output, (await gateway.delete(`/v1/enrolment/${encodeURIComponent(name)}`)) as EnforcerView);
}

async function joinHere(output: Output, options: Joining, [given = '']: readonly string[]): Promise<number> {
  const { enforcer, file } = await loadConfig(options.config);
  if (enforcer === null)
    throw new InterlockError('USAGE', `${file}: is not an enforcer’s: it has no section \`enforcer\``, {
      hint: '-c names the file that `interlock enforce` is started with.',
    });
  const code = given === '-' ? await readFile('/dev/stdin', 'utf8') : given;
  const { join } = await import('../../enrolment/join.ts');
  const replace = options.replace === true;
  const joined = await join({ dir: enforcer.identityDir, engines: enforcer.engines, code, replace, clock: systemClock });
  const document = { name: joined.name, targets: joined.targets, certificate_until: joined.certificateUntil, identity: enforcer.identityDir };
  output.document(document, () => [`joined as ${joined.name}, for ${joined.targets.join(', ')}`]);
  return EXIT.ok;
}

function told(output: Output, view: EnforcerView): number {
  const { name, state, targets, invited_until: invited, joined_at: joined, certificate_until: certificate, by } = view;
  output.document(view, () => [
    `${name}: ${state}, for ${targets.join(', ') || 'nothing'}`,
    ...(invited === null ? [] : [`  a code may be used until ${short(invited)}`]),
    ...(joined === null ? [] : [`  joined ${short(joined)}`]),
    ...(certificate === null ? [] : [`  certificate until ${short(certificate)}`]),
    `  by ${escapeText(by)}`,
  ]);
  return EXIT.ok;
}

function short(time: string | null): string {
  return time === null ? '' : `${time.slice(0, 19).replace('T', ' ')} UTC`;
}
