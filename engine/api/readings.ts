/** Readings of the journal, as their reader may see it. */
import type { Event } from '#schemas/event';
import { EventAccess } from './access.ts';
import { InterlockError } from '#schemas/errors';
import type { Call } from './call.ts';
import type { House } from './house.ts';
import type { Reader, SessionBegin } from './parts.ts';

/** Of every journal that is here, one after the other: a session stands in one. */
export async function* readableEverywhere({ house, reader, signal }: Call): AsyncGenerator<Event> {
  const access = new EventAccess(reader);
  for await (const event of house.parts.events({ follow: false, signal, journal: { every: true } })) if (access.allows(event)) yield event;
}

/** From the start of the journal, or of the one session that is meant: so that it is known whose each session is. */
export async function* readable({ house, reader, signal }: Call, follow: boolean, session?: string): AsyncGenerator<Event> {
  const access = new EventAccess(reader);
  const begin = session === undefined ? null : await beginOf(session, house, reader);
  for await (const event of house.parts.events({ follow, signal, ...(begin === null ? {} : { since: begin.first - 1, journal: begin.journal }) }))
    if (access.allows(event)) yield event;
}

export async function* only(events: AsyncIterable<Event>, wanted: (event: Event) => boolean): AsyncGenerator<Event> {
  for await (const event of events) if (wanted(event)) yield event;
}

export async function* each(items: Iterable<object>): AsyncGenerator<object> {
  yield* items;
}

export async function* prepend(first: Event, rest: AsyncIterator<Event>): AsyncGenerator<Event> {
  yield first;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** Only a short cut: where the projection cannot say, everything is read. */
export async function beginOf(session: string, { parts }: House, reader: Reader): Promise<SessionBegin | null> {
  try {
    return (await parts.projection?.beginOf(session, reader)) ?? null;
  } catch (error) {
    if (error instanceof InterlockError) return null;
    throw error;
  }
}
