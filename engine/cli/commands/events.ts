import type { Command } from 'commander';
import type { Event } from '#schemas/event';
import { loadConfig } from '../../config/load.ts';
import { described, list, runs, tokenFileOption, type Common } from '../command.ts';
import { eventLine } from '../event-line.ts';
import { openGateway } from '../gateway.ts';
import { sinceTime } from '../since.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly session?: string;
  readonly type?: readonly string[];
  readonly since?: string;
  readonly follow?: boolean;
  readonly dir?: string;
}

export function eventsCommand(): Command {
  return described({
    name: 'events',
    summary: 'what was recorded: events of a running gateway, or of a journal at rest',
    examples: [
      ['interlock events --since 1h --type statement.refused --token-file bob.token', 'what was refused in the last hour'],
      ['interlock events --follow --json --token-file bob.token', 'as it happens, one JSON object a line'],
      ['interlock events --dir ./journal --session ses_…', 'one session, offline'],
    ],
  })
    .addOption(tokenFileOption())
    .option('--session <id>', 'only of this session')
    .option('--type <type>', 'only of this type; may be repeated', list)
    .option('--since <when>', 'a duration such as 1h, or a time such as 2026-11-23T10:00:00Z')
    .option('--follow', 'go on as events happen')
    .option('--dir <journal>', 'read this journal, without a gateway')
    .action(
      runs<Options>(async (output, options) => {
        for await (const event of options.dir === undefined ? online(options) : offline(options.dir, options))
          await output.line(event, () => [eventLine(event)]);
        return 0;
      }),
    );
}

async function* online(options: Options): AsyncGenerator<Event> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const query = new URLSearchParams((options.type ?? []).map((type): [string, string] => ['type', type]));
  if (options.session !== undefined) query.set('session', options.session);
  if (options.since !== undefined) query.set('since', sinceTime(options.since));
  if (options.follow === true) query.set('follow', 'true');
  yield* gateway.lines(`/v1/events?${query.toString()}`) as AsyncIterable<Event>;
}

async function* offline(dir: string, { session, type, since, follow }: Options): AsyncGenerator<Event> {
  const { readEvents } = await import('../journal.ts');
  const after = since === undefined ? '' : sinceTime(since);
  for await (const event of readEvents(dir, follow === true))
    if ((session === undefined || event.session_id === session) && (type === undefined || type.includes(event.type)) && event.time >= after)
      yield event;
}
