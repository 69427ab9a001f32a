/** `interlock audit search`: the record by who, where, what and when, from a running gateway. */
import { InvalidArgumentError, type Command } from 'commander';
import { EXIT } from '#schemas/errors';
import type { StatementItem, StatementPage } from '#schemas/review';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';
import { sinceTime } from '../since.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly who?: string;
  readonly target?: string;
  readonly object?: string;
  readonly verb?: string;
  readonly effect?: string;
  readonly code?: string;
  readonly outcome?: string;
  readonly session?: string;
  readonly text?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit: number;
}

const LIMIT_MAX = 100_000;
const PAGE_MAX = 200;

export function auditSearchCommand(): Command {
  return described({
    name: 'search',
    summary: 'statements that you may see, newest first: all that is given must fit; with --json one statement a line',
    examples: [
      ['interlock audit search --object payments --verb delete --since 7d', 'who deleted rows from payments in the last week'],
      ['interlock audit search --who alice --effect deny --code DELETE_WITHOUT_WHERE', 'what policy refused alice, by its code'],
      ["interlock audit search --text 'public.payments void*' --target shop", 'words, identifiers or their parts, in the text; a * ends a beginning'],
    ],
  })
    .addOption(tokenFileOption())
    .option('--who <login>', 'who acted, or the human behind them')
    .option('--target <name>', 'on which target')
    .option('--object <name>', 'touched: `public.payments`, or `payments` in any schema')
    .option('--verb <verb>', 'touched so: read, insert, update, delete, truncate, drop, execute …')
    .option('--effect <effect>', 'of the decision: allow, mask, require_approval, deny')
    .option('--code <code>', 'of a reason of the decision, or of the refusal')
    .option('--outcome <outcome>', 'running, held, refused, prepared, ok, error, aborted, cancelled, unknown')
    .option('--session <id>', 'of one session')
    .option('--text <words>', 'words of the text, where texts are kept in clear')
    .option('--since <when>', 'a duration such as 1h, or a time such as 2026-11-23T10:00:00Z')
    .option('--until <when>', 'the same: before it')
    .option('--limit <n>', 'at most so many', limitOf, 50)
    .action(runs(search));
}

function limitOf(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIMIT_MAX) throw new InvalidArgumentError(`1 to ${LIMIT_MAX}`);
  return limit;
}

async function search(output: Output, options: Options): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const query = new URLSearchParams(given(options));
  const rows: string[][] = [];
  let total = 0;
  for (let left = options.limit; left > 0; ) {
    query.set('limit', String(Math.min(left, PAGE_MAX)));
    const page = (await gateway.get(`/v1/search?${query.toString()}`)) as StatementPage;
    for (const item of page.items) {
      if (!output.json) rows.push(rowOf(item));
      await output.line(item, () => []);
    }
    ({ total } = page);
    left -= page.items.length;
    if (page.next === null || page.items.length === 0) break;
    query.set('cursor', page.next);
  }
  if (!output.json) output.document(null, () => sheet(output, rows, total));
  return EXIT.ok;
}

function given({ who, target, object, verb, effect, code, outcome, session, text, since, until }: Options): Record<string, string> {
  const times = { ...(since === undefined ? {} : { since: utc(since) }), ...(until === undefined ? {} : { until: utc(until) }) };
  const words = { who, target, object, verb, effect, code, outcome, session, q: text };
  return { ...times, ...Object.fromEntries(Object.entries(words).filter((entry): entry is [string, string] => entry[1] !== undefined)) };
}

function utc(when: string): string {
  return `${sinceTime(when)}Z`;
}

const COUNTED_MAX = 10_000;

function sheet(output: Output, rows: readonly (readonly string[])[], total: number): readonly string[] {
  if (rows.length === 0) return ['no statements'];
  const columns = [
    { title: 'TIME (UTC)' },
    { title: 'WHO', shrinks: true, marked: true },
    { title: 'TARGET', shrinks: true, marked: true },
    { title: 'OUTCOME', marked: true },
    { title: 'ROWS' },
    { title: 'TOUCHED', shrinks: true, marked: true },
    { title: 'TEXT', shrinks: true, marked: true },
    { title: 'SESSION' },
  ];
  const more = total > rows.length ? [`${rows.length} of ${total >= COUNTED_MAX ? 'more than 10,000' : total}; --limit shows more`] : [];
  return [...output.table(columns, rows), ...more];
}

function rowOf(item: StatementItem): string[] {
  const { time, login, on_behalf_of, target, outcome, refused, rows, touched, text = '', session_id } = item;
  return [
    time.slice(0, 19).replace('T', ' '),
    on_behalf_of === undefined ? login : `${login} for ${on_behalf_of}`,
    target,
    refused ?? outcome,
    rows === undefined ? '' : String(rows),
    touched.join(', '),
    text.replace(/\s+/g, ' ').trim(),
    session_id,
  ];
}
