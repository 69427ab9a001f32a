/** `interlock approvals delegate` and `delegations`: one human decides in another's place for a while. */
import type { Command } from 'commander';
import { InterlockError } from '#schemas/errors';
import type { DelegationView } from '#schemas/approval';
import type { DelegationPage } from '#schemas/review';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';
import { minute } from './detail.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly to?: string;
  readonly from?: string;
  readonly until?: string;
  readonly reason?: string;
  readonly end?: string;
}

export function delegateCommand(): Command {
  return described({
    name: 'delegate',
    summary: 'let another human decide in your place for a while, also requests that are open already',
    examples: [['interlock approvals delegate --to dora --until 3d --reason "on leave" --token-file bob.token', 'from now on, for three days']],
  })
    .requiredOption('--to <login>', 'login or subject id of who decides for you')
    .option('--from <time>', 'when it begins: a time such as 2026-12-24T08:00:00Z, or 2h from now', '0m')
    .requiredOption('--until <time>', 'when it ends: a time, or a while from its beginning such as 8h or 3d')
    .requiredOption('--reason <text>', 'recorded, and shown with each verdict')
    .addOption(tokenFileOption())
    .action(runs(delegate));
}

export function delegationsCommand(): Command {
  return described({
    name: 'delegations',
    summary: 'delegations from or to you; with --end, ends one of yours',
    examples: [['interlock approvals delegations --end dlg_… --token-file bob.token', 'back again']],
  })
    .option('--end <id>', 'end this one now')
    .addOption(tokenFileOption())
    .action(runs(delegations));
}

async function delegate(output: Output, { config, tokenFile, to, from = '0m', until = '', reason }: Options): Promise<number> {
  const gateway = await openGateway(await loadConfig(config), tokenFile);
  const startsMs = instantOf(from, Date.now(), '--from');
  const body = { to, starts: new Date(startsMs).toISOString(), ends: new Date(instantOf(until, startsMs, '--until')).toISOString(), reason };
  const view = (await gateway.post('/v1/delegations', body)) as DelegationView;
  output.document(view, () => told(output, [view]));
  return 0;
}

async function delegations(output: Output, { config, tokenFile, end }: Options): Promise<number> {
  const gateway = await openGateway(await loadConfig(config), tokenFile);
  if (end !== undefined) {
    const view = (await gateway.delete(`/v1/delegations/${encodeURIComponent(end)}`)) as DelegationView;
    output.document(view, () => told(output, [view]));
    return 0;
  }
  const { items } = (await gateway.get('/v1/delegations')) as DelegationPage;
  output.document(items, () => (items.length === 0 ? ['no delegations'] : told(output, items)));
  return 0;
}

function told(output: Output, views: readonly DelegationView[]): readonly string[] {
  const columns = [
    { title: 'ID' },
    { title: 'STATE' },
    { title: 'FROM', shrinks: true },
    { title: 'TO', shrinks: true },
    { title: 'STARTS' },
    { title: 'ENDS' },
    { title: 'REASON', shrinks: true },
  ];
  const rows = views.map(({ delegation_id, state, from, to, starts, ends, reason }) => [
    escapeText(delegation_id),
    state.replace('_', ' '),
    from,
    to,
    minute(starts),
    minute(ends),
    reason,
  ]);
  return output.table(columns, rows);
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time, or a while after `since`. */
function instantOf(text: string, since: number, flag: string): number {
  const [, count, unit = ''] = /^(\d{1,5})([mhd])$/.exec(text) ?? [];
  const ms = count === undefined ? Date.parse(text) : since + Number(count) * (UNITS[unit] ?? Number.NaN);
  if (Number.isNaN(ms)) throw new InterlockError('USAGE', `${flag}: a time such as 2026-12-24T08:00:00Z, or a while such as 30m, 8h or 3d`);
  return ms;
}
