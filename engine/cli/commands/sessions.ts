import { Command } from 'commander';
import type { Event } from '#schemas/event';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { eventLine } from '../event-line.ts';
import { openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';
import { sinceTime } from '../since.ts';
import { EXIT, InterlockError } from '#schemas/errors';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly since?: string;
  readonly dir?: string;
}

export function sessionsCommand(): Command {
  const listing = described({
    name: 'list',
    summary: 'sessions that you may see, oldest first; as NDJSON each is its `session.opened` with how it stands',
    examples: [['interlock sessions list --since 1h --token-file alice.token', 'your sessions of the last hour']],
  })
    .addOption(tokenFileOption())
    .option('--since <when>', 'a duration such as 1h, or a time such as 2026-11-23T10:00:00Z')
    .option('--dir <journal>', 'read this journal, without a gateway')
    .action(runs(listSessions));
  const showing = described({ name: 'show', summary: 'every event of one session', examples: [] })
    .argument('<id>')
    .addOption(tokenFileOption())
    .option('--dir <journal>', 'read this journal, without a gateway')
    .action(runs(showSession));
  const ending = described({
    name: 'end',
    summary: 'ends an open session, wherever its enforcer is; for members of `api.admins`, with a token of scope `approve`',
    examples: [],
  })
    .argument('<id>')
    .addOption(tokenFileOption())
    .action(runs(endSession));
  return new Command('sessions').description('sessions: list, show, end').addCommand(listing).addCommand(showing).addCommand(ending);
}

async function endSession(output: Output, options: Options, [id = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const ended = await gateway.delete(`/v1/sessions/${encodeURIComponent(id)}`);
  output.document(ended, () => [`${id} is ended`]);
  return EXIT.ok;
}

type Opened = Extract<Event, { type: 'session.opened' }> & { readonly state: 'open' | 'closed'; readonly statements?: number };

async function listSessions(output: Output, options: Options): Promise<number> {
  const rows: string[][] = [];
  for await (const session of sessions(options)) {
    const { login } = session.subject_detail.properties;
    if (!output.json)
      rows.push([
        session.session_id ?? '',
        session.state,
        login,
        session.resource.id,
        session.time.slice(0, 16).replace('T', ' '),
        String(session.statements ?? ''),
      ]);
    await output.line(session, () => []);
  }
  const columns = [
    { title: 'SESSION' },
    { title: 'STATE' },
    { title: 'WHO', shrinks: true },
    { title: 'TARGET', shrinks: true },
    { title: 'OPENED (UTC)' },
    { title: 'N' },
  ];
  if (!output.json) output.document(null, () => (rows.length === 0 ? ['no sessions'] : output.table(columns, rows)));
  return 0;
}

async function* sessions(options: Options): AsyncGenerator<Opened> {
  const since = options.since === undefined ? '' : sinceTime(options.since);
  if (options.dir !== undefined) return yield* offline(options.dir, since);
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const query = since === '' ? '' : `?since=${encodeURIComponent(since)}`;
  yield* gateway.lines(`/v1/sessions${query}`) as AsyncIterable<Opened>;
}

async function* offline(dir: string, since: string): AsyncGenerator<Opened> {
  const { readEvents } = await import('../journal.ts');
  const found = new Map<string, Opened>();
  for await (const event of readEvents(dir)) {
    const id = event.session_id ?? '';
    if (event.type === 'session.opened' && event.time >= since) found.set(id, { ...event, state: 'open' });
    const opened = found.get(id);
    if (event.type === 'session.closed' && opened !== undefined) found.set(id, { ...opened, state: 'closed', statements: event.statements });
  }
  yield* found.values();
}

async function showSession(output: Output, options: Options, [id = '']: readonly string[]): Promise<number> {
  let count = 0;
  for await (const event of eventsOf(options, id)) {
    count += 1;
    await output.line(event, () => [eventLine(event)]);
  }
  if (count === 0) throw new InterlockError('SESSION_NOT_FOUND', `there is no session ${id}`);
  return 0;
}

async function* eventsOf(options: Options, id: string): AsyncGenerator<Event> {
  if (options.dir === undefined) {
    const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
    return yield* gateway.lines(`/v1/sessions/${encodeURIComponent(id)}`) as AsyncIterable<Event>;
  }
  const { readEvents } = await import('../journal.ts');
  for await (const event of readEvents(options.dir)) if (event.session_id === id) yield event;
}
