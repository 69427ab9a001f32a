/** Readings of the journal, as their reader may see it. */
import type { Event } from '#schemas/event';
import { EventAccess } from './access.ts';
import type { Call } from './call.ts';

/** From the start of the journal, so that it is known whose each session is. */
export async function* readable({ house, reader, signal }: Call, follow: boolean): AsyncGenerator<Event> {
  const access = new EventAccess(reader);
  for await (const event of house.parts.events({ follow, signal })) if (access.allows(event)) yield event;
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
