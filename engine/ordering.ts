/** The composition root's part for several engines: one order of approvals over NATS, and who of them tells people of what (ADR 0018). */
import type { Event } from '#schemas/event';
import { type ApprovalBook, type FollowedLog, openSharedLog } from './approvals/approvals.ts';
import type { NotifyJournal, Requests } from './approvals/notify/parts.ts';
import { type Archiving, natsSettings } from './archiving.ts';
import type { Base } from './base.ts';
import type { LoadedConfig } from './config/config.ts';
import type { Authority } from './enrolment/authority.ts';
import { folding } from './folding.ts';
import type { FileJournal } from './journal/file-journal.ts';
import { ForgedAlarm } from './forged-alarm.ts';
import { openNats } from './nats/connection.ts';
import { NatsOrderedStream } from './nats/ordered-stream.ts';
import { EngineTalk } from './nats/talk.ts';
import { SharedAgents } from './shared-agents.ts';
import { SharedFleets } from './shared-fleets.ts';
import { SharedRegistry } from './shared-registry.ts';

export interface Ordering {
  readonly log: FollowedLog;
  /** Who is an enforcer, in the same order. */
  readonly registry: SharedRegistry;
  /** Who is an agent, in the same order. */
  readonly agents: SharedAgents;
  /** What engines tell each other of the enforcers that are connected to them. */
  readonly fleets: SharedFleets;
  /** This engine among the others: its journal's id. */
  readonly engine: string;
  close(): Promise<void>;
}

/** null: the configuration names no NATS, and this engine is the only one. A connection of its own: what waits for a verdict does not wait for the archive. */
export function openOrdering(base: Base, authority: Pick<Authority, 'keyFor'>): Ordering | null {
  const { config, journal, clock, log, archiving } = base;
  if (config.nats === null || archiving === null) return null;
  const { approvals: name } = config.nats.streams;
  const alarm = forgedAlarm(base, archiving, name);
  const link = openNats(natsSettings(config.nats, log), { identity: 'engine approvals', clock, log });
  const engine = journal.id;
  const talk = new EngineTalk(link, { key: authority.keyFor('talk 1'), engine, clock, onForged: (topic) => alarm.said(topic) });
  const stream = new NatsOrderedStream(link, name, talk);
  const fleets = new SharedFleets({ talk, engine, clock });
  const ordered = openSharedLog({
    stream,
    journal,
    clock,
    log,
    engine,
    key: authority.keyFor('order 1'),
    onForged: (forged) => alarm.stands(forged),
  });
  return {
    log: ordered,
    registry: new SharedRegistry(ordered, folding(journal)),
    agents: new SharedAgents(ordered, folding(journal)),
    fleets,
    engine,
    close: async () => {
      alarm.close();
      fleets.close();
      await ordered.close();
      await link.close();
    },
  };
}

/** Somebody looked into what was found up to here: it is no alarm any more, and counts for as little. */
function forgedAlarm({ live, reloadables }: Base, { alarms }: Archiving, stream: string): ForgedAlarm {
  let lookedInto = live.config.nats?.lookedInto ?? 0;
  const alarm = new ForgedAlarm({ alarms, stream, lookedInto: () => lookedInto });
  const apply = (next: LoadedConfig): void => {
    lookedInto = next.nats?.lookedInto ?? 0;
    alarm.look();
  };
  reloadables.push({ keys: ['nats.looked_into'], apply });
  return alarm;
}

/** What this engine's notifier goes by: people are told by the engine through which it was done. */
export function toldHere(journal: FileJournal, ordering: Ordering | null): NotifyJournal {
  if (ordering === null) return journal;
  return {
    append: (event) => journal.append(event),
    durable: (position) => journal.durable(position),
    get fault() {
      return journal.fault;
    },
    events: async function* (from) {
      for await (const event of journal.events(from)) if (isDoneHere(event, ordering)) yield event;
    },
  };
}

/** Every engine's journal holds what was done through any. */
export function isDoneHere(event: Event, ordering: Ordering | null): boolean {
  const by = 'ordered' in event ? event.ordered?.engine : undefined;
  return by === undefined || ordering === null || by === ordering.engine;
}

export function askedHere(book: ApprovalBook, ordering: Ordering | null): Requests {
  if (ordering === null) return book;
  return {
    show: (approvalId) => book.show(approvalId),
    list: (filter) => book.list({ ...filter, here: true }),
    onChange: (listener) =>
      book.onChange((change) => {
        if (change.here) listener(change);
      }),
  };
}
