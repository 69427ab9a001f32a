/**
 * The registry of enforcers over several engines: the same order as approvals, each enforcer a stream (ADR 0018). What stands in that order grows old;
 * who renews is written down anew with how they joined, so the registry of those that live is always there.
 */
import type { Event } from '#schemas/event';
import type { Applied, FollowedLog, OrderedDraft } from './approvals/approvals.ts';
import type { EnforcerEventDraft, RegistryJournal } from './enrolment/parts.ts';

/** Events of one message have positions of their own. */
const EVENTS_PER_MESSAGE = 256;

type RegistryEvent = Extract<Event, { type: `enforcer.${string}` }>;

/** What makes an enforcer what it is: the invitation that it used, how it joined, and an invitation that is open beside it. */
interface Standing {
  readonly last: number;
  readonly invited: EnforcerEventDraft | null;
  readonly joined: EnforcerEventDraft | null;
  readonly pending: EnforcerEventDraft | null;
}

const NOTHING: Standing = { last: -1, invited: null, joined: null, pending: null };

export class SharedRegistry implements RegistryJournal {
  readonly #log: FollowedLog;
  readonly #journal: Pick<RegistryJournal, 'events'>;
  readonly #standing = new Map<string, Standing>();
  /** From before this engine shared anything. */
  readonly #alone = new Map<string, EnforcerEventDraft[]>();
  #heard: (event: Event) => void = () => {};

  constructor(log: FollowedLog, journal: Pick<RegistryJournal, 'events'>) {
    this.#log = log;
    this.#journal = journal;
    log.follow('enforcer', (applied) => this.#apply(applied));
  }

  /** Told of every event, of all engines, oldest first. */
  follow(heard: (event: Event) => void): void {
    this.#heard = heard;
  }

  /** The order tells everything once it is read: here stands only what was never shared. */
  async *events(): AsyncGenerator<Event> {
    for await (const event of this.#journal.events()) {
      if (!event.type.startsWith('enforcer.') || !('enforcer' in event) || ('ordered' in event && event.ordered !== undefined)) continue;
      const stream = streamOf(event as RegistryEvent);
      this.#alone.set(stream, [...(this.#alone.get(stream) ?? []), draftOf(event as RegistryEvent)]);
    }
    yield* [];
  }

  /** Once the order was read: what this engine had before there were others. */
  async share(): Promise<void> {
    for (const [stream, drafts] of this.#alone) {
      const newest = drafts.slice(-EVENTS_PER_MESSAGE);
      await this.#log.commit(stream, () => (this.#standing.has(stream) ? null : { stream, expectedLast: -1, drafts: newest }));
    }
    this.#alone.clear();
  }

  async appendIf(
    event: EnforcerEventDraft,
    { stream, expectedLast }: { readonly stream: string; readonly expectedLast: number },
  ): Promise<number | null> {
    let fits = false;
    await this.#log.commit(stream, () => {
      // asked again when somebody was faster; then it does not fit any more
      const standing = this.#standing.get(stream) ?? NOTHING;
      fits = standing.last === expectedLast;
      return fits ? { stream, expectedLast, drafts: carrying(standing, event) } : null;
    });
    return fits ? (this.#standing.get(stream)?.last ?? null) : null;
  }

  /** Nothing is told before it is. */
  durable(): void {}

  #apply({ stream, events }: Applied): void {
    events.forEach((told, index) => {
      const event = { ...told, seq: told.seq * EVENTS_PER_MESSAGE + index } as unknown as RegistryEvent;
      this.#standing.set(stream, after(this.#standing.get(stream) ?? NOTHING, event));
      this.#heard(event);
    });
  }
}

/** A renewal carries what it rests on; everything else stands for itself. */
function carrying({ invited, joined, pending }: Standing, event: EnforcerEventDraft): readonly OrderedDraft[] {
  if (event.type !== 'enforcer.renewed' || !invited || !joined) return [event];
  return [invited, joined, event, ...(pending ? [pending] : [])];
}

function after(before: Standing, event: RegistryEvent): Standing {
  const last = event.seq;
  const draft = draftOf(event);
  switch (event.type) {
    case 'enforcer.invited':
      return { ...before, pending: draft, last };
    case 'enforcer.joined':
      return before.pending ? { invited: before.pending, joined: draft, pending: null, last } : { ...before, joined: draft, last };
    case 'enforcer.renewed':
      return { ...before, last };
    case 'enforcer.removed':
      return { ...NOTHING, last };
  }
}

function streamOf({ enforcer }: RegistryEvent): string {
  return `enforcer:${enforcer}`;
}

/** As it was written, without what the order gave it. */
function draftOf(event: RegistryEvent): EnforcerEventDraft {
  const { contract: _c, time: _t, tick_us: _k, journal: _j, seq: _s, index: _i, prev: _p, ...draft } = event;
  const { ordered: _o, ...plain } = draft as typeof draft & { readonly ordered?: unknown };
  return plain as EnforcerEventDraft;
}
