/** What the journal holds (J of SECURITY §3.4), as the checks want it: markers of intents, and the approvals that they went with. */
import type { Position } from '#client/journal';
import { SALT_BYTES } from '#engine/journal/format';
import { JournalReader } from '#engine/journal/reader';
import type { Event } from '#schemas/event';
import { markersIn } from './workload.ts';

export interface Recorded {
  /** Markers of statements whose intent is recorded. */
  readonly intents: ReadonlySet<string>;
  /** Markers of statements that went with an approval, and which approval each time. */
  readonly approved: ReadonlyMap<string, readonly string[]>;
}

export interface Reading extends Recorded {
  /** How often each approval was given, in the journal of who gives them. */
  readonly given: ReadonlyMap<string, number>;
  /** The last record that stands there; -1: none. */
  readonly last: Position;
}

/** @param after what was read before: of a journal that lives through hundreds of rounds, each round reads its own part */
export async function recordedIn(dir: string, after: Position = -1): Promise<Reading> {
  const intents = new Set<string>();
  const approved = new Map<string, string[]>();
  const given = new Map<string, number>();
  // by digest: whatever a record refers to stands in its segment, before it
  const payloads = new Map<string, readonly string[]>();
  await using reader = new JournalReader(dir, {
    after,
    onPayload: ({ hash, body }) => void payloads.set(hash, markersIn(body.toString('latin1', SALT_BYTES))),
  });
  let last: Position = -1;
  for (let record = await reader.next(); record !== null; record = await reader.next()) {
    last = record.seq;
    if (last <= after) continue;
    for (const event of record.events) {
      if (event.type === 'approval.consumed') given.set(event.approval_id, (given.get(event.approval_id) ?? 0) + 1);
      if (event.type !== 'statement.cleared') continue;
      for (const marker of new Set(digestsIn(event).flatMap((digest) => payloads.get(digest) ?? []))) {
        intents.add(marker);
        if (event.approval) approved.set(marker, [...(approved.get(marker) ?? []), event.approval.approval_id]);
      }
    }
  }
  return { intents, approved, given, last };
}

/** latin1, as frames have them. */
function digestsIn(event: Event & { readonly type: 'statement.cleared' }): string[] {
  return [event.payload, event.params].flatMap((ref) =>
    ref === undefined ? [] : [Buffer.from(ref.digest.slice('sha256:'.length), 'hex').toString('latin1')],
  );
}
